// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// MaxConfigSize is the most bytes that an image's config may have: 8 MiB. Real
// ones have kilobytes.
const MaxConfigSize = 8 << 20

// ImageConfig is the config of an image: how to run it, its labels, and what its
// layers are when they are not compressed.
type ImageConfig struct {
	// Image is the image that the config belongs to.
	Image *Image

	// ConfigDigest is the digest of the config.
	ConfigDigest digest.Digest
	Architecture string
	OS           string
	// OSVersion is that of the operating system, usual for Windows only.
	OSVersion string
	Variant   string
	// Created is when the image was built, or the zero time if it does not tell.
	Created time.Time
	Author  string
	Labels  map[string]string
	// Env is the environment. Of a variable that is set twice the last value
	// counts; one without a "=" is empty; an entry without a name is left out.
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
	// Layers are the image's layers, lowest first, each by both of its digests.
	Layers []ConfigLayer
}

// ConfigLayer is a layer by both of its digests.
type ConfigLayer struct {
	// Digest is that of the blob, which can be downloaded.
	Digest digest.Digest
	// DiffID is that of what the blob holds, uncompressed. Nothing can be
	// downloaded by it.
	DiffID digest.Digest
}

// NotAnImageError is a config that is not an image's: the image is another kind
// of OCI artifact.
type NotAnImageError struct {
	// MediaType is the config's.
	MediaType string
	// ArtifactType is what the manifest is, empty if it does not tell.
	ArtifactType string
}

// Error returns the media type and the type of artifact.
func (e *NotAnImageError) Error() string {
	s := fmt.Sprintf("the config has the media type %q, which is not that of a container image", e.MediaType)
	if e.ArtifactType != "" && e.ArtifactType != e.MediaType {
		s += fmt.Sprintf("; the manifest is an artifact of type %q", e.ArtifactType)
	}
	return s
}

// ImageConfig reads the image as Client.Image does and then its config, by one
// call of GetDownloadUrlForLayer and one download. A platform is compared with
// the config's where nothing else tells what the image is for.
//
// The errors are those of Client.Image and, before anything of the config is
// asked for, *NotAnImageError and an *InvalidResponseError about a size over MaxConfigSize.
// What fails then is a *CallError, of OperationDownload if it is the download; it
// wraps a *DownloadError or an *InvalidResponseError.
func (c *Client) ImageConfig(ctx context.Context, repo Repository, ref ImageReference, platform string) (*ImageConfig, error) {
	asked, err := newMatcher(platform)
	if err != nil {
		return nil, err
	}
	image, err := c.image(ctx, repo, ref, asked)
	if err != nil {
		return nil, err
	}
	if !isImageConfig(image.Config.MediaType) {
		return nil, &NotAnImageError{MediaType: image.Config.MediaType, ArtifactType: image.ArtifactType}
	}
	if image.Config.Size > MaxConfigSize {
		return nil, &InvalidResponseError{Reason: fmt.Sprintf("the manifest says that the config has %d bytes, the most are %d", image.Config.Size, MaxConfigSize)}
	}
	presigned, err := c.DownloadURL(ctx, repo, image.Config.Digest)
	if err != nil {
		return nil, err
	}
	var config *ImageConfig
	err = c.download(ctx, repo, image.Config, presigned.URL, func(content []byte) (err error) {
		config, err = parseConfig(content, image)
		return err
	})
	if err != nil {
		return nil, err
	}
	if image.PlatformUnverified {
		if err := config.checkPlatform(asked); err != nil {
			return nil, err
		}
		image.PlatformUnverified = false
	}
	return config, nil
}

// checkPlatform returns a *PlatformError if the config is not that of an image
// for the platform asked for.
func (c *ImageConfig) checkPlatform(asked *matcher) error {
	own := ocispec.Platform{OS: c.OS, OSVersion: c.OSVersion, Architecture: c.Architecture, Variant: c.Variant}
	if !selectable(own) {
		return &PlatformError{Asked: asked.name, Reason: "nothing tells the platform of the image, its config included"}
	}
	_, err := choosePlatform([]ocispec.Descriptor{{Platform: &own}}, asked)
	return err
}

// parseConfig reads the config of image. Nothing in it is trusted.
func parseConfig(content []byte, image *Image) (*ImageConfig, error) {
	var read ocispec.Image
	if err := json.Unmarshal(content, &read); err != nil {
		return nil, &InvalidResponseError{Reason: fmt.Sprintf("the config cannot be read: %v", err)}
	}
	config := &ImageConfig{
		Image:        image,
		ConfigDigest: image.Config.Digest,
		Architecture: read.Architecture,
		OS:           read.OS,
		OSVersion:    read.OSVersion,
		Variant:      read.Variant,
		Author:       read.Author,
		Labels:       read.Config.Labels,
		Env:          parseEnv(read.Config.Env),
		Entrypoint:   read.Config.Entrypoint,
		Cmd:          read.Config.Cmd,
		User:         read.Config.User,
		WorkingDir:   read.Config.WorkingDir,
		ExposedPorts: slices.Sorted(maps.Keys(read.Config.ExposedPorts)),
		Volumes:      slices.Sorted(maps.Keys(read.Config.Volumes)),
		StopSignal:   read.Config.StopSignal,
		DiffIDs:      read.RootFS.DiffIDs,
	}
	if read.Created != nil {
		config.Created = *read.Created
	}
	if len(config.DiffIDs) != len(image.Layers) {
		return nil, &InvalidResponseError{Reason: fmt.Sprintf("the config names %d diff_ids and the manifest %d layers, so they cannot be paired", len(config.DiffIDs), len(image.Layers))}
	}
	for i, layer := range image.Layers {
		id, err := ParseLayerDigest(config.DiffIDs[i].String())
		if err != nil {
			return nil, &InvalidResponseError{Reason: fmt.Sprintf("the config holds the diff_id %q, which is not a digest", config.DiffIDs[i])}
		}
		config.Layers = append(config.Layers, ConfigLayer{Digest: layer.Digest, DiffID: id})
	}
	return config, nil
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
