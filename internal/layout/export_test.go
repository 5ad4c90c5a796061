// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package layout

import "testing"

// StampOf returns what a file looks like.
func StampOf(t testing.TB, path string) Stamp {
	t.Helper()
	stamp, err := newStamp(path)
	if err != nil {
		t.Fatal(err)
	}
	return stamp
}
