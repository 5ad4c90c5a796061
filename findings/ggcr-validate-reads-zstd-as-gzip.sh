#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# google/go-containerregistry 0.22.1, pkg/v1/validate, which is "crane validate": a good image
# with a zstd layer fails with "gzip: invalid header", although the same library extracts it.
# Whoever validates a mirror this way finds damage where there is none. validate.Fast, which
# is "crane validate --fast", passes, and does not read the layers.
#
# Seen: gzip: extract <nil>, validate <nil>, fast <nil>
#       zstd: extract <nil>, validate validating layers: gzip: invalid header, fast <nil>

set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >main.go <<'END'
package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"

	"github.com/google/go-containerregistry/pkg/compression"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
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
	var files bytes.Buffer
	w := tar.NewWriter(&files)
	check(w.WriteHeader(&tar.Header{Name: "file", Mode: 0o644, Size: 5}))
	must(w.Write([]byte("hello")))
	check(w.Close())
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files.Bytes())), nil }
	for kind, mediaType := range map[compression.Compression]types.MediaType{compression.GZip: types.OCILayer, compression.ZStd: types.OCILayerZStd} {
		layer := must(tarball.LayerFromOpener(open, tarball.WithCompression(kind), tarball.WithMediaType(mediaType)))
		image := must(mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), layer))
		dir := layout.Path(kind)
		must(layout.Write(string(dir), empty.Index))
		check(dir.AppendImage(image))
		stored := must(must(dir.ImageIndex()).Image(must(image.Digest())))
		_, err := tar.NewReader(mutate.Extract(stored)).Next()
		fmt.Printf("%s: extract %v, validate %v, fast %v\n", kind, err, validate.Image(stored), validate.Image(stored, validate.Fast))
	}
}
END
go mod init finding >/dev/null 2>&1
go get github.com/google/go-containerregistry@v0.22.1 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
go run . | sort | tee seen
cmp - seen <<'END'
gzip: extract <nil>, validate <nil>, fast <nil>
zstd: extract <nil>, validate validating layers: gzip: invalid header, fast <nil>
END
