// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/containerd/platforms"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// MaxManifestSize is the most bytes that a manifest may have: the 4 MiB that the
// OCI distribution specification wants every registry and client to take.
const MaxManifestSize = 4 << 20

// The media types that the OCI image specification does not name.
const (
	mediaTypeDockerManifest       = "application/vnd.docker.distribution.manifest.v2+json"
	mediaTypeDockerManifestList   = "application/vnd.docker.distribution.manifest.list.v2+json"
	mediaTypeDockerSchema1        = "application/vnd.docker.distribution.manifest.v1+json"
	mediaTypeDockerSchema1Signed  = "application/vnd.docker.distribution.manifest.v1+prettyjws"
	mediaTypeDockerConfig         = "application/vnd.docker.container.image.v1+json"
	mediaTypeSOCIIndexPrefix      = "application/vnd.amazon.soci.index."
	annotationDockerReferenceType = "vnd.docker.reference.type"
	dockerAttestationManifest     = "attestation-manifest"
)

// manifestMediaTypes is what ECR is asked for. With all of them it has no reason
// to convert a manifest, which would give it another digest. Schema 1 is among
// them so that an image of that kind can be told from one that does not exist.
var manifestMediaTypes = []string{
	ocispec.MediaTypeImageManifest,
	ocispec.MediaTypeImageIndex,
	mediaTypeDockerManifest,
	mediaTypeDockerManifestList,
	mediaTypeDockerSchema1,
	mediaTypeDockerSchema1Signed,
}

// Descriptor describes a blob that a manifest names.
type Descriptor struct {
	Digest      digest.Digest
	MediaType   string
	Size        int64
	Annotations map[string]string
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
	return fmt.Sprintf("%s (media type %q)", e.Reason, e.MediaType)
}

// manifest is an image manifest or an image index, OCI's or Docker's: the two
// differ in their media types only.
type manifest struct {
	SchemaVersion int                  `json:"schemaVersion"`
	MediaType     string               `json:"mediaType"`
	ArtifactType  string               `json:"artifactType"`
	Config        *ocispec.Descriptor  `json:"config"`
	Layers        []ocispec.Descriptor `json:"layers"`
	Manifests     []ocispec.Descriptor `json:"manifests"`
	Annotations   map[string]string    `json:"annotations"`
}

// parseManifest reads a manifest that is said to be of mediaType (empty if
// nothing is said) and to have the digest. Nothing in it is trusted. The error
// is an *InvalidResponseError or an *UnsupportedManifestError.
func parseManifest(content string, mediaType string, named digest.Digest) (*manifest, error) {
	if len(content) > MaxManifestSize {
		return nil, &InvalidResponseError{Reason: fmt.Sprintf("the manifest has %d bytes, the most are %d", len(content), MaxManifestSize)}
	}
	var m manifest
	err := json.Unmarshal([]byte(content), &m)
	// Schema 1 goes first: with its signatures it does not have its own digest.
	if isSchema1(mediaType) || (err == nil && (m.SchemaVersion == 1 || isSchema1(m.MediaType))) {
		if mediaType == "" {
			mediaType = m.MediaType
		}
		return nil, &UnsupportedManifestError{MediaType: mediaType,
			Reason: "the manifest has Docker's obsolete schema 1; push the image again with a newer Docker"}
	}
	if err := named.Validate(); err != nil {
		return nil, &InvalidResponseError{Reason: fmt.Sprintf("the answer names the manifest by %q, which is not a digest", named)}
	}
	if actual := named.Algorithm().FromString(content); actual != named {
		return nil, &InvalidResponseError{Reason: fmt.Sprintf("the manifest in the answer has the digest %s, not %s as the answer says", actual, named)}
	}
	if err != nil {
		return nil, &InvalidResponseError{Reason: fmt.Sprintf("the manifest cannot be read: %v", err)}
	}
	if m.MediaType != "" && mediaType != "" && m.MediaType != mediaType {
		return nil, &InvalidResponseError{Reason: fmt.Sprintf("the answer says that the manifest is of media type %q, the manifest says %q", mediaType, m.MediaType)}
	}
	if m.MediaType == "" {
		m.MediaType = mediaType
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	return &m, nil
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

// isIndex reports whether the manifest is an index of others.
func (m *manifest) isIndex() bool {
	return isIndexType(m.MediaType)
}

// check completes the media type, which OCI does not require of a manifest, and
// looks whether the manifest is what it says: an index or not, never both, with
// descriptors that describe.
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
			return &InvalidResponseError{Reason: "the manifest is an index that has a config or layers of its own"}
		}
		return checkDescriptors("manifest", m.Manifests)
	case isManifestType(m.MediaType):
		if m.Manifests != nil {
			return &InvalidResponseError{Reason: "the manifest is an image's and an index at once"}
		}
		if m.Config == nil {
			return &InvalidResponseError{Reason: "the manifest names no config"}
		}
		if err := checkDescriptors("config", []ocispec.Descriptor{*m.Config}); err != nil {
			return err
		}
		return checkDescriptors("layer", m.Layers)
	default:
		return &UnsupportedManifestError{MediaType: m.MediaType, Reason: "the manifest is neither an image manifest nor an image index"}
	}
}

