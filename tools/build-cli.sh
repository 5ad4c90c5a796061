#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# build-cli.sh opentofu|terraform
#
# Builds the CLI that tools/NAME/go.mod pins and prints the path of its binary.

set -eu

cd "$(dirname -- "$0")/.."
case ${1:-} in
opentofu) binary=$PWD/.cache/bin/tofu ;;
terraform) binary=$PWD/.cache/bin/terraform ;;
*)
	echo "usage: build-cli.sh opentofu|terraform" >&2
	exit 2
	;;
esac
binary=$binary$(go env GOEXE)
[ -x "$binary" ] || echo "building $1 from its module, which takes some minutes the first time" >&2
# Without version.dev, OpenTofu calls itself a development version.
GOWORK=off go build -C "tools/$1" -ldflags '-s -w -X github.com/opentofu/opentofu/version.dev=no' -o "$binary" tool
echo "$binary"
