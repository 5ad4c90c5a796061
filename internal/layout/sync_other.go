// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

//go:build !linux

package layout

import "os"

// startSync does nothing: only Linux can start to write a file without waiting for it.
func startSync(*os.File) {}
