#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# layout.sh
#
# Makes the blobs in CACHE_DIR an OCI image layout: writes the manifest, oci-layout and
# index.json. The environment has their content.

set -eu

# write FILE CONTENT replaces a file at once, so that nobody reads half of it.
write() {
	rm -f -- "$CACHE_DIR/.partial/new"
	printf '%s' "$2" >"$CACHE_DIR/.partial/new"
	mv -f -- "$CACHE_DIR/.partial/new" "$CACHE_DIR/$1"
}

mkdir -p -- "$CACHE_DIR/.partial"
write "blobs/sha256/${MANIFEST_DIGEST#sha256:}" "$MANIFEST"
write oci-layout "$LAYOUT"
write index.json "$INDEX"
rm -rf -- "$CACHE_DIR/.partial"
