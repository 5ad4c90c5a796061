// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"context"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
)

// ImageConfig is the config of an image: how to run it, its labels, and the
// digests of its uncompressed layers.
//
// See https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md
type ImageConfig struct {
	// Image is the image that the config belongs to.
	Image *Image

	// JSON is the config, byte for byte.
	JSON         string
	Architecture string
	OS           string
	Variant      string
	// Created is when the image was built, or the zero time if it does not say.
	Created time.Time
	Author  string
	Labels  map[string]string
	// Env is the environment. If a variable is set twice, the last value wins; one
	// without a "=" is empty; an entry without a name is left out.
	Env        map[string]string
	Entrypoint []string
	Cmd        []string
	User       string
	WorkingDir string
	// ExposedPorts are sorted, such as "53/udp" and "8080/tcp".
	ExposedPorts []string
	// Volumes are sorted.
	Volumes    []string
	StopSignal string
	// DiffIDs are the digests of the uncompressed layers, lowest first.
	DiffIDs []digest.Digest
	// Layers are the image's layers, lowest first, with both of their digests.
	Layers []ConfigLayer
}

// ConfigLayer is a layer with both of its digests.
type ConfigLayer struct {
	// Digest is the digest of the blob, which can be downloaded.
	Digest digest.Digest
	// DiffID is the digest of the uncompressed blob, which ECR does not know. It is
	// empty if the config has another number of diff_ids than the manifest has
	// layers, so that they cannot be paired.
	DiffID digest.Digest
}

// ImageConfig reads the image as Client.Image does and then its config, by one
// call of GetDownloadUrlForLayer and one download. If a platform is requested and
// no index says which one the manifest is for, the config must.
//
// The errors are those of Client.Image.
func (c *Client) ImageConfig(ctx context.Context, repo Repository, ref ImageReference, platform string) (*ImageConfig, error) {
	found, err := c.resolveImage(ctx, repo, ref, platform)
	if err != nil {
		return nil, err
	}
	config, err := c.getConfig(ctx, repo, found)
	if err != nil {
		return nil, err
	}
	return newImageConfig(config, found.image()), nil
}

// newImageConfig returns the config of image.
func newImageConfig(config *config, image *Image) *ImageConfig {
	result := &config.ImageConfig
	result.Image = image
	for i, layer := range image.Layers {
		paired := ConfigLayer{Digest: layer.Digest}
		if len(result.DiffIDs) == len(image.Layers) {
			paired.DiffID = result.DiffIDs[i]
		}
		result.Layers = append(result.Layers, paired)
	}
	return result
}

func parseEnv(entries []string) map[string]string {
	env := make(map[string]string, len(entries))
	for _, entry := range entries {
		if name, value, _ := strings.Cut(entry, "="); name != "" {
			env[name] = value
		}
	}
	return env
}
