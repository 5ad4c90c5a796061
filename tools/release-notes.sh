#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# release-notes.sh VERSION
#
# Prints what CHANGELOG.md says of a version, such as v1.2.3 or 1.2.3, and fails
# when it says nothing: a release without notes is a release that was not prepared.

set -eu

tools=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

if [ $# -ne 1 ] || [ -z "$1" ]; then
	echo "usage: release-notes.sh VERSION" >&2
	exit 2
fi
version=${1#v}

# From the version's heading to the next one, or to the links at the end.
notes=$(awk -v heading="## [$version]" '
	index($0, "## ") == 1 { inside = index($0, heading) == 1; next }
	/^\[[^]]*\]: / { inside = 0 }
	inside { print }
' "$tools/../CHANGELOG.md" | sed -e '/./,$!d')

if [ -z "$notes" ]; then
	echo "release-notes.sh: CHANGELOG.md has nothing under \"## [$version]\"" >&2
	exit 1
fi
printf '%s\n' "$notes"
