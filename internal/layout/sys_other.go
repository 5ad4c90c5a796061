// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

//go:build !unix

package layout

// changeTime returns 0: only Unix has such a time.
func changeTime(string) (int64, error) { return 0, nil }

// syncDir does nothing: only Unix can open a directory.
func syncDir(string) error { return nil }
