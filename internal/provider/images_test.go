// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	v1types "github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/opencontainers/go-digest"
)

// must returns a function that unwraps a result and fails the test on an error.
func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// newImage returns a Docker image of random layers for a platform, with every field
// of a config.
func newImage(t *testing.T, layers int64, platform string) v1.Image {
	t.Helper()
	image := must[v1.Image](t)(random.Image(64, layers))
	config := must[*v1.ConfigFile](t)(image.ConfigFile()).DeepCopy()
	p := must[*v1.Platform](t)(v1.ParsePlatform(platform))
	config.OS, config.Architecture, config.Variant = p.OS, p.Architecture, p.Variant
	config.Created = v1.Time{Time: time.Date(2026, 3, 4, 5, 6, 7, 890_000_000, time.UTC)}
	config.Author = "somebody"
	config.Config = v1.Config{
		Labels:       map[string]string{"org.opencontainers.image.title": "app", "platform": platform, "empty": ""},
		Env:          []string{"PATH=/usr/bin:/bin", "MODE=a=b"},
		Entrypoint:   []string{"/app"},
		Cmd:          []string{"serve", "--all"},
		User:         "nobody",
		WorkingDir:   "/srv",
		ExposedPorts: map[string]struct{}{"8080/tcp": {}, "53/udp": {}},
		Volumes:      map[string]struct{}{"/var/lib/app": {}},
		StopSignal:   "SIGTERM",
	}
	return must[v1.Image](t)(mutate.ConfigFile(image, config))
}

// toOCI converts a Docker image to an OCI image.
func toOCI(image v1.Image) v1.Image {
	return mutate.ConfigMediaType(mutate.MediaType(image, v1types.OCIManifestSchema1), v1types.OCIConfigJSON)
}

// newIndex returns an index of images, in this order, with their platforms.
func newIndex(t *testing.T, mediaType v1types.MediaType, images ...v1.Image) v1.ImageIndex {
	t.Helper()
	index := mutate.IndexMediaType(empty.Index, mediaType)
	for _, image := range images {
		platform := must[*v1.ConfigFile](t)(image.ConfigFile()).Platform()
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: platform}})
	}
	return index
}

// newNestedIndex returns an index of an index, which has the platform of an image, with
// that image and its attestation.
func newNestedIndex(t *testing.T, image v1.Image) v1.ImageIndex {
	t.Helper()
	inner := mutate.AppendManifests(newIndex(t, v1types.OCIImageIndex, image), newAttestation(t, image))
	platform := must[*v1.ConfigFile](t)(image.ConfigFile()).Platform()
	return mutate.AppendManifests(newIndex(t, v1types.OCIImageIndex), mutate.IndexAddendum{Add: inner, Descriptor: v1.Descriptor{Platform: platform}})
}

var indexPlatforms = []string{"linux/amd64", "linux/arm64/v8", "linux/arm/v7"}

// newMultiArchIndex returns an index as BuildKit and the SOCI snapshotter write it:
// an image and its attestation for each of indexPlatforms, and a SOCI index.
func newMultiArchIndex(t *testing.T) v1.ImageIndex {
	t.Helper()
	index := mutate.IndexMediaType(empty.Index, v1types.OCIImageIndex)
	for _, platform := range indexPlatforms {
		image := toOCI(newImage(t, 2, platform))
		index = mutate.AppendManifests(index,
			mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: must[*v1.Platform](t)(v1.ParsePlatform(platform))}},
			newAttestation(t, image))
	}
	const sociType = "application/vnd.amazon.soci.index.v2+json"
	soci := mutate.ConfigMediaType(mutate.MediaType(empty.Image, v1types.OCIManifestSchema1), sociType)
	index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: soci, Descriptor: v1.Descriptor{
		Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}, ArtifactType: sociType,
	}})
	annotated, ok := mutate.Annotations(index, map[string]string{"of": "the index"}).(v1.ImageIndex)
	if !ok {
		t.Fatal("an annotated index is no index")
	}
	return annotated
}

