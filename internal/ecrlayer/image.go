// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/containerd/platforms"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// ImageReference names an image in a repository by tag, by digest, or by both,
// which must then agree.
type ImageReference struct {
	Tag    string
	Digest digest.Digest
}

// String returns tag, digest, or tag@digest.
func (r ImageReference) String() string {
	if r.Tag != "" && r.Digest != "" {
		return r.Tag + "@" + r.Digest.String()
	}
	return r.Tag + r.Digest.String()
}

// Image is what the manifest of an image, or of another OCI artifact, says.
type Image struct {
	// Repository is where the image is: RegistryID as ECR answered, Region always set.
	Repository Repository
	// ImageDigest is what the reference stands for: of an index, the index's own digest.
	ImageDigest digest.Digest
	// ManifestDigest is the digest of the manifest that all below is from: that of
	// one platform if the image is an index, else ImageDigest.
	ManifestDigest digest.Digest
	// MediaType is the manifest's.
	MediaType string
	// ArtifactType is the manifest's, or its config's media type where the
	// manifest has none and is not an image's. It is empty for an image.
	ArtifactType string
	// Platforms are those of an index, as os/arch[/variant], each once, in the
	// index's order. It is empty if the image is not an index: a manifest alone
	// does not tell its platform, only its config does.
	Platforms []string
	// PlatformUnverified is whether a platform was asked for and nothing that was
	// read tells the manifest's. ImageConfig, which reads the config, never
	// leaves it set.
	PlatformUnverified bool
	// Config is the image's config.
	Config Descriptor
	// Layers are in the manifest's order; a layer that is in it twice is here twice.
	Layers []Descriptor
	// Annotations are the manifest's (not those of the index).
	Annotations map[string]string
	// URI is the image's address, by ImageDigest.
	URI ImageURI
}

// ImageFailure is ECR's reason not to return an image.
//
//nolint:errname // It is ECR's own name for it.
type ImageFailure struct {
	// Code is one of ECR's, such as "ImageNotFound".
	Code types.ImageFailureCode
	// Reason is ECR's explanation.
	Reason string
}

// Error returns the code and the explanation.
func (e *ImageFailure) Error() string {
	return fmt.Sprintf("%s: %s", e.Code, e.Reason)
}

// MissingManifestError is an index that names a manifest which is not in the
// repository (any more). It unwraps to the *CallError of the manifest.
type MissingManifestError struct {
	// Index is the index's digest.
	Index digest.Digest
	// Manifest is the digest of what is missing.
	Manifest digest.Digest
	// Platform is that of the manifest, empty if the index does not tell.
	Platform string

	err error
}

// Error says what is missing and where.
func (e *MissingManifestError) Error() string {
	what := e.Manifest.String()
	if e.Platform != "" {
		what += " for platform " + e.Platform
	}
	return fmt.Sprintf("index %s names the manifest %s, which is not in the repository: %v", e.Index, what, e.err)
}

// Unwrap returns the error of the call.
func (e *MissingManifestError) Unwrap() error {
	return e.err
}

// Image reads the manifest that ref stands for by one call of BatchGetImage, or
// by two if ref stands for an index: the second is for the manifest of the
// platform (os/arch[/variant]). An empty platform means the only one that the
// index has. Of an image that is not an index, see PlatformUnverified.
//
// What failed in a call, a manifest that does not have its digest or cannot be
// read included, is a *CallError, which wraps an *ImageFailure where ECR gave a
// failure code, an *InvalidResponseError or an *UnsupportedManifestError. Else it is a
// *PlatformError, an *UnsupportedManifestError or a *MissingManifestError.
//
// See https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html
func (c *Client) Image(ctx context.Context, repo Repository, ref ImageReference, platform string) (*Image, error) {
	asked, err := newMatcher(platform)
	if err != nil {
		return nil, err
	}
	return c.image(ctx, repo, ref, asked)
}

func (c *Client) image(ctx context.Context, repo Repository, ref ImageReference, asked *matcher) (*Image, error) {
	found, err := c.manifest(ctx, repo, ref)
	if err != nil {
		return nil, err
	}
	image := &Image{Repository: found.repository, ImageDigest: found.digest, PlatformUnverified: asked != nil}
	if found.isIndex() {
		withPlatform, _, _ := found.candidates()
		image.Platforms = formatPlatforms(withPlatform)
		chosen, err := found.choose(asked)
		if err != nil {
			return nil, err
		}
		if found, err = c.child(ctx, repo, found.digest, chosen); err != nil {
			return nil, err
		}
		image.PlatformUnverified = asked != nil && chosen.Platform == nil
	}

	image.ManifestDigest = found.digest
	image.MediaType = found.MediaType
	image.ArtifactType = found.artifactType()
	image.Config = describe(*found.Config)
	for _, layer := range found.Layers {
		image.Layers = append(image.Layers, describe(layer))
	}
	image.Annotations = found.Annotations
	image.URI = ImageURI{
		RegistryID:     image.Repository.RegistryID,
		Region:         image.Repository.Region,
		DNSSuffix:      registrySuffix(image.Repository.Region),
		RepositoryName: image.Repository.Name,
		Digest:         image.ImageDigest,
	}
	return image, nil
}

