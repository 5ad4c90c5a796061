#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# lint.sh
#
# Runs every static check, and fails at the end if any failed.

set -eu

tools=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "$tools/.."

golangci_lint=$("$tools/build-tool.sh" golangci-lint)
actionlint=$("$tools/build-tool.sh" actionlint)

failed=
check() {
	echo "lint: $1"
	shift
	if ! "$@"; then
		failed=yes
	fi
}

# What git would commit, and not only what it has already.
files() {
	git ls-files --cached --others --exclude-standard -- "$@" | while read -r file; do
		if [ -f "$file" ]; then
			echo "$file"
		fi
	done
}

gofmt_clean() {
	unformatted=$(files '*.go' | tr '\n' '\0' | xargs -0 gofmt -l)
	[ -z "$unformatted" ] || {
		echo "not formatted, run 'make fmt':"
		echo "$unformatted"
		return 1
	}
}

licence_headers() {
	missing=$(files '*.go' '*.sh' '*.yml' .ci/run GNUmakefile | while read -r file; do
		head -n 4 "$file" | grep -q 'Copyright (c) The terraform-provider-ecrlayer authors' &&
			head -n 4 "$file" | grep -q 'SPDX-License-Identifier: MPL-2.0' ||
			echo "$file"
	done)
	[ -z "$missing" ] || {
		echo "these do not start with the licence header, see main.go:"
		echo "$missing"
		return 1
	}
}

shell_scripts() {
	result=0
	for script in $(files '*.sh'); do
		sh -n "$script" || result=1
	done
	bash -n .ci/run || result=1
	if command -v shellcheck >/dev/null 2>&1; then
		files '*.sh' .ci/run | tr '\n' '\0' | xargs -0 shellcheck || result=1
	else
		echo "shellcheck is not installed: shell scripts are checked for their syntax only"
	fi
	return $result
}

check "gofmt" gofmt_clean
check "licence headers" licence_headers
check "shell scripts" shell_scripts
check "workflows" "$actionlint"
check "golangci-lint configuration" "$golangci_lint" config verify
check "golangci-lint" "$golangci_lint" run
check "go vet for Windows" env GOOS=windows GOARCH=amd64 CGO_ENABLED=0 go vet ./...
check "go vet for macOS" env GOOS=darwin GOARCH=arm64 CGO_ENABLED=0 go vet ./...

[ -z "$failed" ] || {
	echo "lint: failed, see above" >&2
	exit 1
}
