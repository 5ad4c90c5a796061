// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"cmp"
	"fmt"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// MaxManifestSize is the most bytes of a manifest: the 4 MiB that the OCI
// distribution specification recommends.
//
// See https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-manifests
const MaxManifestSize = 4 << 20

// The media types that the OCI image specification does not define.
const (
	mediaTypeDockerManifest      = "application/vnd.docker.distribution.manifest.v2+json"
	mediaTypeDockerManifestList  = "application/vnd.docker.distribution.manifest.list.v2+json"
	mediaTypeDockerSchema1       = "application/vnd.docker.distribution.manifest.v1+json"
	mediaTypeDockerSchema1Signed = "application/vnd.docker.distribution.manifest.v1+prettyjws"
	mediaTypeDockerConfig        = "application/vnd.docker.container.image.v1+json"
)

// manifestMediaTypes is what requests accept. With all of them, ECR has no reason
// to convert a manifest, which would change its digest. Schema 1 is among them so
// that such an image is not taken for a missing one.
var manifestMediaTypes = []string{
	ocispec.MediaTypeImageManifest,
	ocispec.MediaTypeImageIndex,
	mediaTypeDockerManifest,
	mediaTypeDockerManifestList,
	mediaTypeDockerSchema1,
	mediaTypeDockerSchema1Signed,
}

// UnsupportedManifestError is a manifest of a kind that cannot be read.
type UnsupportedManifestError struct {
	// MediaType is the manifest's.
	MediaType string
	// Reason says what is wrong with it, as a clause.
	Reason string
}

// Error returns the reason and the media type.
func (e *UnsupportedManifestError) Error() string {
	return fmt.Sprintf("%s (media type %s)", e.Reason, quote(e.MediaType))
}

// manifest is an image manifest or an image index, OCI's or Docker's, which
// differ only in their media types.
type manifest struct {
	MediaType    string
	ArtifactType string
	Config       *ocispec.Descriptor
	Layers       []ocispec.Descriptor
	Manifests    []ocispec.Descriptor
	Annotations  map[string]string
}

// parseManifest parses a manifest. mediaType (which may be empty) and named are
// its media type and digest according to the response. The error is an
// *InvalidResponseError, a *BrokenImageError or an *UnsupportedManifestError.
func parseManifest(content string, mediaType string, named digest.Digest) (*manifest, error) {
	var (
		m       = &manifest{}
		err     = fmt.Errorf("it has %d bytes, and the maximum is %d", len(content), MaxManifestSize)
		schema1 = isSchema1(mediaType)
	)
	if len(content) <= MaxManifestSize {
		read := parseObject([]byte(content))
		m = read.manifest()
		err = read.err
		schema1 = schema1 || isSchema1(m.MediaType) || string(read.members["schemaVersion"]) == "1"
	}
	// Schema 1 goes first, because a signed one is not what its digest is of.
	if schema1 {
		return nil, &UnsupportedManifestError{MediaType: cmp.Or(mediaType, m.MediaType), Reason: "the manifest has Docker's obsolete schema 1"}
	}
	if err := named.Validate(); err != nil {
		return nil, &InvalidResponseError{Reason: fmt.Sprintf("the response identifies the manifest by %s, which is not a digest", quote(named))}
	}
	if actual := named.Algorithm().FromString(content); actual != named {
		return nil, &InvalidResponseError{Reason: fmt.Sprintf("the manifest in the response has the digest %s instead of %s", actual, named)}
	}
	if err != nil {
		return nil, &BrokenImageError{Reason: "the manifest cannot be read: " + err.Error()}
	}
	if m.MediaType != "" && mediaType != "" && m.MediaType != mediaType {
		return nil, &InvalidResponseError{Reason: fmt.Sprintf("the response gives the manifest the media type %s, and the manifest itself %s", quote(mediaType), quote(m.MediaType))}
	}
	m.MediaType = cmp.Or(m.MediaType, mediaType)
	if err := m.check(); err != nil {
		return nil, err
	}
	return m, nil
}

