// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package layout

import "testing"

// StampOf returns what a file looks like.
func StampOf(tb testing.TB, path string) Stamp {
	tb.Helper()
	stamp, err := newStamp(path)
	if err != nil {
		tb.Fatal(err)
	}
	return stamp
}
