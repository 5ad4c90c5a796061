#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# lint.sh
#
# Runs every static check, and fails at the end if any failed.

set -eu

cd "$(dirname -- "$0")/.."

failed=
check() {
	echo "lint: $1"
	shift
	"$@" || failed=yes
}

license_headers() {
	! git ls-files '*.sh' '*.yml' .ci/run GNUmakefile | xargs grep -L 'SPDX-License-Identifier: MPL-2.0' | grep . || {
		echo "the files above lack the license header, see main.go"
		return 1
	}
}

shell_scripts() {
	command -v shellcheck >/dev/null || {
		echo "shellcheck is missing: install it with your package manager, such as 'apt-get install shellcheck' or 'brew install shellcheck'"
		return 1
	}
	git ls-files '*.sh' .ci/run | xargs shellcheck
}

# American English, in the terms of the AWS and Terraform documentation. misspell,
# which golangci-lint runs, reads Go only.
retired='anew|besides|mostly|lest|(does|do) not tell|it is none|asked for (a|an|the)|had been answered'
british='behaviour|licence|catalogue|colour|cancelled|cancelling|labelled|[a-z]+(alise|orise|anise|gnise)d?'
words() {
	! git grep -nIwiE "$retired|$british" -- README.md '*.md' templates examples internal '*.sh' ':!LICENSE' ':!docs' ':!tools/lint.sh' || {
		echo "see the words above: write American English and the terms of the field"
		return 1
	}
}

check "words" words
check "license headers" license_headers
check "shell scripts" shell_scripts
check "workflows" go tool -modfile=tools/actionlint/go.mod actionlint
check "golangci-lint configuration" go tool -modfile=tools/golangci-lint/go.mod golangci-lint config verify
check "golangci-lint" go tool -modfile=tools/golangci-lint/go.mod golangci-lint run

[ -z "$failed" ] || {
	echo "lint: failed, see above" >&2
	exit 1
}
