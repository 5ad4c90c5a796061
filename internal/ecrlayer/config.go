// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"context"
	"fmt"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
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

// config is an image's config, without what is the image's.
type config struct {
	ImageConfig
	platform ocispec.Platform
	// platformErr is what is wrong with the fields of platform that are not shown.
	platformErr error
}

// getConfig returns the config of an image by one call of GetDownloadUrlForLayer
// and one download. If its platform is still to be compared with the requested
// one, another platform is a *PlatformError. With a config that is not an image's
// or too large, it returns a *NotAnImageError or a *BrokenImageError, and makes no
// call. Every error is a *CallError.
func (c *Client) getConfig(ctx context.Context, repo Repository, image *resolvedImage) (*config, error) {
	named := newDescriptor(*image.manifest.Config)
	if !isImageConfig(named.MediaType) {
		return nil, image.manifest.call.fail(&NotAnImageError{MediaType: named.MediaType, ArtifactType: image.manifest.artifactType()})
	}
	if named.Size > MaxConfigSize {
		return nil, image.manifest.call.fail(&BrokenImageError{Reason: fmt.Sprintf("the manifest gives the config a size of %d bytes, and the maximum is %d", named.Size, MaxConfigSize)})
	}
	presigned, err := c.DownloadURL(ctx, repo, named.Digest)
	if err != nil {
		return nil, err
	}
	var found *config
	err = c.download(ctx, repo, named, MaxConfigSize, presigned.URL, func(content []byte) (err error) {
		if found, err = parseConfig(content); err == nil && image.unverified != nil {
			err = image.unverified.check(found)
		}
		return err
	})
	return found, err
}

// parseConfig reads of a config what is shown. The error is a *BrokenImageError.
func parseConfig(content []byte) (*config, error) {
	root := parseObject(content)
	run := root.object("config")
	found := &config{ImageConfig: ImageConfig{
		JSON:         string(content),
		Architecture: get[string](root, "architecture"),
		OS:           get[string](root, "os"),
		Variant:      get[string](root, "variant"),
		Created:      get[time.Time](root, "created"),
		Author:       get[string](root, "author"),
		Labels:       get[map[string]string](run, "Labels"),
		Env:          parseEnv(get[[]string](run, "Env")),
		Entrypoint:   get[[]string](run, "Entrypoint"),
		Cmd:          get[[]string](run, "Cmd"),
		User:         get[string](run, "User"),
		WorkingDir:   get[string](run, "WorkingDir"),
		ExposedPorts: run.keys("ExposedPorts"),
		Volumes:      run.keys("Volumes"),
		StopSignal:   get[string](run, "StopSignal"),
	}}
	for i, id := range get[[]string](root.object("rootfs"), "diff_ids") {
		found.DiffIDs = append(found.DiffIDs, root.parseDigest(fmt.Sprintf("rootfs.diff_ids[%d]", i), id))
	}
	hidden := object{&document{}, "", root.members}
	found.platform = ocispec.Platform{
		OS: found.OS, Architecture: found.Architecture, Variant: found.Variant,
		OSVersion: get[string](hidden, "os.version"), OSFeatures: get[[]string](hidden, "os.features"),
	}
	found.platformErr = hidden.err
	if root.err != nil {
		return nil, &BrokenImageError{Reason: "the config cannot be read: " + root.err.Error()}
	}
	return found, nil
}
