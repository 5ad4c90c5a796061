#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# fuzz.sh TIME
#
# Runs each fuzz test for TIME, such as 30s: go test runs one at a time only.

set -eu

cd "$(dirname -- "$0")/.."
grep -r --include='*_test.go' -o '^func Fuzz[A-Za-z0-9_]*' internal | sed 's|/[^/]*:func | |' | while read -r package test; do
	go test -run '^$' -fuzz "^$test\$" -fuzztime "$1" "./$package"
done
