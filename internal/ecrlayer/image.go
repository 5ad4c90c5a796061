// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

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

// Image reads the manifest that ref resolves to by one call of BatchGetImage, or
// by two if that is an index: the second one is for the manifest of the platform
// (os/arch[/variant]). An empty platform selects the only one of the index. If a
// platform is requested and no index says which one the manifest is for, the
// image's config must: this takes a call of GetDownloadUrlForLayer and a download.
//
// A failed call, including a manifest that does not have its digest or cannot be
// read, is a *CallError, which wraps an *ImageFailure, an *InvalidResponseError,
// a *BrokenImageError, an *UnsupportedManifestError or, of OperationDownload, a
// *DownloadError. The other errors are *PlatformError, *MissingManifestError,
// *UnsupportedManifestError, and *NotAnImageError or *BrokenImageError if the
// config cannot say the platform.
func (c *Client) Image(ctx context.Context, repo Repository, ref ImageReference, platform string) (*Image, error) {
	image, unverified, err := c.image(ctx, repo, ref, platform)
	if err != nil || unverified == nil {
		return image, err
	}
	config, err := c.getConfig(ctx, repo, image.Config, image.ArtifactType)
	if err != nil {
		return nil, err
	}
	if err := unverified.checkConfig(config); err != nil {
		return nil, err
	}
	return image, nil
}

// image reads a manifest. It returns a matcher if the platform is still to be
// compared with that of the config.
func (c *Client) image(ctx context.Context, repo Repository, ref ImageReference, platform string) (*Image, *matcher, error) {
	requested, err := newMatcher(platform)
	if err != nil {
		return nil, nil, err
	}
	found, err := c.getManifest(ctx, repo, ref)
	if err != nil {
		return nil, nil, err
	}
	image, unverified := &Image{Repository: found.repository, ImageDigest: found.digest, URI: imageURI(found.repository, found.digest)}, requested
	if found.isIndex() {
		image.Platforms = formatPlatforms(found.candidates().platforms)
		chosen, err := found.choose(requested)
		if err != nil {
			return nil, nil, err
		}
		if found, err = c.getEntry(ctx, repo, found.digest, chosen); err != nil {
			return nil, nil, err
		}
		if chosen.Platform != nil {
			unverified = nil
		}
	}

	image.ManifestDigest = found.digest
	image.Manifest = found.content
	image.MediaType = found.MediaType
	image.ArtifactType = found.artifactType()
	image.Config = newDescriptor(*found.Config)
	for _, layer := range found.Layers {
		image.Layers = append(image.Layers, newDescriptor(layer))
	}
	image.Annotations = found.Annotations
	return image, unverified, nil
}

// getEntry returns a manifest that an index names.
func (c *Client) getEntry(ctx context.Context, repo Repository, index digest.Digest, entry ocispec.Descriptor) (*foundManifest, error) {
	found, err := c.getManifest(ctx, repo, ImageReference{Digest: entry.Digest})
	var failure *ImageFailure
	switch {
	case errors.As(err, &failure) && failure.Code == types.ImageFailureCodeImageNotFound:
		missing := &MissingManifestError{Index: index, Manifest: entry.Digest, err: err}
		if entry.Platform != nil {
			missing.Platform = formatPlatform(*entry.Platform)
		}
		return nil, missing
	case err != nil:
		return nil, err
	case found.isIndex():
		return nil, &UnsupportedManifestError{MediaType: found.MediaType, Reason: nestedIndex + ", " + entry.Digest.String()}
	}
	return found, nil
}

// checkConfig returns a *PlatformError unless the config is that of an image for
// the requested platform.
func (m *matcher) checkConfig(config *config) error {
	if !isSelectable(config.Platform) {
		return &PlatformError{Requested: m.name, Reason: "neither an index nor the config of the image says its platform"}
	}
	_, err := choosePlatform([]ocispec.Descriptor{{Platform: &config.Platform}}, m)
	return err
}
