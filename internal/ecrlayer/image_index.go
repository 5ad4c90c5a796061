// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// ImageIndex is an image index: the manifests of an image for several platforms,
// with whatever belongs to them.
type ImageIndex struct {
	// Repository is where the index is. RegistryID is ECR's, Region is always set.
	Repository Repository
	// ImageDigest is the digest of the index.
	ImageDigest digest.Digest
	MediaType   string
	// ArtifactType is empty if the index does not say.
	ArtifactType string
	Annotations  map[string]string
	// Manifest is the index as JSON, byte for byte as ECR returned it.
	Manifest string
	// URI is the image's URI, by ImageDigest.
	URI ImageURI
	// Platforms are those that Client.Image selects by, each once, in the index's order.
	Platforms []string
	// Manifests are all entries of the index: also attestations, SOCI indexes,
	// other artifacts and other indexes.
	Manifests []IndexManifest
}

// NotAnIndexError is an image that is not an index.
type NotAnIndexError struct {
	// MediaType is the manifest's.
	MediaType string
}

// Error returns the media type.
func (e *NotAnIndexError) Error() string {
	return "the image is not an index: its manifest has the media type " + quote(e.MediaType)
}

// ImageIndex reads an image index by one call of BatchGetImage.
//
// A failed call, including a manifest that does not have its digest or cannot be
// read, is a *CallError, which wraps an *ImageFailure, an *InvalidResponseError,
// a *BrokenImageError or an *UnsupportedManifestError. An image that is not an
// index is a *NotAnIndexError.
func (c *Client) ImageIndex(ctx context.Context, repo Repository, ref ImageReference) (*ImageIndex, error) {
	found, err := c.getManifest(ctx, repo, ref)
	if err != nil {
		return nil, err
	}
	if !found.isIndex() {
		return nil, &NotAnIndexError{MediaType: found.MediaType}
	}
	return &ImageIndex{
		Repository:   found.repository,
		ImageDigest:  found.digest,
		MediaType:    found.MediaType,
		ArtifactType: found.ArtifactType,
		Annotations:  found.Annotations,
		Manifest:     found.content,
		URI:          imageURI(found.repository, found.digest),
		Platforms:    formatPlatforms(found.candidates().platforms),
		Manifests:    found.entries(),
	}, nil
}

// entries returns all entries of an index.
func (m *manifest) entries() []IndexManifest {
	format := platformFormat(m.candidates().platforms)
	entries := make([]IndexManifest, len(m.Manifests))
	for i, d := range m.Manifests {
		entries[i] = IndexManifest{Descriptor: newDescriptor(d), ArtifactType: d.ArtifactType}
		if d.Platform != nil && isSelectable(*d.Platform) {
			entries[i].Platform = format(*d.Platform)
		}
	}
	return entries
}

const (
	// BuildKit marks attestations so.
	// See https://docs.docker.com/build/metadata/attestations/attestation-storage/
	annotationReferenceType = "vnd.docker.reference.type"
	attestationManifest     = "attestation-manifest"

	// SOCI indexes have an artifact type that begins so, or this annotation.
	// See https://github.com/awslabs/soci-snapshotter/blob/main/docs/soci-index-manifest-v2.md
	mediaTypeSOCIIndexPrefix = "application/vnd.amazon.soci.index."
	annotationSOCIImage      = "com.amazon.soci.image-manifest-digest"
)

// candidates are the entries of an index that can be selected.
type candidates struct {
	// platforms have a platform that ParsePlatform can express.
	platforms []ocispec.Descriptor
	// plain have no platform.
	plain []ocispec.Descriptor
	// nested is set if the index names another index.
	nested bool
}

// candidates returns the entries of an index that can be selected. Attestations
// and artifacts that accompany an image (signatures, SOCI indexes) are not among
// them, but an index of artifacts alone, such as a program for several platforms,
// has these as its candidates.
func (m *manifest) candidates() candidates {
	var images, artifacts candidates
	for _, d := range m.Manifests {
		hasPlatform := d.Platform != nil && (d.Platform.OS != "" || d.Platform.Architecture != "")
		if !hasPlatform {
			d.Platform = nil
		}
		chosen := &images
		// Some tools set the config's media type as the artifact type of an image.
		if d.ArtifactType != "" && !isImageConfig(d.ArtifactType) {
			chosen = &artifacts
		}
		switch {
		case isIndexType(d.MediaType):
			images.nested, artifacts.nested = true, true
		case !isManifestType(d.MediaType) && !isSchema1(d.MediaType), isAttestation(d), isSOCIIndex(d):
		case !hasPlatform:
			chosen.plain = append(chosen.plain, d)
		case isSelectable(*d.Platform):
			chosen.platforms = append(chosen.platforms, d)
		}
	}
	if len(images.platforms) == 0 && len(images.plain) == 0 {
		return artifacts
	}
	return images
}

func isAttestation(d ocispec.Descriptor) bool {
	return d.Annotations[annotationReferenceType] == attestationManifest
}

func isSOCIIndex(d ocispec.Descriptor) bool {
	return strings.HasPrefix(d.ArtifactType, mediaTypeSOCIIndexPrefix) || d.Annotations[annotationSOCIImage] != ""
}

// choose returns the requested entry of an index, or the only one if requested is
// nil. Its platform is nil if the index does not say. The error is a
// *PlatformError.
func (m *manifest) choose(requested *matcher) (ocispec.Descriptor, error) {
	var (
		all     = m.candidates()
		failure = &PlatformError{}
	)
	if requested != nil {
		failure.Requested = requested.name
	}
	switch {
	case len(all.platforms) > 0 && (requested != nil || !all.nested):
		chosen, err := choosePlatform(all.platforms, requested)
		if err == nil || !errors.As(err, &failure) {
			return chosen, err
		}
	case len(all.plain) == 1 && !all.nested:
		return all.plain[0], nil
	case len(all.plain) > 1:
		failure.Reason = fmt.Sprintf("the index names %d manifests without a platform", len(all.plain))
	default:
		failure.Reason = "the index names no image"
	}
	if all.nested && !failure.Ambiguous {
		failure.Reason = nestedIndex
		failure.Available = formatPlatforms(all.platforms)
	}
	failure.Entries = m.entries()
	return ocispec.Descriptor{}, failure
}

const nestedIndex = "the index names another index, which must be requested by its digest"
