// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package layout_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/layout"
)

// BenchmarkCheck checks 1,000 blobs of 10 MB that are unchanged, as every plan does.
func BenchmarkCheck(b *testing.B) {
	dir, record := b.TempDir(), layout.Record{}
	if err := os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o700); err != nil {
		b.Fatal(err)
	}
	for i := range 1000 {
		d := digest.FromString(strconv.Itoa(i))
		if err := os.WriteFile(blobPath(dir, d), nil, 0o600); err != nil {
			b.Fatal(err)
		}
		if err := os.Truncate(blobPath(dir, d), 10_000_000); err != nil { // a sparse file
			b.Fatal(err)
		}
		record[d] = layout.StampOf(b, blobPath(dir, d))
	}
	for b.Loop() {
		if _, damage, err := layout.New(dir).Check(b.Context(), record); err != nil || len(damage) > 0 {
			b.Fatalf("damage %q, error %v", damage, err)
		}
	}
}
