#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# build-tool.sh NAME
#
# Builds the command-line tool that tools/NAME/go.mod pins, unless it is built
# already, and prints the path of the binary, which is in .cache/bin.
#
# What goes wrong, and what takes long, is said on standard error.

set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
name=${1:-}
dir=$root/tools/$name

if [ $# -ne 1 ] || [ -z "$name" ] || [ ! -f "$dir/go.mod" ]; then
	echo "usage: build-tool.sh NAME, where NAME is one of:" >&2
	(cd "$root/tools" && for mod in */go.mod; do echo "  ${mod%/go.mod}"; done) >&2
	exit 2
fi

if ! command -v go >/dev/null 2>&1; then
	echo "build-tool.sh: go is not on the PATH: install Go (https://go.dev/doc/install)" >&2
	exit 1
fi

# The version of module $1, from go.mod.
pinned() {
	awk -v module="$1" '
		$1 == "require" { for (i = 1; i < NF; i++) $i = $(i + 1) }
		$1 == module && $2 ~ /^v/ { sub(/^v/, "", $2); print $2; exit }
	' "$dir/go.mod"
}

# For each tool: its name in messages, the module with its version, the command,
# how long a first build takes on two cores, and what its own release build tells
# the linker, without which it calls itself a development version.
command=$name
case $name in
actionlint)
	title=actionlint module=github.com/rhysd/actionlint long="half a minute"
	version=$(pinned "$module")
	ldflags="-X github.com/rhysd/actionlint.version=$version"
	;;
cyclonedx-gomod)
	title=cyclonedx-gomod module=github.com/CycloneDX/cyclonedx-gomod long="1 minute"
	version=$(pinned "$module")
	ldflags=
	;;
golangci-lint)
	title=golangci-lint module=github.com/golangci/golangci-lint/v2 long="3 to 5 minutes"
	version=$(pinned "$module")
	ldflags="-X main.version=$version -X main.commit=module -X main.date=unknown"
	;;
goreleaser)
	title=GoReleaser module=github.com/goreleaser/goreleaser/v2 long="5 to 8 minutes"
	version=$(pinned "$module")
	ldflags="-X main.version=$version"
	;;
govulncheck)
	title=govulncheck module=golang.org/x/vuln long="1 minute"
	version=$(pinned "$module")
	ldflags=
	;;
opentofu)
	title=OpenTofu module=github.com/opentofu/opentofu long="5 to 8 minutes" command=tofu
	version=$(pinned "$module")
	ldflags="-X github.com/opentofu/opentofu/version.dev=no"
	;;
terraform)
	title=Terraform module=github.com/hashicorp/terraform long="4 to 6 minutes"
	version=$(pinned "$module")
	ldflags=
	;;
tfplugindocs)
	title=tfplugindocs module=github.com/hashicorp/terraform-plugin-docs long="1 minute"
	version=$(pinned "$module")
	ldflags="-X github.com/hashicorp/terraform-plugin-docs/cmd/tfplugindocs/build.version=$version"
	;;
*)
	echo "build-tool.sh: tools/$name is not described in build-tool.sh" >&2
	exit 2
	;;
esac

cd "$dir"

# For this machine, whatever the caller cross-compiles, and by the tool's own
# go.mod, whatever GOFLAGS, a vendor directory or a workspace say.
GOOS=$(go env GOHOSTOS)
GOARCH=$(go env GOHOSTARCH)
export GOOS GOARCH CGO_ENABLED=0 GOWORK=off
exe=$(go env GOEXE)
bin=$root/.cache/bin
binary=$bin/$command$exe
stamp=$bin/.$command.stamp

# What the binary depends on. A newer Go counts: golangci-lint and govulncheck
# refuse code of a newer Go than the one that built them.
want=$({
	go env GOVERSION GOOS GOARCH
	echo "$ldflags"
	cat go.mod go.sum
} | cksum)

if [ -x "$binary" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$want" ]; then
	echo "$binary"
	exit 0
fi

echo "building $title $version from its module: about $long the first time, seconds after that ..." >&2

# Built aside and renamed, so that nobody ever runs half a binary and two builds
# at once do no harm.
mkdir -p "$bin"
tmp=$(mktemp -d "$bin/.build.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

if ! go build -mod=readonly -buildvcs=false -ldflags "-s -w $ldflags" -o "$tmp/$command$exe" tool; then
	echo "build-tool.sh: $title $version did not build, see above; the tool is pinned in tools/$name/go.mod" >&2
	exit 1
fi
echo "$want" >"$tmp/stamp"
mv -f "$tmp/$command$exe" "$binary"
mv -f "$tmp/stamp" "$stamp"

echo "$binary"
