// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// ImageIndex reads an image index by one call of BatchGetImage, which does not
// say what is in an index in the index.
//
// Every error is a *CallError. It wraps the API's error, an *ImageFailure, an
// *InvalidResponseError, a *BrokenImageError, an *UnsupportedManifestError or, for
// an image that is not an index, a *NotAnIndexError.
func (c *Client) ImageIndex(ctx context.Context, repo Repository, ref ImageReference) (*ImageIndex, error) {
	found, err := c.getManifest(ctx, repo, ref)
	if err != nil {
		return nil, err
	}
	if !found.isIndex() {
		return nil, found.call.fail(&NotAnIndexError{MediaType: found.MediaType})
	}
	return &ImageIndex{
		Repository:   found.repository,
		ImageDigest:  found.digest,
		MediaType:    found.MediaType,
		ArtifactType: found.ArtifactType,
		Annotations:  found.Annotations,
		Manifest:     found.content,
		URI:          imageURI(found.repository, found.digest),
		Platforms:    formatPlatforms(images(found.candidates())),
		Manifests:    found.entries(),
	}, nil
}

// entries returns all entries of an index.
func (m *manifest) entries() []IndexManifest {
	format := platformFormat(images(m.candidates()))
	entries := make([]IndexManifest, len(m.Manifests))
	for i, d := range m.Manifests {
		entries[i] = IndexManifest{Descriptor: newDescriptor(d), ArtifactType: d.ArtifactType}
		if d.Platform != nil && isSelectable(*d.Platform) {
			entries[i].Platform = format(newCandidate(d))
		}
	}
	return entries
}

