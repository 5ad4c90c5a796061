// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"context"

	"github.com/opencontainers/go-digest"
)

// MaxBlobSize is the most bytes of a blob that Client.Blob returns: 4 MiB.
const MaxBlobSize = 4 << 20

// Blob returns the content of a blob, such as a layer or a config, by one call of
// GetDownloadUrlForLayer and one download. The content has the blob's digest.
//
// Every error is a *CallError. It wraps those of Client.DownloadURL, a *DownloadError, an
// *InvalidResponseError or, for a blob of more than MaxBlobSize bytes, a
// *BlobTooLargeError.
func (c *Client) Blob(ctx context.Context, repo Repository, blob digest.Digest) (content []byte, err error) {
	presigned, err := c.DownloadURL(ctx, repo, blob)
	if err != nil {
		return nil, err
	}
	err = c.download(ctx, repo, Descriptor{Digest: blob, Size: unknownSize}, MaxBlobSize, presigned.URL, func(downloaded []byte) error {
		content = downloaded
		return nil
	})
	return content, err
}