func (o object) manifest() *manifest {
	m := &manifest{
		MediaType:    get[string](o, "mediaType"),
		ArtifactType: get[string](o, "artifactType"),
		Layers:       descriptors(o.list("layers")),
		Manifests:    descriptors(o.list("manifests")),
		Annotations:  get[map[string]string](o, "annotations"),
	}
	if o.has("config") {
		m.Config = &descriptors([]object{o.object("config")})[0]
	}
	return m
}

// descriptors returns what objects describe, nil if objects is nil.
func descriptors(objects []object) []ocispec.Descriptor {
	var all []ocispec.Descriptor
	if objects != nil {
		all = make([]ocispec.Descriptor, len(objects))
	}
	for i, o := range objects {
		all[i] = ocispec.Descriptor{
			MediaType:    get[string](o, "mediaType"),
			Digest:       o.digest("digest"),
			Size:         o.size("size"),
			URLs:         get[[]string](o, "urls"),
			Annotations:  get[map[string]string](o, "annotations"),
			ArtifactType: get[string](o, "artifactType"),
		}
		if o.has("platform") {
			platform := o.object("platform").platform()
			all[i].Platform = &platform
		}
	}
	return all
}

// platform returns the platform that the members of an object are, in a descriptor
// or in a config.
func (o object) platform() ocispec.Platform {
	return ocispec.Platform{
		Architecture: get[string](o, "architecture"),
		OS:           get[string](o, "os"),
		OSVersion:    get[string](o, "os.version"),
		OSFeatures:   get[[]string](o, "os.features"),
		Variant:      get[string](o, "variant"),
	}
}

func isSchema1(mediaType string) bool {
	return mediaType == mediaTypeDockerSchema1 || mediaType == mediaTypeDockerSchema1Signed
}

func isIndexType(mediaType string) bool {
	return mediaType == ocispec.MediaTypeImageIndex || mediaType == mediaTypeDockerManifestList
}

func isManifestType(mediaType string) bool {
	return mediaType == ocispec.MediaTypeImageManifest || mediaType == mediaTypeDockerManifest
}

// isIndex reports whether the manifest is an image index.
func (m *manifest) isIndex() bool {
	return isIndexType(m.MediaType)
}

// check sets the media type, which is optional in OCI, and returns an error
// unless the manifest is either an image manifest or an index.
func (m *manifest) check() error {
	if m.MediaType == "" {
		m.MediaType = ocispec.MediaTypeImageManifest
		if m.Manifests != nil {
			m.MediaType = ocispec.MediaTypeImageIndex
		}
	}
	switch {
	case m.isIndex():
		if m.Config != nil || m.Layers != nil {
			return &BrokenImageError{Reason: "the manifest is an index with a config or layers of its own"}
		}
	case isManifestType(m.MediaType):
		if m.Manifests != nil {
			return &BrokenImageError{Reason: "the manifest is both an image manifest and an index"}
		}
		if m.Config == nil {
			return &BrokenImageError{Reason: "the manifest names no config"}
		}
	default:
		return &UnsupportedManifestError{MediaType: m.MediaType, Reason: "the manifest is neither an image manifest nor an image index"}
	}
	return nil
}

// artifactType returns the artifact type of an image manifest, empty for an
// image. Without an artifactType of its own, as in a Helm chart, it is the
// config's media type.
//
// See https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers
func (m *manifest) artifactType() string {
	if m.ArtifactType != "" || isImageConfig(m.Config.MediaType) || m.Config.MediaType == ocispec.MediaTypeEmptyJSON {
		return m.ArtifactType
	}
	return m.Config.MediaType
}

// isImageConfig reports whether a config of mediaType is an image's. Old tools
// pushed images with the last four types, which Docker reads as images, too.
//
// See https://github.com/distribution/distribution/issues/1621
func isImageConfig(mediaType string) bool {
	switch mediaType {
	case ocispec.MediaTypeImageConfig, mediaTypeDockerConfig,
		"application/octet-stream", "application/json", "text/html", "":
		return true
	}
	return false
}