// requestable returns the entries of an index that can be requested by digest.
func (m *manifest) requestable() []IndexManifest {
	return slices.DeleteFunc(m.entries(), func(e IndexManifest) bool { return !isRequestable(e.MediaType) })
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

// candidate is an entry of an index that can be selected. Its Platform is nil if
// the index does not say.
type candidate struct {
	ocispec.Descriptor
	normalized ocispec.Platform
	// index names the entry, and level is 1 for the image's own index.
	index *foundManifest
	level int
}

func newCandidate(d ocispec.Descriptor) *candidate {
	c := &candidate{Descriptor: d}
	if d.Platform != nil {
		c.normalized = normalize(*d.Platform)
	}
	return c
}

// candidates returns the entries of an index that can be selected: manifests and
// indexes, but attestations and SOCI indexes. Entries of other types must be
// ignored (https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md),
// and those with a platform that ParsePlatform cannot express cannot be requested.
func (m *manifest) candidates() []*candidate {
	var all []*candidate
	for _, d := range m.Manifests {
		if d.Platform != nil && (d.Platform.OS == "" || d.Platform.Architecture == "") {
			d.Platform = nil // Both are required, so that the entry does not say its platform.
		}
		if isRequestable(d.MediaType) && !isAttestation(d) && !isSOCIIndex(d) && (d.Platform == nil || isSelectable(*d.Platform)) {
			all = append(all, newCandidate(d))
		}
	}
	return all
}

// images returns the candidates without artifacts that accompany an image, such as
// signatures. An index of artifacts alone, such as a program for several
// platforms, has these as its images. Some tools set the config's media type as
// the artifact type of an image.
func images(candidates []*candidate) []*candidate {
	isImage := func(c *candidate) bool { return c.ArtifactType == "" || isImageConfig(c.ArtifactType) }
	if !slices.ContainsFunc(candidates, isImage) {
		return candidates
	}
	return slices.DeleteFunc(slices.Clone(candidates), func(c *candidate) bool { return !isImage(c) })
}

// isRequestable reports whether BatchGetImage returns manifests of mediaType.
func isRequestable(mediaType string) bool {
	return isManifestType(mediaType) || isIndexType(mediaType) || isSchema1(mediaType)
}

func isAttestation(d ocispec.Descriptor) bool {
	return d.Annotations[annotationReferenceType] == attestationManifest
}

func isSOCIIndex(d ocispec.Descriptor) bool {
	return strings.HasPrefix(d.ArtifactType, mediaTypeSOCIIndexPrefix) || d.Annotations[annotationSOCIImage] != ""
}

const (
	// maxIndexLevels is how deep indexes may be nested, the image's own included.
	maxIndexLevels = 3
	// maxNestedIndexes is the most indexes without a platform that are read, because
	// the index does not say what is in them.
	maxNestedIndexes = 16
)

// candidates returns what can be selected in an index: its own candidates and, in
// place of an index without a platform, what is in that. It reads these by one
// call per index that names some, and subtracts their number from left. The error
// is a *CallError or a *MissingManifestError.
func (c *Client) candidates(ctx context.Context, repo Repository, index *foundManifest, level int, left *int) ([]*candidate, error) {
	own := images(index.candidates())
	var unknown []digest.Digest
	for _, entry := range own {
		entry.index, entry.level = index, level
		if entry.isUnknownIndex() && !slices.Contains(unknown, entry.Digest) {
			unknown = append(unknown, entry.Digest)
		}
	}
	if len(unknown) == 0 {
		return own, nil
	}
	if level == maxIndexLevels {
		return nil, index.tooDeep()
	}
	if *left -= len(unknown); *left < 0 {
		return nil, index.call.fail(&PlatformError{Reason: fmt.Sprintf("more than %d indexes in the index do not say their platform", maxNestedIndexes), Entries: index.requestable()})
	}
	results, err := c.getManifests(ctx, repo, unknown)
	if err != nil {
		return nil, err
	}
	var all []*candidate
	for _, entry := range own {
		inner := []*candidate{entry}
		if entry.isUnknownIndex() {
			nested := results[slices.Index(unknown, entry.Digest)]
			if nested.err != nil {
				return nil, missing(entry, nested.err)
			}
			if nested.isIndex() { // Else, the entry has the wrong media type.
				if inner, err = c.candidates(ctx, repo, nested.foundManifest, level+1, left); err != nil {
					return nil, err
				}
			}
		}
		all = append(all, inner...)
	}
	return all, nil
}

// isUnknownIndex reports whether the entry is an index of unknown platforms.
func (c *candidate) isUnknownIndex() bool {
	return c.Platform == nil && isIndexType(c.MediaType)
}

func (f *foundManifest) tooDeep() error {
	return f.call.fail(&PlatformError{Reason: fmt.Sprintf("indexes are nested more than %d levels deep in the image", maxIndexLevels), Entries: f.requestable()})
}

const noManifest = "the index lists no manifest"

// choose returns the requested candidate, or the only one if requested is nil. The
// error is a *PlatformError or an *EmptyIndexError.
func (m *manifest) choose(candidates []*candidate, requested *matcher) (*candidate, error) {
	var withPlatform, without []*candidate
	for _, c := range images(candidates) {
		if c.Platform != nil {
			withPlatform = append(withPlatform, c)
		} else {
			without = append(without, c)
		}
	}
	failure := &PlatformError{Reason: "the index names no image"}
	if requested != nil {
		failure.Requested = requested.name
	}
	switch {
	case len(withPlatform) > 0:
		chosen, err := choosePlatform(withPlatform, requested)
		if err == nil || !errors.As(err, &failure) {
			return chosen, err
		}
	case len(without) == 1:
		return without[0], nil
	case len(without) > 1:
		failure.Reason = fmt.Sprintf("the index names %d manifests without a platform", len(without))
	}
	failure.Entries = m.requestable()
	switch {
	case len(m.Manifests) == 0:
		return nil, &EmptyIndexError{Reason: noManifest}
	case len(failure.Entries) == 0:
		return nil, &EmptyIndexError{Reason: noManifest + ", but what has the media type " + quote(m.Manifests[0].MediaType)}
	}
	return nil, failure
}
