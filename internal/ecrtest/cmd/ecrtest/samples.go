// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

const (
	spdxType = "application/spdx+json"
	titleKey = "org.opencontainers.image.title"
)

// sampleSBOM and sampleProvenance are what the examples read of the two formats.
var (
	sampleSBOM = map[string]any{
		"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": "app", "packages": []map[string]string{
			{"SPDXID": "SPDXRef-app", "name": "app", "versionInfo": "1.0", "licenseDeclared": "Apache-2.0"},
			{"SPDXID": "SPDXRef-musl", "name": "musl", "versionInfo": "1.2.5", "licenseDeclared": "MIT"},
		},
	}
	sampleProvenance = map[string]any{
		"buildType": "https://mobyproject.org/buildkit@v1", "builder": map[string]string{"id": ""},
		"invocation": map[string]any{"configSource": map[string]string{"uri": "https://github.com/example/app.git#refs/tags/v1.0", "entryPoint": "Dockerfile"}},
	}
)

// pushSamples pushes an index with attestations and an SBOM, an image, a Helm chart and an
// artifact, and returns the digest of a layer of team/app.
func pushSamples(e *ecrtest.Endpoint) string {
	app := repository{e, "team/app"}
	var layer string
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	for i, architecture := range []string{"amd64", "arm64"} {
		image, layers := app.image("", architecture)
		image.Platform, layer = &v1.Platform{Architecture: architecture, OS: "linux"}, layers[0].Digest.String()
		index.Manifests = slices.Insert(index.Manifests, i, image) // BuildKit lists attestations last.
		index.Manifests = append(index.Manifests, app.attestation(image))
	}
	subject := app.put("1.0", index.MediaType, index)
	app.push("", v1.Manifest{
		ArtifactType: spdxType, Config: app.blob("application/vnd.oci.empty.v1+json", []byte("{}")),
		Layers: []v1.Descriptor{app.blob(spdxType, mustJSON(sampleSBOM))}, Subject: &subject,
	})

	repository{e, "team/web"}.image("1.0", "amd64")

	charts := repository{e, "charts/app"}
	chart := archive(map[string]string{"app/Chart.yaml": "apiVersion: v2\nname: app\nversion: 0.1.0\n", "app/values.yaml": "replicas: 2\n"})
	charts.push("0.1.0", v1.Manifest{
		Config: charts.blob("application/vnd.cncf.helm.config.v1+json", mustJSON(map[string]string{"apiVersion": "v2", "name": "app", "version": "0.1.0"})),
		Layers: []v1.Descriptor{charts.blob("application/vnd.cncf.helm.chart.content.v1.tar+gzip", compress(chart))},
	})

	files := repository{e, "team/files"}
	artifact := v1.Manifest{ArtifactType: "application/vnd.example.files", Config: files.blob("application/vnd.oci.empty.v1+json", []byte("{}"))}
	for _, titled := range []struct{ name, content string }{{"settings.yaml", "port: 8080\n"}, {"install.sh", "#!/bin/sh\n"}} {
		file := files.blob("application/octet-stream", []byte(titled.content))
		file.Annotations = map[string]string{titleKey: titled.name}
		artifact.Layers = append(artifact.Layers, file)
	}
	files.push("1.0", artifact)
	return layer
}

// repository is a repository to push samples to.
type repository struct {
	endpoint *ecrtest.Endpoint
	name     string
}

func (r repository) blob(mediaType types.MediaType, content []byte) v1.Descriptor {
	digest := must(v1.NewHash(r.endpoint.PutBlob(account, region, r.name, content).String()))
	return v1.Descriptor{MediaType: mediaType, Digest: digest, Size: int64(len(content))}
}

func (r repository) put(tag string, mediaType types.MediaType, manifest any) v1.Descriptor {
	raw := mustJSON(manifest)
	digest := must(v1.NewHash(r.endpoint.PutManifest(account, region, r.name, tag, string(mediaType), raw).String()))
	return v1.Descriptor{MediaType: mediaType, Digest: digest, Size: int64(len(raw))}
}

