// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package layout

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// changeTime returns the time of the last change of a file or its attributes, in
// nanoseconds.
func changeTime(path string) (int64, error) {
	var stat unix.Stat_t
	if err := unix.Lstat(path, &stat); err != nil {
		return 0, &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	return stat.Ctim.Nano(), nil
}

// syncDir makes the names in a directory durable.
func syncDir(path string) error {
	dir, err := os.Open(path) //nolint:gosec // The user names the directory.
	if err != nil {
		return err
	}
	err = dir.Sync()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
		err = nil // Not every file system can.
	}
	return errors.Join(err, dir.Close())
}
