// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/containerd/platforms"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/redact"
)

// Image is the content of the manifest of an image or of another OCI artifact.
type Image struct {
	// Repository is where the image is. RegistryID is ECR's, Region is always set.
	Repository Repository
	// ImageDigest is the digest that the reference resolves to. If that is an
	// index, it is the digest of the index.
	ImageDigest digest.Digest
	// ManifestDigest is the digest of the manifest that the following fields are
	// from: of one platform if the image is an index, else ImageDigest.
	ManifestDigest digest.Digest
	// Manifest is the manifest as JSON, byte for byte as ECR returned it.
	Manifest string
	// MediaType is the manifest's.
	MediaType string
	// ArtifactType is the manifest's or, if that has none, the media type of a
	// config that is not an image's. It is empty for an image.
	ArtifactType string
	// Platforms are those of an index, as os/arch[/variant], each once, in the
	// index's order. It is empty if the image is not an index.
	Platforms []string
	// Config is the image's config.
	Config Descriptor
	// Layers are in the manifest's order, lowest first, duplicates included.
	Layers []Descriptor
	// Annotations are the manifest's, not those of the index.
	Annotations map[string]string
	// URI is the image's URI, by ImageDigest.
	URI ImageURI
}

// LayerDigests returns the digests of the layers that ECR holds, lowest first,
// each once. Foreign layers are left out.
func (i *Image) LayerDigests() []digest.Digest {
	digests, seen := make([]digest.Digest, 0, len(i.Layers)), map[digest.Digest]bool{}
	for _, layer := range i.Layers {
		if !layer.IsForeign() && !seen[layer.Digest] {
			seen[layer.Digest] = true
			digests = append(digests, layer.Digest)
		}
	}
	return digests
}

// MissingManifestError is an index that names a manifest which is not in the
// repository. It unwraps to the *CallError of the manifest.
type MissingManifestError struct {
	// Index is the digest of the index.
	Index digest.Digest
	// Manifest is the digest of the missing manifest.
	Manifest digest.Digest
	// Platform is the manifest's, empty if the index does not say.
	Platform string

	err error
}

// Error says what is missing.
func (e *MissingManifestError) Error() string {
	what := e.Manifest.String()
	if e.Platform != "" {
		what += " for platform " + redact.Line(e.Platform, maxQuoted)
	}
	return fmt.Sprintf("index %s names the manifest %s, which is not in the repository: %v", e.Index, what, e.err)
}

// Unwrap returns the error of the call.
func (e *MissingManifestError) Unwrap() error {
	return e.err
}

// Image reads the manifest that ref resolves to by one call of BatchGetImage. If
// that is an index, another call gets the manifest of the platform, as ParsePlatform
// reads it; an empty platform selects the only one of the index. An index in an
// index takes one more call at most. If a platform is requested and no index says
// which one the manifest is for, the image's config must: this takes a call of
// GetDownloadUrlForLayer and a download.
//
// Every error is a *CallError, or a *MissingManifestError that wraps one. It wraps
// the API's error, an *ImageFailure, an *InvalidResponseError, a *BrokenImageError,
// an *UnsupportedManifestError, a *PlatformError, an *EmptyIndexError or, if the
// config must say the platform, a *NotAnImageError or a *DownloadError.
func (c *Client) Image(ctx context.Context, repo Repository, ref ImageReference, platform string) (*Image, error) {
	found, err := c.resolveImage(ctx, repo, ref, platform)
	if err != nil {
		return nil, err
	}
	if found.unverified != nil {
		if _, err := c.getConfig(ctx, repo, found); err != nil {
			return nil, err
		}
	}
	return found.image(), nil
}

// resolvedImage is what a reference and a platform select.
type resolvedImage struct {
	// root is what the reference resolves to: an index, or manifest itself.
	root, manifest *foundManifest
	// platforms are those of an index that can be requested.
	platforms []string
	// unverified is set if the platform is still to be compared with that of the
	// config.
	unverified *matcher
}

// resolveImage selects a manifest. The errors are those of Image.
func (c *Client) resolveImage(ctx context.Context, repo Repository, ref ImageReference, platform string) (*resolvedImage, error) {
	requested, err := newMatcher(platform)
	if err != nil {
		return nil, err
	}
	found, err := c.getManifest(ctx, repo, ref)
	if err != nil {
		return nil, err
	}
	return c.selectManifest(ctx, repo, found, requested)
}

// selectManifest selects a manifest of what a reference resolves to. The errors are
// those of Image.
func (c *Client) selectManifest(ctx context.Context, repo Repository, found *foundManifest, requested *matcher) (*resolvedImage, error) {
	result := &resolvedImage{root: found, unverified: requested}
	left := maxNestedIndexes
	for level := 1; found.isIndex(); {
		if level > maxIndexLevels {
			return nil, found.tooDeep()
		}
		candidates, err := c.candidates(ctx, repo, found, level, &left)
		if err != nil {
			return nil, err
		}
		if found == result.root {
			result.platforms = formatPlatforms(images(candidates))
		}
		chosen, err := found.choose(candidates, requested)
		if err != nil {
			return nil, found.call.fail(err)
		}
		if found, err = c.getManifest(ctx, repo, ImageReference{Digest: chosen.Digest}); err != nil {
			return nil, missing(chosen, err)
		}
		if chosen.Platform != nil {
			result.unverified = nil
		}
		level = chosen.level + 1
	}
	result.manifest = found
	return result, nil
}

// image returns what was selected.
func (r *resolvedImage) image() *Image {
	image := &Image{
		Repository:     r.root.repository,
		ImageDigest:    r.root.digest,
		ManifestDigest: r.manifest.digest,
		Manifest:       r.manifest.content,
		MediaType:      r.manifest.MediaType,
		ArtifactType:   r.manifest.artifactType(),
		Platforms:      r.platforms,
		Config:         newDescriptor(*r.manifest.Config),
		Annotations:    r.manifest.Annotations,
		URI:            imageURI(r.root.repository, r.root.digest),
	}
	for _, layer := range r.manifest.Layers {
		image.Layers = append(image.Layers, newDescriptor(layer))
	}
	return image
}

// missing returns the error of getting an entry of an index: err, or a
// *MissingManifestError if the repository does not have it.
func missing(entry *candidate, err error) error {
	failure, ok := errors.AsType[*ImageFailure](err)
	if !ok || failure.Code != types.ImageFailureCodeImageNotFound {
		return err
	}
	absent := &MissingManifestError{Index: entry.index.digest, Manifest: entry.Digest, err: err}
	if entry.Platform != nil {
		absent.Platform = platforms.FormatAll(*entry.Platform)
	}
	return absent
}
