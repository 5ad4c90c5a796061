// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"
)

// ImageReference identifies an image in a repository by tag, by digest, or by
// both, which must then match.
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

// ImageFailure is ECR's reason for not returning an image.
//
// See https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageFailure.html
//
//nolint:errname // This is its name in the API.
type ImageFailure struct {
	// Code is the failure code, such as "ImageNotFound".
	Code types.ImageFailureCode
	// Reason is ECR's explanation.
	Reason string
}

// Error returns the code and the explanation.
func (e *ImageFailure) Error() string {
	return fmt.Sprintf("%s: %s", e.Code, e.Reason)
}

// foundManifest is a manifest and where ECR found it.
type foundManifest struct {
	*manifest
	digest     digest.Digest
	content    string
	repository Repository
}

// getManifest returns a manifest by one call of BatchGetImage.
//
// See https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html
func (c *Client) getManifest(ctx context.Context, repo Repository, ref ImageReference) (*foundManifest, error) {
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

	repo = c.withRegion(repo)
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

// checkImages returns the manifest in a response if it is the requested one. The
// response may contain the image several times, once for each of its tags.
func checkImages(output *ecr.BatchGetImageOutput, repo Repository, requested ImageReference) (*foundManifest, error) {
	if len(output.Failures) > 0 {
		failure := output.Failures[0]
		return nil, &ImageFailure{Code: failure.FailureCode, Reason: aws.ToString(failure.FailureReason)}
	}
	if len(output.Images) == 0 {
		return nil, &InvalidResponseError{Reason: "the response contains neither an image nor a failure"}
	}
	image := output.Images[0]
	named := reference(image).Digest
	for _, other := range output.Images[1:] {
		if reference(other).Digest != named {
			return nil, &InvalidResponseError{Reason: fmt.Sprintf("the response contains several images, %s and %s", quote(named), quote(reference(other).Digest))}
		}
	}
	if requested.Digest != "" && named != requested.Digest {
		return nil, &InvalidResponseError{Reason: fmt.Sprintf("the response is about image digest %s instead of the requested one", quote(named))}
	}
	if requested.Tag != "" && !slices.ContainsFunc(output.Images, func(i types.Image) bool { return reference(i).Tag == requested.Tag || reference(i).Tag == "" }) {
		return nil, &InvalidResponseError{Reason: fmt.Sprintf("the response is about image tag %s instead of the requested one", quote(reference(image).Tag))}
	}
	registry := aws.ToString(image.RegistryId)
	if registry == "" || (repo.RegistryID != "" && registry != repo.RegistryID) {
		return nil, &InvalidResponseError{Reason: fmt.Sprintf("the response is about registry %s instead of the requested one", quote(registry))}
	}
	repo.RegistryID = registry

	content := aws.ToString(image.ImageManifest)
	m, err := parseManifest(content, aws.ToString(image.ImageManifestMediaType), named)
	if err != nil {
		return nil, err
	}
	return &foundManifest{manifest: m, digest: named, content: content, repository: repo}, nil
}

func reference(image types.Image) ImageReference {
	if image.ImageId == nil {
		return ImageReference{}
	}
	return ImageReference{Tag: aws.ToString(image.ImageId.ImageTag), Digest: digest.Digest(aws.ToString(image.ImageId.ImageDigest))}
}
