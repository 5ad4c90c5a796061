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

// TestLayersUnpack reads a layer. tar reports an archive without two blocks of zeros at
// its end as truncated, which archive/tar does not, so the test looks for them.
func TestLayersUnpack(t *testing.T) {
	t.Parallel()
	reader, err := gzip.NewReader(bytes.NewReader(compress(archive(map[string]string{"a/b": "text"}))))
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(reader)
	if err != nil || !bytes.HasSuffix(content, make([]byte, 1024)) {
		t.Fatalf("read %d bytes, error %v, want 1024 zeros at the end", len(content), err)
	}
	r := tar.NewReader(bytes.NewReader(content))
	header, err := r.Next()
	if err != nil || header.Name != "a/b" {
		t.Fatalf("header = %v, error %v, want that of a/b", header, err)
	}
	if text, err := io.ReadAll(r); err != nil || string(text) != "text" {
		t.Errorf("content = %q, error %v, want \"text\"", text, err)
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("error after the last file = %v, want EOF", err)
	}
}
