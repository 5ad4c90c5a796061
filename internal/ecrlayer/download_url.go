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
)

const operationDownloadURL = "GetDownloadUrlForLayer"

// DownloadURL is a pre-signed URL of one layer.
type DownloadURL struct {
	// URL is what ECR answered, byte for byte. Whoever has it can download the
	// layer until it expires: it is a credential.
	URL string
	// LayerDigest is the digest of what the URL leads to.
	LayerDigest digest.Digest
	// ExpiresAt is when the URL stops working, in UTC, or the zero time if the
	// URL does not tell.
	ExpiresAt time.Time
}

// DownloadURL returns a pre-signed URL of a layer (or of an image's config) by
// one call of GetDownloadUrlForLayer. The error is a *CallError; it wraps an
// *InvalidResponseError when ECR answered without a URL or about another digest.
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
	err := c.do(ctx, operationDownloadURL, repo, layer.String(), func(ctx context.Context, options func(*ecr.Options)) error {
		output, err := c.ecr.GetDownloadUrlForLayer(ctx, input, options)
		if err != nil {
			return err
		}
		if err := checkDownloadURL(output, layer); err != nil {
			return err
		}
		addURLSecrets(aws.ToString(output.DownloadUrl))
		result.URL = aws.ToString(output.DownloadUrl)
		result.LayerDigest = layer
		result.ExpiresAt, _ = URLExpiry(result.URL)
		return nil
	})
	return result, err
}

func checkDownloadURL(output *ecr.GetDownloadUrlForLayerOutput, asked digest.Digest) error {
	if answered := aws.ToString(output.LayerDigest); answered != asked.String() {
		return &InvalidResponseError{Reason: fmt.Sprintf("the answer is about layer digest %q, not about the one that was asked for", answered)}
	}
	return checkURL(aws.ToString(output.DownloadUrl))
}
