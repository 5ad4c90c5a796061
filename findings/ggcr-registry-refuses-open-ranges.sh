#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# google/go-containerregistry 0.22.1, pkg/registry, which many tests use as their registry:
# a range without an end (RFC 9110, section 14.1.2: "bytes=2-"), by which clients resume a
# blob, gets a 416; one with an end is served. A client that resumes with it
# in production fails in these tests.
#
# Seen: bytes=2-4: 206
#       bytes=2-: 416

set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >main.go <<'END'
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func main() {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	digest, _, err := v1.SHA256(strings.NewReader("layer"))
	if err != nil {
		panic(err)
	}
	response, err := http.Post(server.URL+"/v2/team/app/blobs/uploads/?digest="+digest.String(), "application/octet-stream", strings.NewReader("layer"))
	if err != nil || response.StatusCode != http.StatusCreated {
		panic(fmt.Sprint(err, response))
	}
	for _, value := range []string{"bytes=2-4", "bytes=2-"} {
		request, _ := http.NewRequest(http.MethodGet, server.URL+"/v2/team/app/blobs/"+digest.String(), http.NoBody)
		request.Header.Set("Range", value)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s: %d\n", value, response.StatusCode)
	}
}
END
go mod init finding >/dev/null 2>&1
go get github.com/google/go-containerregistry@v0.22.1 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
go run . | tee seen
printf 'bytes=2-4: 206\nbytes=2-: 416\n' | cmp - seen
