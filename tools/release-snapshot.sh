#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# release-snapshot.sh
#
# Builds all that a release has into dist/, and publishes nothing. It is signed only
# if GPG_FINGERPRINT names a key.

set -eu

cd "$(dirname -- "$0")/.."

# GoReleaser needs a remote, which a clone of a directory lacks.
if [ -z "$(git remote)" ]; then
	export GIT_CONFIG_COUNT=1
	export GIT_CONFIG_KEY_0=remote.origin.url
	export GIT_CONFIG_VALUE_0=https://github.com/ecrlayer/terraform-provider-ecrlayer.git
fi

set -- release --snapshot --clean
[ -n "${GPG_FINGERPRINT:-}" ] || set -- "$@" --skip=sign
go tool -modfile=tools/goreleaser/go.mod goreleaser "$@"
