// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"context"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/redact"
)

// NotAnImageError is a config that is not an image's: the image is another kind
// of OCI artifact.
type NotAnImageError struct {
	// MediaType is the config's.
	MediaType string
	// ArtifactType is the manifest's, empty if it does not say.
	ArtifactType string
}

// Error returns the media type and the artifact type.
func (e *NotAnImageError) Error() string {
	s := "the config has the media type " + quote(e.MediaType) + ", which is not that of a container image"
	if e.ArtifactType != "" && e.ArtifactType != e.MediaType {
		s += "; the manifest is an artifact of type " + quote(e.ArtifactType)
	}
	return s
}

// config is an image's config.
type config struct {
	ocispec.Image
	content []byte
}

// getConfig returns the config that a manifest names by one call of
// GetDownloadUrlForLayer and one download. With a config that is not an image's
// or too large it returns a *NotAnImageError or a *BrokenImageError, and makes no
// call. A failed call is a *CallError; that of the download wraps a
// *DownloadError, an *InvalidResponseError or a *BrokenImageError.
func (c *Client) getConfig(ctx context.Context, repo Repository, named Descriptor, artifactType string) (*config, error) {
	if !isImageConfig(named.MediaType) {
		return nil, &NotAnImageError{MediaType: named.MediaType, ArtifactType: artifactType}
	}
	if named.Size > MaxConfigSize {
		return nil, &BrokenImageError{Reason: fmt.Sprintf("the manifest gives the config a size of %d bytes, and the maximum is %d", named.Size, MaxConfigSize)}
	}
	presigned, err := c.DownloadURL(ctx, repo, named.Digest)
	if err != nil {
		return nil, err
	}
	var found *config
	err = c.download(ctx, repo, named, presigned.URL, func(content []byte) (err error) {
		found, err = parseConfig(content)
		return err
	})
	return found, err
}

// parseConfig parses a config, which must be UTF-8 (RFC 8259, section 8.1). The
// error is a *BrokenImageError.
func parseConfig(content []byte) (*config, error) {
	found := &config{content: content}
	if err := json.Unmarshal(content, &found.Image); err != nil {
		return nil, &BrokenImageError{Reason: "the config cannot be read: " + redact.Line(err.Error(), maxQuoted)}
	}
	if !utf8.Valid(content) {
		return nil, &BrokenImageError{Reason: "the config is not valid UTF-8"}
	}
	for _, id := range found.RootFS.DiffIDs {
		if _, err := ParseLayerDigest(id.String()); err != nil {
			return nil, &BrokenImageError{Reason: fmt.Sprintf("the config contains the diff_id %s, which is not a digest", quote(id))}
		}
	}
	return found, nil
}
