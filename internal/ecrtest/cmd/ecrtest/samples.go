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

	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

const (
	ociIndex    = "application/vnd.oci.image.index.v1+json"
	ociManifest = "application/vnd.oci.image.manifest.v1+json"
	ociConfig   = "application/vnd.oci.image.config.v1+json"
	ociLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// pushSamples pushes an index, an image, a Helm chart and an artifact.
func pushSamples(e *ecrtest.Endpoint) {
	app := repository{e, "team/app"}
	var manifests []descriptor
	for i, architecture := range []string{"amd64", "arm64"} {
		image := app.image("", "team/app", architecture)
		image.Platform = &platform{Architecture: architecture, OS: "linux"}
		manifests = slices.Insert(manifests, i, image) // BuildKit lists attestations last.
		manifests = append(manifests, app.attestation(image))
	}
	app.push("1.0", manifest{MediaType: ociIndex, Manifests: manifests})

	repository{e, "team/web"}.image("1.0", "team/web", "amd64")

	charts := repository{e, "charts/app"}
	chart := "apiVersion: v2\nname: app\nversion: 0.1.0\n"
	charts.push("0.1.0", manifest{
		MediaType: ociManifest,
		Config:    charts.blob("application/vnd.cncf.helm.config.v1+json", mustJSON(map[string]string{"apiVersion": "v2", "name": "app", "version": "0.1.0"})),
		Layers:    []descriptor{*charts.blob("application/vnd.cncf.helm.chart.content.v1.tar+gzip", compress(archive(map[string]string{"app/Chart.yaml": chart, "app/values.yaml": "replicas: 2\n"})))},
	})

	files := repository{e, "team/files"}
	artifact := manifest{MediaType: ociManifest, ArtifactType: "application/vnd.example.files", Config: files.blob("application/vnd.oci.empty.v1+json", []byte("{}"))}
	for _, name := range []string{"app.conf", "install.sh"} {
		layer := *files.blob("application/octet-stream", []byte("# "+name+"\n"))
		layer.Annotations = map[string]string{"org.opencontainers.image.title": name}
		artifact.Layers = append(artifact.Layers, layer)
	}
	files.push("1.0", artifact)
}

// repository is a repository to push samples to.
type repository struct {
	endpoint *ecrtest.Endpoint
	name     string
}

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      digest.Digest     `json:"digest"`
	Size        int               `json:"size"`
	Platform    *platform         `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

// manifest is an image manifest or an index.
type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	ArtifactType  string       `json:"artifactType,omitempty"`
	Config        *descriptor  `json:"config,omitempty"`
	Layers        []descriptor `json:"layers,omitempty"`
	Manifests     []descriptor `json:"manifests,omitempty"`
}

func (r repository) blob(mediaType string, content []byte) *descriptor {
	d := r.endpoint.PutBlob(account, region, r.name, content)
	return &descriptor{MediaType: mediaType, Digest: d, Size: len(content)}
}

func (r repository) push(tag string, m manifest) descriptor {
	m.SchemaVersion = 2
	raw := mustJSON(m)
	d := r.endpoint.PutManifest(account, region, r.name, tag, m.MediaType, raw)
	return descriptor{MediaType: m.MediaType, Digest: d, Size: len(raw)}
}

// image pushes an image with two layers. All images share the first one.
func (r repository) image(tag, title, architecture string) descriptor {
	data := make([]byte, 1<<20)
	_, _ = rand.NewChaCha8([32]byte([]byte(architecture + "                           "))).Read(data)
	m := manifest{MediaType: ociManifest}
	var diffIDs []digest.Digest
	for _, files := range []map[string]string{
		{"etc/os-release": "NAME=Sample\nID=sample\n", "etc/passwd": "root:x:0:0:root:/:/bin/sh\n"},
		{"usr/local/bin/app": "#!/bin/sh\necho " + title + " for " + architecture + "\n", "usr/local/share/app/data": string(data)},
	} {
		content := archive(files)
		diffIDs = append(diffIDs, digest.FromBytes(content))
		m.Layers = append(m.Layers, *r.blob(ociLayer, compress(content)))
	}
	m.Config = r.blob(ociConfig, mustJSON(map[string]any{
		"architecture": architecture,
		"os":           "linux",
		"created":      time.Unix(0, 0).UTC(),
		"config": map[string]any{
			"Env":    []string{"PATH=/usr/local/bin:/usr/bin:/bin", "APP_PORT=8080"},
			"Cmd":    []string{"/usr/local/bin/app"},
			"Labels": map[string]string{"org.opencontainers.image.title": title, "org.opencontainers.image.version": "1.0"},
		},
		"rootfs": map[string]any{"type": "layers", "diff_ids": diffIDs},
	}))
	return r.push(tag, m)
}

// attestation pushes an attestation of an image in the format of BuildKit.
func (r repository) attestation(image descriptor) descriptor {
	statement := mustJSON(map[string]any{"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://slsa.dev/provenance/v0.2", "subject": []any{}})
	a := r.push("", manifest{
		MediaType: ociManifest,
		Config:    r.blob(ociConfig, mustJSON(map[string]any{"architecture": "unknown", "os": "unknown", "rootfs": map[string]any{"type": "layers", "diff_ids": []digest.Digest{digest.FromBytes(statement)}}, "subject": image.Digest})),
		Layers:    []descriptor{*r.blob("application/vnd.in-toto+json", statement)},
	})
	a.Platform = &platform{Architecture: "unknown", OS: "unknown"}
	a.Annotations = map[string]string{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": image.Digest.String()}
	return a
}

// archive returns a reproducible tar archive.
func archive(files map[string]string) []byte {
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		must(w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(files[name])), ModTime: time.Unix(0, 0)}))
		_, err := w.Write([]byte(files[name]))
		must(err)
	}
	must(w.Close()) // Close writes the end of the archive.
	return buffer.Bytes()
}

func compress(content []byte) []byte {
	var buffer bytes.Buffer
	w := gzip.NewWriter(&buffer)
	_, err := w.Write(content)
	must(err)
	must(w.Close())
	return buffer.Bytes()
}

func mustJSON(v any) []byte {
	raw, err := json.Marshal(v)
	must(err)
	return raw
}

// must panics on an error, which writing to memory never returns.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