func newAttestation(t *testing.T, image v1.Image) mutate.IndexAddendum {
	t.Helper()
	attestation := must[v1.Image](t)(mutate.Append(toOCI(empty.Image), mutate.Addendum{
		Layer:       static.NewLayer([]byte(`{"_type":"https://in-toto.io/Statement/v0.1"}`), "application/vnd.in-toto+json"),
		Annotations: map[string]string{"in-toto.io/predicate-type": "https://slsa.dev/provenance/v0.2"},
	}))
	return mutate.IndexAddendum{Add: attestation, Descriptor: v1.Descriptor{
		Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"},
		Annotations: map[string]string{
			"vnd.docker.reference.type":   "attestation-manifest",
			"vnd.docker.reference.digest": must[v1.Hash](t)(image.Digest()).String(),
		},
	}}
}

const helmConfig = "application/vnd.cncf.helm.config.v1+json"

// newArtifact returns an artifact such as a Helm chart: files by title.
func newArtifact(t *testing.T, files map[string]string) v1.Image {
	t.Helper()
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, v1types.OCIManifestSchema1), helmConfig)
	for _, title := range slices.Sorted(maps.Keys(files)) {
		image = must[v1.Image](t)(mutate.Append(image, mutate.Addendum{
			Layer:       static.NewLayer([]byte(files[title]), "application/vnd.cncf.helm.chart.content.v1.tar+gzip"),
			Annotations: map[string]string{"org.opencontainers.image.title": title},
		}))
	}
	annotated, ok := mutate.Annotations(image, map[string]string{"org.opencontainers.image.version": "1.0.0"}).(v1.Image)
	if !ok {
		t.Fatal("the annotated artifact is not an image")
	}
	return annotated
}

// newDuplicateLayerImage returns an image with a duplicate layer.
func newDuplicateLayerImage(t *testing.T) v1.Image {
	t.Helper()
	layer := must[v1.Layer](t)(random.Layer(64, v1types.DockerLayer))
	return must[v1.Image](t)(mutate.AppendLayers(newImage(t, 1, "linux/amd64"), layer, layer))
}

// reference returns a reference to a tag in repository.
func (e *env) reference(t *testing.T, account, region, tag string) name.Reference {
	t.Helper()
	host := strings.TrimPrefix(e.server.URL, "http://")
	return must[name.Reference](t)(name.ParseReference(e.Reference(host, account, region, repository) + ":" + tag))
}

// push pushes an image or an index to repository.
func (e *env) push(t *testing.T, tag string, content remote.Taggable) {
	t.Helper()
	e.pushTo(t, account, region, tag, content)
}

