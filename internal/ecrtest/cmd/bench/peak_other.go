// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

//go:build !unix

package main

import "os"

// peakMemory returns 0: it is not known.
func peakMemory(*os.ProcessState) int64 {
	return 0
}