func (r repository) push(tag string, m v1.Manifest) v1.Descriptor {
	m.SchemaVersion, m.MediaType = 2, types.OCIManifestSchema1
	return r.put(tag, m.MediaType, m)
}

// image pushes an image with two layers, and returns it and them. All images share the
// first one.
func (r repository) image(tag, architecture string) (v1.Descriptor, []v1.Descriptor) {
	data := make([]byte, 1<<20)
	_, _ = rand.NewChaCha8([32]byte([]byte(architecture + "                           "))).Read(data)
	m := v1.Manifest{}
	config := v1.ConfigFile{
		Architecture: architecture,
		OS:           "linux",
		Created:      v1.Time{Time: time.Unix(0, 0).UTC()},
		Config: v1.Config{
			Env:    []string{"PATH=/usr/local/bin:/usr/bin:/bin", "APP_PORT=8080"},
			Cmd:    []string{"/usr/local/bin/app"},
			Labels: map[string]string{titleKey: r.name, "org.opencontainers.image.version": "1.0"},
		},
		RootFS: v1.RootFS{Type: "layers"},
	}
	for _, files := range []map[string]string{
		{"etc/os-release": "NAME=Sample\nID=sample\n", "etc/passwd": "root:x:0:0:root:/:/bin/sh\n"},
		{"usr/local/bin/app": "#!/bin/sh\necho " + r.name + " for " + architecture + "\n", "usr/local/share/app/data": string(data)},
	} {
		content := archive(files)
		diffID, _, _ := v1.SHA256(bytes.NewReader(content))
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, diffID)
		m.Layers = append(m.Layers, r.blob(types.OCILayer, compress(content)))
	}
	m.Config = r.blob(types.OCIConfigJSON, mustJSON(config))
	return r.push(tag, m), m.Layers
}

// attestation pushes an attestation manifest of an image in the format of BuildKit.
func (r repository) attestation(image v1.Descriptor) v1.Descriptor {
	var m v1.Manifest
	config := v1.ConfigFile{Architecture: "unknown", OS: "unknown", RootFS: v1.RootFS{Type: "layers"}}
	subject := map[string]any{"name": "_", "digest": map[string]string{image.Digest.Algorithm: image.Digest.Hex}}
	for _, attested := range []struct {
		predicateType string
		predicate     any
	}{{"https://spdx.dev/Document", sampleSBOM}, {"https://slsa.dev/provenance/v0.2", sampleProvenance}} {
		layer := r.blob("application/vnd.in-toto+json", mustJSON(map[string]any{
			"_type": "https://in-toto.io/Statement/v0.1", "subject": []any{subject}, "predicateType": attested.predicateType, "predicate": attested.predicate,
		}))
		layer.Annotations = map[string]string{"in-toto.io/predicate-type": attested.predicateType}
		m.Layers, config.RootFS.DiffIDs = append(m.Layers, layer), append(config.RootFS.DiffIDs, layer.Digest)
	}
	m.Config = r.blob(types.OCIConfigJSON, mustJSON(config))
	a := r.push("", m)
	a.Platform = &v1.Platform{Architecture: "unknown", OS: "unknown"}
	a.Annotations = map[string]string{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": image.Digest.String()}
	return a
}

// archive returns a reproducible tar archive.
func archive(files map[string]string) []byte {
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		must(0, w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(files[name])), ModTime: time.Unix(0, 0)}))
		must(w.Write([]byte(files[name])))
	}
	must(0, w.Close()) // Close writes the end of the archive.
	return buffer.Bytes()
}

func compress(content []byte) []byte {
	var buffer bytes.Buffer
	w := gzip.NewWriter(&buffer)
	must(w.Write(content))
	must(0, w.Close())
	return buffer.Bytes()
}

func mustJSON(v any) []byte { return must(json.Marshal(v)) }

// must panics on an error, which writing to memory never returns.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
