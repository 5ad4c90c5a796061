#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# release-snapshot.sh
#
# Builds all that a release has into dist/, and publishes nothing. It is signed only
# if GPG_FINGERPRINT names a key.

set -eu

tools=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "$tools/.."

goreleaser=$("$tools/build-tool.sh" goreleaser)

# GoReleaser does not look at the commit of a clone that came from nowhere.
if [ -z "$(git remote)" ]; then
	export GIT_CONFIG_COUNT=1
	export GIT_CONFIG_KEY_0=remote.origin.url
	export GIT_CONFIG_VALUE_0=https://github.com/ecrlayer/terraform-provider-ecrlayer.git
fi

set -- release --snapshot --clean
if [ -z "${GPG_FINGERPRINT:-}" ]; then
	set -- "$@" --skip=sign
fi
"$goreleaser" "$@"
