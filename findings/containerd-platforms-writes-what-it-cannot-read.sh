#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# containerd/platforms 1.0.0-rc.5: FormatAll writes the version of an operating system
# with a space in it, which the OCI image index allows, into parentheses; Parse refuses
# the result. A platform that was printed cannot always be requested.
#
# Seen: linux(22.04 LTS)/amd64: refused
#       windows(10.0.20348)/amd64: read

set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >main.go <<'END'
package main

import (
	"fmt"

	"github.com/containerd/platforms"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

func main() {
	for _, p := range []v1.Platform{
		{OS: "linux", Architecture: "amd64", OSVersion: "22.04 LTS"},
		{OS: "windows", Architecture: "amd64", OSVersion: "10.0.20348"},
	} {
		name, result := platforms.FormatAll(p), "read"
		if _, err := platforms.Parse(name); err != nil {
			result = "refused"
		}
		fmt.Printf("%s: %s\n", name, result)
	}
}
END
go mod init finding >/dev/null 2>&1
go get github.com/containerd/platforms@v1.0.0-rc.5 github.com/opencontainers/image-spec@v1.1.1 >/dev/null 2>&1
go run . | tee seen
printf 'linux(22.04 LTS)/amd64: refused\nwindows(10.0.20348)/amd64: read\n' | cmp - seen