func describe(d ocispec.Descriptor) Descriptor {
	return Descriptor{Digest: d.Digest, MediaType: d.MediaType, Size: d.Size, Annotations: d.Annotations}
}

// foundManifest is a manifest, with what ECR says of where it found it.
type foundManifest struct {
	*manifest
	digest     digest.Digest
	repository Repository
}

// child returns a manifest that an index names.
func (c *Client) child(ctx context.Context, repo Repository, index digest.Digest, named ocispec.Descriptor) (*foundManifest, error) {
	found, err := c.manifest(ctx, repo, ImageReference{Digest: named.Digest})
	var failure *ImageFailure
	switch {
	case errors.As(err, &failure) && failure.Code == types.ImageFailureCodeImageNotFound:
		missing := &MissingManifestError{Index: index, Manifest: named.Digest, err: err}
		if named.Platform != nil {
			missing.Platform = platforms.FormatAll(*named.Platform)
		}
		return nil, missing
	case err != nil:
		return nil, err
	case found.isIndex():
		return nil, &UnsupportedManifestError{MediaType: found.MediaType, Reason: nestedIndex}
	}
	return found, nil
}

// manifest makes one call of BatchGetImage.
func (c *Client) manifest(ctx context.Context, repo Repository, ref ImageReference) (*foundManifest, error) {
	var id types.ImageIdentifier
	if ref.Tag != "" {
		id.ImageTag = aws.String(ref.Tag)
	}
	if ref.Digest != "" {
		id.ImageDigest = aws.String(ref.Digest.String())
	}
	input := &ecr.BatchGetImageInput{
		AcceptedMediaTypes: manifestMediaTypes,
		ImageIds:           []types.ImageIdentifier{id},
		RepositoryName:     aws.String(repo.Name),
	}
	if repo.RegistryID != "" {
		input.RegistryId = aws.String(repo.RegistryID)
	}

	if repo.Region == "" {
		repo.Region = c.region
	}
	var found *foundManifest
	err := c.do(ctx, "BatchGetImage", repo, ref.String(), func(ctx context.Context, options func(*ecr.Options)) error {
		output, err := c.ecr.BatchGetImage(ctx, input, options)
		if err != nil {
			return err
		}
		found, err = checkImages(output, repo, ref)
		return err
	})
	return found, err
}

// checkImages returns the manifest in an answer if it is the one asked for. The
// same image may be in the answer several times, once with each of its tags.
func checkImages(output *ecr.BatchGetImageOutput, repo Repository, asked ImageReference) (*foundManifest, error) {
	if len(output.Failures) > 0 {
		failure := output.Failures[0]
		return nil, &ImageFailure{Code: failure.FailureCode, Reason: aws.ToString(failure.FailureReason)}
	}
	if len(output.Images) == 0 {
		return nil, &InvalidResponseError{Reason: "the answer holds neither an image nor a reason why there is none"}
	}
	image := output.Images[0]
	named := reference(image).Digest
	for _, other := range output.Images[1:] {
		if reference(other).Digest != named {
			return nil, &InvalidResponseError{Reason: fmt.Sprintf("the answer holds several images, %q and %q", named, reference(other).Digest)}
		}
	}
	if asked.Digest != "" && named != asked.Digest {
		return nil, &InvalidResponseError{Reason: fmt.Sprintf("the answer is about image digest %q, not about the one that was asked for", named)}
	}
	if asked.Tag != "" && !slices.ContainsFunc(output.Images, func(i types.Image) bool { return reference(i).Tag == asked.Tag || reference(i).Tag == "" }) {
		return nil, &InvalidResponseError{Reason: fmt.Sprintf("the answer is about image tag %q, not about the one that was asked for", reference(image).Tag)}
	}
	registry := aws.ToString(image.RegistryId)
	if registry == "" || (repo.RegistryID != "" && registry != repo.RegistryID) {
		return nil, &InvalidResponseError{Reason: fmt.Sprintf("the answer is about registry %q, not about the one that was asked", registry)}
	}
	repo.RegistryID = registry

	m, err := parseManifest(aws.ToString(image.ImageManifest), aws.ToString(image.ImageManifestMediaType), named)
	if err != nil {
		return nil, err
	}
	return &foundManifest{manifest: m, digest: named, repository: repo}, nil
}

func reference(image types.Image) ImageReference {
	if image.ImageId == nil {
		return ImageReference{}
	}
	return ImageReference{Tag: aws.ToString(image.ImageId.ImageTag), Digest: digest.Digest(aws.ToString(image.ImageId.ImageDigest))}
}