// pushTo pushes to repository in another account or region.
func (e *env) pushTo(t *testing.T, account, region, tag string, content remote.Taggable) {
	t.Helper()
	if err := remote.Push(e.reference(t, account, region, tag), content, remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// putFile stores a blob, and returns its descriptor.
func (e *env) putFile(mediaType v1types.MediaType, content string) v1.Descriptor {
	d := e.PutBlob(account, region, repository, []byte(content))
	return v1.Descriptor{MediaType: mediaType, Digest: v1.Hash{Algorithm: string(d.Algorithm()), Hex: d.Encoded()}, Size: int64(len(content))}
}

// putManifest stores a manifest or an index, and returns its descriptor.
func (e *env) putManifest(t *testing.T, tag string, mediaType v1types.MediaType, manifest any) v1.Descriptor {
	t.Helper()
	raw := must[[]byte](t)(json.Marshal(manifest))
	d := e.PutManifest(account, region, repository, tag, string(mediaType), raw)
	return v1.Descriptor{MediaType: mediaType, Digest: v1.Hash{Algorithm: string(d.Algorithm()), Hex: d.Encoded()}, Size: int64(len(raw))}
}

// putConfig stores an image with this config and layers, and returns the layers' digests.
func (e *env) putConfig(t *testing.T, tag, config string, layers ...string) (digests []string) {
	t.Helper()
	m := v1.Manifest{SchemaVersion: 2, MediaType: v1types.OCIManifestSchema1, Config: e.putFile(v1types.OCIConfigJSON, config)}
	for _, layer := range layers {
		d := e.putFile(v1types.OCILayer, layer)
		m.Layers, digests = append(m.Layers, d), append(digests, d.Digest.String())
	}
	e.putManifest(t, tag, m.MediaType, m)
	return digests
}

// putArtifact stores a manifest without a tag, with an empty config, and returns its
// descriptor.
func (e *env) putArtifact(t *testing.T, m v1.Manifest) v1.Descriptor {
	t.Helper()
	m.SchemaVersion, m.MediaType, m.Config = 2, v1types.OCIManifestSchema1, e.putFile("application/vnd.oci.empty.v1+json", "{}")
	d := e.putManifest(t, "", m.MediaType, m)
	d.ArtifactType, d.Annotations = m.ArtifactType, m.Annotations
	return d
}

// pulledImage is an image in repository, as go-containerregistry pulls it.
type pulledImage struct {
	imageDigest    string
	manifestDigest string
	manifestSize   int64
	mediaType      string
	manifest       *v1.Manifest
	config         *v1.ConfigFile
	layers         []v1.Layer
}

func (e *env) pull(t *testing.T, tag, platform string) pulledImage {
	t.Helper()
	options := []remote.Option{remote.WithContext(t.Context())}
	if platform != "" {
		options = append(options, remote.WithPlatform(*must[*v1.Platform](t)(v1.ParsePlatform(platform))))
	}
	descriptor := must[*remote.Descriptor](t)(remote.Get(e.reference(t, account, region, tag), options...))
	image := must[v1.Image](t)(descriptor.Image())
	pulled := pulledImage{
		imageDigest:    descriptor.Digest.String(),
		manifestDigest: must[v1.Hash](t)(image.Digest()).String(),
		manifestSize:   must[int64](t)(image.Size()),
		mediaType:      string(must[v1types.MediaType](t)(image.MediaType())),
		manifest:       must[*v1.Manifest](t)(image.Manifest()),
		layers:         must[[]v1.Layer](t)(image.Layers()),
	}
	if pulled.manifest.Config.MediaType.IsConfig() {
		pulled.config = must[*v1.ConfigFile](t)(image.ConfigFile())
	}
	return pulled
}

func exactList(values []string) knownvalue.Check {
	checks := make([]knownvalue.Check, len(values))
	for i, value := range values {
		checks[i] = knownvalue.StringExact(value)
	}
	return knownvalue.ListExact(checks)
}

func exactMap(values map[string]string) knownvalue.Check {
	checks := map[string]knownvalue.Check{}
	for key, value := range values {
		checks[key] = knownvalue.StringExact(value)
	}
	return knownvalue.MapExact(checks)
}

func exactOrNull(value string) knownvalue.Check {
	if value == "" {
		return knownvalue.Null()
	}
	return knownvalue.StringExact(value)
}

func descriptorChecks(d v1.Descriptor) map[string]knownvalue.Check {
	return map[string]knownvalue.Check{
		"digest":      knownvalue.StringExact(d.Digest.String()),
		"media_type":  knownvalue.StringExact(string(d.MediaType)),
		"size":        knownvalue.Int64Exact(d.Size),
		"annotations": exactMap(d.Annotations),
	}
}

func exactDescriptor(d v1.Descriptor) knownvalue.Check {
	return knownvalue.ObjectExact(descriptorChecks(d))
}

func exactLayer(d v1.Descriptor) knownvalue.Check {
	checks := descriptorChecks(d)
	checks["urls"] = exactList(d.URLs)
	return knownvalue.ObjectExact(checks)
}

// hasDigest checks the digest of a string.
func hasDigest(want string) knownvalue.Check {
	return knownvalue.StringFunc(func(s string) error {
		if got := digest.FromString(s).String(); got != want {
			return fmt.Errorf("the digest is %s, want %s", got, want)
		}
		return nil
	})
}
