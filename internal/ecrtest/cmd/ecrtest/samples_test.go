// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"testing"
)

// TestLayersUnpack reads a layer as tar does, which takes an archive without its end
// for a truncated one. Reading stops at that end: two blocks of zeros must be left.
func TestLayersUnpack(t *testing.T) {
	t.Parallel()
	unzipped, err := gzip.NewReader(bytes.NewReader(compressed(archive(map[string]string{"a/b": "text"}))))
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(unzipped)
	if err != nil || !bytes.HasSuffix(content, make([]byte, 1024)) {
		t.Fatalf("%d bytes, %v", len(content), err)
	}
	r := tar.NewReader(bytes.NewReader(content))
	header, err := r.Next()
	if err != nil || header.Name != "a/b" {
		t.Fatalf("%v, %v", header, err)
	}
	if text, err := io.ReadAll(r); err != nil || string(text) != "text" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("the archive does not end: %v", err)
	}
}