func checkDescriptors(what string, descriptors []ocispec.Descriptor) error {
	for _, d := range descriptors {
		if _, err := ParseLayerDigest(d.Digest.String()); err != nil {
			return &InvalidResponseError{Reason: fmt.Sprintf("the manifest names a %s by %q, which is not a digest", what, d.Digest)}
		}
		if d.Size < 0 {
			return &InvalidResponseError{Reason: fmt.Sprintf("the manifest says that %s %s has %d bytes", what, d.Digest, d.Size)}
		}
	}
	return nil
}

// artifactType returns what the manifest's content is, empty for an image. A
// manifest without an artifactType of its own (a Helm chart's) tells by its
// config's media type, as OCI's list of referrers has it.
func (m *manifest) artifactType() string {
	if m.ArtifactType != "" || isImageConfig(m.Config.MediaType) || m.Config.MediaType == ocispec.MediaTypeEmptyJSON {
		return m.ArtifactType
	}
	return m.Config.MediaType
}

// isImageConfig reports whether a config of mediaType is that of an image that
// a container runtime can run.
func isImageConfig(mediaType string) bool {
	return mediaType == ocispec.MediaTypeImageConfig || mediaType == mediaTypeDockerConfig
}

// candidates returns those of an index's manifests that a user of the index can
// want: in withPlatform those that name their platform, in plain those that do
// not. Attestations, and artifacts that go with an image (signatures, SOCI
// indexes), are in neither; but in an index of artifacts alone (a program for
// several platforms, say) those are what is wanted. nested is whether the index
// names another index.
func (m *manifest) candidates() (withPlatform, plain []ocispec.Descriptor, nested bool) {
	var artifacts, plainArtifacts []ocispec.Descriptor
	for _, d := range m.Manifests {
		platformTold := d.Platform != nil && (d.Platform.OS != "" || d.Platform.Architecture != "")
		if !platformTold {
			d.Platform = nil
		}
		// Some tools give an image's descriptor its config's type.
		isArtifact := d.ArtifactType != "" && !isImageConfig(d.ArtifactType)
		switch {
		case isIndexType(d.MediaType):
			nested = true
		case !isManifestType(d.MediaType) && !isSchema1(d.MediaType),
			d.Annotations[annotationDockerReferenceType] == dockerAttestationManifest,
			strings.HasPrefix(d.ArtifactType, mediaTypeSOCIIndexPrefix),
			platformTold && !selectable(*d.Platform):
			// Not to be had by platform.
		case platformTold && isArtifact:
			artifacts = append(artifacts, d)
		case platformTold:
			withPlatform = append(withPlatform, d)
		case isArtifact:
			plainArtifacts = append(plainArtifacts, d)
		default:
			plain = append(plain, d)
		}
	}
	if len(withPlatform) == 0 && len(plain) == 0 {
		return artifacts, plainArtifacts, nested
	}
	return withPlatform, plain, nested
}

// selectable reports whether ParsePlatform gives the platform for some string.
// It does not for the unknown/unknown of an attestation.
func selectable(platform ocispec.Platform) bool {
	if platform.OS == "" || platform.OS == "unknown" || platform.Architecture == "" || platform.Architecture == "unknown" {
		return false
	}
	parsed, err := ParsePlatform(platforms.FormatAll(platform))
	if err != nil {
		return false
	}
	parsed, platform = platforms.Normalize(parsed), platforms.Normalize(platform)
	return parsed.OS == platform.OS && parsed.OSVersion == platform.OSVersion &&
		parsed.Architecture == platform.Architecture && parsed.Variant == platform.Variant
}

// choose returns the manifest of an index that asked (nil if nothing was) calls
// for. Its platform is nil where the index does not tell.
func (m *manifest) choose(asked *matcher) (ocispec.Descriptor, error) {
	withPlatform, plain, nested := m.candidates()
	if len(withPlatform) > 0 && (asked != nil || !nested) {
		chosen, err := choosePlatform(withPlatform, asked)
		if err == nil || !nested {
			return chosen, err
		}
	}
	switch {
	case nested:
		return ocispec.Descriptor{}, &UnsupportedManifestError{MediaType: m.MediaType, Reason: nestedIndex}
	case len(plain) == 1:
		return plain[0], nil
	case len(plain) > 1:
		failure := &PlatformError{Reason: fmt.Sprintf("the index names %d manifests and the platform of none", len(plain))}
		if asked != nil {
			failure.Asked = asked.name
		}
		return ocispec.Descriptor{}, failure
	default:
		return ocispec.Descriptor{}, &UnsupportedManifestError{MediaType: m.MediaType, Reason: "the index names no image"}
	}
}

const nestedIndex = "the index names another index, where a manifest is wanted; ask for that index, or for a manifest in it, by digest"
