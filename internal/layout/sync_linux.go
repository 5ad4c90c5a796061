// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package layout

import (
	"os"

	"golang.org/x/sys/unix"
)

// startSync makes the kernel write a file to the disk while more is downloaded, so that
// the sync at the end has little to wait for.
func startSync(f *os.File) {
	_ = unix.SyncFileRange(int(f.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE) // That sync reports errors.
}
