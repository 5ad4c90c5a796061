// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"context"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"
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

// config is what ImageConfig shows of an image's config, and its platform.
type config struct {
	content  []byte
	platform ocispec.Platform
	// platformErr is what is wrong with the fields of platform that are not shown.
	platformErr error

	created               time.Time
	author                string
	labels                map[string]string
	env, entrypoint, cmd  []string
	user, workingDir      string
	exposedPorts, volumes []string
	stopSignal            string
	diffIDs               []digest.Digest
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
	err = c.download(ctx, repo, named, presigned.URL, func(content []byte) (err error) {
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
	found := &config{
		content:      content,
		created:      get[time.Time](root, "created"),
		author:       get[string](root, "author"),
		labels:       get[map[string]string](run, "Labels"),
		env:          get[[]string](run, "Env"),
		entrypoint:   get[[]string](run, "Entrypoint"),
		cmd:          get[[]string](run, "Cmd"),
		user:         get[string](run, "User"),
		workingDir:   get[string](run, "WorkingDir"),
		exposedPorts: run.keys("ExposedPorts"),
		volumes:      run.keys("Volumes"),
		stopSignal:   get[string](run, "StopSignal"),
	}
	for _, id := range get[[]string](root.object("rootfs"), "diff_ids") {
		parsed, err := ParseLayerDigest(id)
		if err != nil {
			return nil, &BrokenImageError{Reason: fmt.Sprintf("the config contains the diff_id %s, which is not a digest", quote(id))}
		}
		found.diffIDs = append(found.diffIDs, parsed)
	}
	hidden := object{&document{}, "", root.members}
	found.platform = ocispec.Platform{
		OS: get[string](root, "os"), Architecture: get[string](root, "architecture"), Variant: get[string](root, "variant"),
		OSVersion: get[string](hidden, "os.version"), OSFeatures: get[[]string](hidden, "os.features"),
	}
	found.platformErr = hidden.err
	if root.err != nil {
		return nil, &BrokenImageError{Reason: "the config cannot be read: " + root.err.Error()}
	}
	return found, nil
}
