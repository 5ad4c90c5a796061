#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# google/go-containerregistry 0.22.1 and oras-go 2.7.0: an index may name a manifest of a media
# type that a tool does not know, which must not be an error (OCI image specification 1.1.1,
# image-index.md). Both libraries look for it among the blobs, where a registry does not have
# manifests, and so fail to copy the whole image.
#
# Seen: layout.AppendIndex: GET /v2/app/blobs/, failed: true
#       remote.WriteIndex: HEAD /v2/copy/blobs/, failed: true
#       remote.WriteIndex: GET /v2/app/blobs/, failed: true
#       oras.Copy: GET /v2/app/blobs/, failed: true

set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >main.go <<'END'
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/memory"
	orasremote "oras.land/oras-go/v2/registry/remote"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	var requests []string
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests = append(requests, r.Method+" "+r.URL.Path)
		handler.ServeHTTP(w, r)
	}))
	host := strings.TrimPrefix(server.URL, "http://")
	const mediaType = "application/vnd.example.manifest.v1+json"
	other := []byte(`{"schemaVersion":2,"mediaType":"` + mediaType + `"}`)
	put := func(reference, mediaType string, content []byte) {
		r := must(http.NewRequest(http.MethodPut, server.URL+"/v2/app/manifests/"+reference, bytes.NewReader(content)))
		r.Header.Set("Content-Type", mediaType)
		if response := must(http.DefaultClient.Do(r)); response.StatusCode != http.StatusCreated {
			panic(response.Status)
		}
	}
	image := mutate.MediaType(must(random.Image(10, 1)), types.OCIManifestSchema1)
	ref := must(name.ParseReference(host + "/app:image"))
	check(remote.Write(ref, image))
	put(digest.FromBytes(other).String(), mediaType, other)
	index := map[string]any{"schemaVersion": 2, "mediaType": types.OCIImageIndex, "manifests": []any{
		map[string]any{"mediaType": types.OCIManifestSchema1, "digest": must(image.Digest()), "size": must(image.Size())},
		map[string]any{"mediaType": mediaType, "digest": digest.FromBytes(other), "size": len(other)},
	}}
	put("all", string(types.OCIImageIndex), must(json.Marshal(index)))
	requests = nil
	report := func(tool string, err error) {
		for _, request := range requests {
			if strings.HasSuffix(request, digest.FromBytes(other).String()) {
				fmt.Printf("%s: %s, failed: %t\n", tool, strings.TrimSuffix(request, digest.FromBytes(other).String()), err != nil)
			}
		}
		requests = nil
	}
	ii := must(remote.Index(must(name.ParseReference(host + "/app:all"))))
	dir := must(layout.Write("layout", empty.Index))
	report("layout.AppendIndex", dir.AppendIndex(ii))
	report("remote.WriteIndex", remote.WriteIndex(must(name.ParseReference(host+"/copy:all")), ii))
	repo := must(orasremote.NewRepository(host + "/app"))
	repo.PlainHTTP = true
	_, err := oras.Copy(context.Background(), repo, "all", memory.New(), "all", oras.DefaultCopyOptions)
	report("oras.Copy", err)
}
END
go mod init finding >/dev/null 2>&1
go get github.com/google/go-containerregistry@v0.22.1 oras.land/oras-go/v2@v2.7.0 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
go run . | tee seen
cmp - seen <<'END'
layout.AppendIndex: GET /v2/app/blobs/, failed: true
remote.WriteIndex: HEAD /v2/copy/blobs/, failed: true
remote.WriteIndex: GET /v2/app/blobs/, failed: true
oras.Copy: GET /v2/app/blobs/, failed: true
END
