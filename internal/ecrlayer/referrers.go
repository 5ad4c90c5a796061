// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"
)

// OperationReferrers is the operation that lists referrers. IAM has no action of this
// name: it requires ecr:BatchGetImage.
const OperationReferrers = "ListImageReferrers"

// ImageReferrers are the artifacts that refer to an image by the subject of their
// manifest, such as signatures and SBOMs.
type ImageReferrers struct {
	// Repository is where the image is. Region is always set, RegistryID if it was
	// requested or the image was requested by tag.
	Repository Repository
	// ImageDigest is the digest of the image.
	ImageDigest digest.Digest
	// Referrers are in ECR's order.
	Referrers []Referrer

	strings, bytes int // of the annotations
}

// Referrer is a manifest that refers to an image.
type Referrer struct {
	Descriptor
	// ArtifactType is empty if ECR does not return it.
	ArtifactType string
	// Status is "ACTIVE", "ARCHIVED" or "ACTIVATING".
	Status string
}

// The most that is read of an image's referrers. Real images have some tens.
const (
	maxReferrers     = 1000
	maxReferrerPages = 100
	maxReferrerBytes = 8 << 20 // of annotations
	// referrersPerPage is the most that ECR returns.
	referrersPerPage = 50
)

const (
	// MaxArtifactTypes is how many artifact types Client.Referrers accepts.
	MaxArtifactTypes = 5
	// MaxArtifactType is how many characters each of them can have.
	MaxArtifactType = 255
)

// TooManyReferrersError is an image with more referrers than can be read.
type TooManyReferrersError struct {
	// Reason says which limit they exceed, as a clause.
	Reason string
}

// Error returns the reason.
func (e *TooManyReferrersError) Error() string {
	return e.Reason
}

// Referrers returns the artifacts that refer to an image, whatever their status, by
// one call of ListImageReferrers per page. With a tag, it first resolves the tag by a
// call of BatchGetImage. Artifact types, unless there are none, restrict the result.
// A digest that is not in the repository has no referrers.
//
// Every error is a *CallError. It wraps the API's error, an *InvalidResponseError, a
// *TooManyReferrersError or, with a tag, those of Client.ImageIndex but a
// *NotAnIndexError.
//
// See https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ListImageReferrers.html
func (c *Client) Referrers(ctx context.Context, repo Repository, ref ImageReference, artifactTypes []string) (*ImageReferrers, error) {
	result := &ImageReferrers{Repository: c.withRegion(repo), ImageDigest: ref.Digest}
	if ref.Tag != "" {
		found, err := c.getManifest(ctx, repo, ref)
		if err != nil {
			return nil, err
		}
		result.Repository, result.ImageDigest = found.repository, found.digest
	}
	input := &ecr.ListImageReferrersInput{
		Filter:         &types.ListImageReferrersFilter{ArtifactStatus: types.ArtifactStatusFilterAny, ArtifactTypes: artifactTypes},
		MaxResults:     aws.Int32(referrersPerPage),
		RepositoryName: aws.String(repo.Name),
		SubjectId:      &types.SubjectIdentifier{ImageDigest: aws.String(result.ImageDigest.String())},
	}
	if repo.RegistryID != "" {
		input.RegistryId = aws.String(repo.RegistryID)
	}
	for page := 1; page == 1 || aws.ToString(input.NextToken) != ""; page++ {
		if _, err := c.do(ctx, OperationReferrers, repo, result.ImageDigest.String(), func(ctx context.Context, options func(*ecr.Options)) error {
			output, err := c.ecr.ListImageReferrers(ctx, input, options)
			if err != nil {
				return err
			}
			if input.NextToken = output.NextToken; page == maxReferrerPages && aws.ToString(input.NextToken) != "" {
				return &TooManyReferrersError{Reason: fmt.Sprintf("the list of referrers has more than %d pages", maxReferrerPages)}
			}
			return result.add(output.Referrers)
		}); err != nil {
			return nil, err
		}
	}
	return result, nil
}

// add adds a page. The error is an *InvalidResponseError or a *TooManyReferrersError.
func (r *ImageReferrers) add(page []types.ImageReferrer) error {
	if len(r.Referrers)+len(page) > maxReferrers {
		return &TooManyReferrersError{Reason: fmt.Sprintf("the image has more than %d referrers", maxReferrers)}
	}
	for _, referrer := range page {
		d := digest.Digest(aws.ToString(referrer.Digest))
		if d.Validate() != nil || aws.ToInt64(referrer.Size) < 0 {
			return &InvalidResponseError{Reason: fmt.Sprintf("the response lists a referrer with the digest %s and a size of %d bytes", quote(d), aws.ToInt64(referrer.Size))}
		}
		for key, value := range referrer.Annotations {
			r.strings, r.bytes = r.strings+2, r.bytes+len(key)+len(value)
		}
		r.Referrers = append(r.Referrers, Referrer{
			Descriptor:   Descriptor{Digest: d, MediaType: aws.ToString(referrer.MediaType), Size: aws.ToInt64(referrer.Size), Annotations: referrer.Annotations},
			ArtifactType: aws.ToString(referrer.ArtifactType),
			Status:       string(referrer.ArtifactStatus),
		})
	}
	if r.strings > maxStrings || r.bytes > maxReferrerBytes {
		return &TooManyReferrersError{Reason: fmt.Sprintf("the annotations of the referrers have more than %d strings or %d bytes", maxStrings, maxReferrerBytes)}
	}
	return nil
}
