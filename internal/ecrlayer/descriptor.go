// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Descriptor describes a blob or a manifest that a manifest refers to.
//
// See https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md
type Descriptor struct {
	Digest    digest.Digest
	MediaType string
	// Size is in bytes.
	Size int64
	// URLs is where the blob can be downloaded other than from the registry.
	URLs        []string
	Annotations map[string]string
}

// foreignMediaTypes are the beginnings of the media types of layers that are not
// pushed to registries.
var foreignMediaTypes = []string{
	"application/vnd.docker.image.rootfs.foreign.diff.",
	"application/vnd.oci.image.layer.nondistributable.",
}

// IsForeign reports whether the descriptor is that of a foreign layer, which
// registries usually do not hold: it has URLs, or a foreign (Docker) or
// non-distributable (OCI) media type.
//
// See https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md#non-distributable-layers
func (d Descriptor) IsForeign() bool {
	for _, prefix := range foreignMediaTypes {
		if strings.HasPrefix(d.MediaType, prefix) {
			return true
		}
	}
	return len(d.URLs) > 0
}

func newDescriptor(d ocispec.Descriptor) Descriptor {
	return Descriptor{Digest: d.Digest, MediaType: d.MediaType, Size: d.Size, URLs: d.URLs, Annotations: d.Annotations}
}

// IndexManifest is an entry of an image index.
type IndexManifest struct {
	Descriptor
	// ArtifactType is empty if the index does not say.
	ArtifactType string
	// Platform is the platform as ParsePlatform reads it, with the version of the
	// operating system only where nothing else tells two images apart. It is empty
	// if the index does not say.
	Platform string
}
