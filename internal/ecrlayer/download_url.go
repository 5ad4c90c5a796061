// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/redact"
)

const operationDownloadURL = "GetDownloadUrlForLayer"

// DownloadURL is a pre-signed URL of a layer.
type DownloadURL struct {
	// URL is the URL, byte for byte as ECR returned it. It is a credential: whoever
	// has it can download the layer until it expires.
	URL string
	// LayerDigest is the digest of the layer.
	LayerDigest digest.Digest
	// ExpiresAt is when the URL expires, in UTC, or the zero time if it carries no
	// expiry.
	ExpiresAt time.Time
}

// DownloadURL returns a pre-signed URL of a layer or of an image's config by one
// call of GetDownloadUrlForLayer. The error is a *CallError; it wraps an
// *InvalidResponseError if the response has no URL or another digest.
//
// See https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetDownloadUrlForLayer.html
func (c *Client) DownloadURL(ctx context.Context, repo Repository, layer digest.Digest) (DownloadURL, error) {
	input := &ecr.GetDownloadUrlForLayerInput{
		LayerDigest:    aws.String(layer.String()),
		RepositoryName: aws.String(repo.Name),
	}
	if repo.RegistryID != "" {
		input.RegistryId = aws.String(repo.RegistryID)
	}

	var result DownloadURL
	_, err := c.do(ctx, operationDownloadURL, repo, layer.String(), func(ctx context.Context, options func(*ecr.Options)) error {
		output, err := c.ecr.GetDownloadUrlForLayer(ctx, input, options)
		if err != nil {
			return err
		}
		presigned := aws.ToString(output.DownloadUrl)
		redact.Signatures(presigned)
		if returned := aws.ToString(output.LayerDigest); returned != layer.String() {
			return &InvalidResponseError{Reason: fmt.Sprintf("the response is about layer digest %s instead of the requested one", quote(returned))}
		}
		if err := checkURL(presigned); err != nil {
			return err
		}
		result = DownloadURL{URL: presigned, LayerDigest: layer}
		result.ExpiresAt, _ = urlExpiry(presigned)
		return nil
	})
	return result, err
}
