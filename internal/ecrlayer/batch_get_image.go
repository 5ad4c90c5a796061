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

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/redact"
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

// foundManifest is a manifest, where ECR found it, and the call that returned it.
type foundManifest struct {
	*manifest
	digest     digest.Digest
	content    string
	repository Repository
	call       Call
}

// getManifest returns a manifest by one call of BatchGetImage. With a tag and a
// digest, it requests the tag alone and compares the digest: a pull-through cache
// that has not cached the image finds it by tag only.
func (c *Client) getManifest(ctx context.Context, repo Repository, ref ImageReference) (*foundManifest, error) {
	id := types.ImageIdentifier{ImageTag: aws.String(ref.Tag)}
	if ref.Tag == "" {
		id = types.ImageIdentifier{ImageDigest: aws.String(ref.Digest.String())}
	}
	var found *foundManifest
	call, err := c.batchGetImage(ctx, repo, ref.String(), []types.ImageIdentifier{id}, func(output *ecr.BatchGetImageOutput) (err error) {
		found, err = checkImages(output, c.withRegion(repo), ref)
		return err
	})
	if err != nil {
		return nil, err
	}
	found.call = call
	return found, nil
}

// maxImageIDs is how many images a call of BatchGetImage returns at most.
const maxImageIDs = 100

// manifestResult is a manifest, or why there is none: a *CallError.
type manifestResult struct {
	*foundManifest
	err error
}

// getManifests returns the manifests with these digests, in their order, by one
// call of BatchGetImage for up to 100. The error is that of a failed call; what is
// wrong with a single manifest is in its result.
func (c *Client) getManifests(ctx context.Context, repo Repository, digests []digest.Digest) ([]manifestResult, error) {
	results := make([]manifestResult, 0, len(digests))
	for chunk := range slices.Chunk(digests, maxImageIDs) {
		resource := chunk[0].String()
		if len(chunk) > 1 {
			resource = fmt.Sprintf("%d manifests", len(chunk))
		}
		ids := make([]types.ImageIdentifier, len(chunk))
		for i, d := range chunk {
			ids[i].ImageDigest = aws.String(d.String())
		}
		var output *ecr.BatchGetImageOutput
		call, err := c.batchGetImage(ctx, repo, resource, ids, func(o *ecr.BatchGetImageOutput) error {
			output = o
			return nil
		})
		if err != nil {
			return nil, err
		}
		for _, d := range chunk {
			call.Resource = d.String()
			found, err := checkImages(only(output, d), c.withRegion(repo), ImageReference{Digest: d})
			if err != nil {
				results = append(results, manifestResult{err: call.fail(err)})
				continue
			}
			found.call = call
			results = append(results, manifestResult{foundManifest: found})
		}
	}
	return results, nil
}

// only returns what a response says about one digest.
func only(output *ecr.BatchGetImageOutput, d digest.Digest) *ecr.BatchGetImageOutput {
	about := &ecr.BatchGetImageOutput{}
	for _, image := range output.Images {
		if reference(image.ImageId).Digest == d {
			about.Images = append(about.Images, image)
		}
	}
	for _, failure := range output.Failures {
		if reference(failure.ImageId).Digest == d {
			about.Failures = append(about.Failures, failure)
		}
	}
	return about
}

// batchGetImage makes one call. resource names the images in errors.
//
// See https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html
func (c *Client) batchGetImage(ctx context.Context, repo Repository, resource string, ids []types.ImageIdentifier, use func(*ecr.BatchGetImageOutput) error) (Call, error) {
	input := &ecr.BatchGetImageInput{AcceptedMediaTypes: manifestMediaTypes, ImageIds: ids, RepositoryName: aws.String(repo.Name)}
	if repo.RegistryID != "" {
		input.RegistryId = aws.String(repo.RegistryID)
	}
	return c.do(ctx, "BatchGetImage", repo, resource, func(ctx context.Context, options func(*ecr.Options)) error {
		output, err := c.ecr.BatchGetImage(ctx, input, options)
		if err != nil {
			return err
		}
		return use(output)
	})
}

// checkImages returns the manifest in a response if it is the requested one. The
// response may contain the image several times, once for each of its tags.
func checkImages(output *ecr.BatchGetImageOutput, repo Repository, requested ImageReference) (*foundManifest, error) {
	if len(output.Failures) > 0 {
		failure := output.Failures[0]
		return nil, &ImageFailure{
			Code:   types.ImageFailureCode(redact.Line(string(failure.FailureCode), maxCode)),
			Reason: redact.Line(aws.ToString(failure.FailureReason), redact.MaxMessage),
		}
	}
	if len(output.Images) == 0 {
		return nil, &InvalidResponseError{Reason: "the response contains neither an image nor a failure"}
	}
	image := output.Images[0]
	named := reference(image.ImageId).Digest
	for _, other := range output.Images[1:] {
		if d := reference(other.ImageId).Digest; d != named {
			return nil, &InvalidResponseError{Reason: fmt.Sprintf("the response contains several images, %s and %s", quote(named), quote(d))}
		}
	}
	if requested.Tag == "" && named != requested.Digest {
		return nil, &InvalidResponseError{Reason: fmt.Sprintf("the response is about image digest %s instead of the requested one", quote(named))}
	}
	hasTag := func(i types.Image) bool {
		tag := reference(i.ImageId).Tag
		return tag == requested.Tag || tag == ""
	}
	if requested.Tag != "" && !slices.ContainsFunc(output.Images, hasTag) {
		return nil, &InvalidResponseError{Reason: fmt.Sprintf("the response is about image tag %s instead of the requested one", quote(reference(image.ImageId).Tag))}
	}
	registry := aws.ToString(image.RegistryId)
	if ValidateRegistryID(registry) != nil || (repo.RegistryID != "" && registry != repo.RegistryID) {
		return nil, &InvalidResponseError{Reason: fmt.Sprintf("the response is about registry %s instead of the requested one", quote(registry))}
	}
	repo.RegistryID = registry

	content := aws.ToString(image.ImageManifest)
	m, err := parseManifest(content, aws.ToString(image.ImageManifestMediaType), named)
	if err != nil {
		return nil, err
	}
	if requested.Digest != "" && named != requested.Digest {
		// ECR's code for a tag and a digest that are requested together.
		return nil, &ImageFailure{Code: types.ImageFailureCodeImageTagDoesNotMatchDigest, Reason: "the tag is on image " + named.String()}
	}
	return &foundManifest{manifest: m, digest: named, content: content, repository: repo}, nil
}

func reference(id *types.ImageIdentifier) ImageReference {
	if id == nil {
		return ImageReference{}
	}
	return ImageReference{Tag: aws.ToString(id.ImageTag), Digest: digest.Digest(aws.ToString(id.ImageDigest))}
}
