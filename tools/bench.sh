#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# bench.sh
#
# Measures the provider beside what it replaces, on an endpoint on this machine,
# and prints a Markdown table (see internal/ecrtest/cmd/bench). It takes a few
# minutes, and wants a machine that does nothing else. Where the AWS CLI is not on
# the PATH, what is compared with it is left out.

set -eu

tools=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "$tools/.."

cli=$("$tools/terraform-cli.sh")

# Not what a version manager puts in front: that would count as the AWS CLI's time.
aws=$(command -v aws || true)
case $aws in
*/shims/*)
	aws=$(pyenv which aws 2>/dev/null || echo "$aws")
	;;
esac

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

exe=$(go env GOEXE)
build() {
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$tmp/$1$exe" "$2"
}
mkdir "$tmp/provider"
build provider/terraform-provider-ecrlayer .
build lean ./internal/ecrtest/cmd/bench/testdata/lean
build bench ./internal/ecrtest/cmd/bench
go test -c -o /dev/null ./internal/ecrlayer

"$tmp/bench$exe" -cli "$cli" -aws "$aws" -provider "$tmp/provider/terraform-provider-ecrlayer$exe" -lean "$tmp/lean$exe"
