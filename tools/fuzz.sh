#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# fuzz.sh TIME
#
# Runs each fuzz test for TIME, such as 30s, one after the other.

set -eu

tools=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "$tools/.."

time=${1:-30s}
found=
for package in $(go list ./...); do
	dir=$(go list -f '{{.Dir}}' "$package")
	tests=$(find "$dir" -maxdepth 1 -name '*_test.go' -exec sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' {} +)
	for test in $tests; do
		found=yes
		echo "fuzzing $test of $package for $time"
		go test -run '^$' -fuzz "^$test\$" -fuzztime "$time" "$package"
	done
done
if [ -z "$found" ]; then
	echo "fuzz.sh: there is no fuzz test" >&2
	exit 1
fi
