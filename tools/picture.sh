#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# picture.sh BINARY | check
#
# Draws assets/demo.svg from what demo.sh prints, leaving out what says little. With
# "check", it draws nothing and fails if what the picture was drawn from has changed.

set -eu

cd "$(dirname -- "$0")/.."
# shellcheck disable=SC2016 # These are fences of Markdown.
inputs="<!-- of $(sed -n '/^```terraform$/,/^```$/p' README.md | cat - tools/demo.sh tools/picture.sh | cksum) -->"
if [ "$1" = check ]; then
	grep -qF -e "$inputs" assets/demo.svg && exit
	echo "picture.sh: assets/demo.svg is stale: run 'make picture' and commit it" >&2
	exit 1
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

tools/demo.sh "$1" >"$tmp/demo" 2>&1
esc=$(printf '\033[')
sed -e '/^terraform {$/,/^$/d' -e '/^provider "/,/^$/d' -e '/^output "/,/^$/d' -e '/terraform init/d' \
	-e '/Reading\.\.\.$/d' -e '/^Terraform used/,/^ecrlayer_image_layout.*Creating/d' \
	-e '/^\$ ls app/,$d' -e "s/ || :$//" \
	-e "/^[^\$]*\$ /!s/\"[^\"]*\"/${esc}32m&${esc}0m/g" -e "s/^[a-z-]*\$ .*/${esc}36m&${esc}0m/" \
	-e "s/^\(data\|output\) /${esc}35m\1${esc}0m /" -e "s/ OK$/${esc}32m&${esc}0m/" "$tmp/demo" | cat -s >"$tmp/picture"
go tool -modfile=tools/freeze/go.mod freeze --language ansi --theme github-dark --window --border.radius 8 \
	--font.family monospace --font.size 14 --padding 20 --output "$tmp/demo.svg" <"$tmp/picture"
{ cat "$tmp/demo.svg" && printf '%s\n' "$inputs"; } >assets/demo.svg
