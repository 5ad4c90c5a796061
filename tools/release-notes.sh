#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# release-notes.sh VERSION
#
# Prints the section of CHANGELOG.md about a version, such as v1.2.3, and fails if
# there is none.

set -eu

# From the version's heading to the next one, or to the links at the end.
awk -v heading="## [${1#v}]" '
	index($0, "## ") == 1 { inside = index($0, heading) == 1; next }
	/^\[[^]]*\]: / { inside = 0 }
	inside && (/./ || found) { found = 1; print }
	END { exit !found }
' "$(dirname -- "$0")/../CHANGELOG.md" || {
	echo "release-notes.sh: CHANGELOG.md has nothing about ${1#v}" >&2
	exit 1
}
