#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# picture.sh BINARY
#
# Draws assets/demo.svg from what demo.sh prints, leaving out what says little.

set -eu

cd "$(dirname -- "$0")/.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

tools/demo.sh "$1" >"$tmp/demo" 2>&1
esc=$(printf '\033[')
sed -e '/^terraform {$/,/^$/d' -e '/Reading\.\.\.$/d' -e '/terraform init/d' \
	-e '/^Changes to Outputs/,/^Outputs:/d' -e '/^Terraform has compared/,$d' \
	-e "/^[^\$]/s/\"[^\"]*\"/${esc}32m&${esc}0m/g" -e "s/^\\$ .*/${esc}36m&${esc}0m/" \
	-e "s/^\(data\|output\) /${esc}35m\1${esc}0m /" \
	-e "s/^No changes\./${esc}32m&${esc}0m/" -e "s/ OK$/${esc}32m&${esc}0m/" "$tmp/demo" | cat -s >"$tmp/picture"
go tool -modfile=tools/freeze/go.mod freeze --language ansi --theme github-dark --window --border.radius 8 \
	--font.family monospace --font.size 14 --padding 20 --output assets/demo.svg <"$tmp/picture"
