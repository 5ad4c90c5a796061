#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# install.sh BINARY VERSION [DIRECTORY]
#
# Installs the provider into a filesystem mirror: DIRECTORY, or the one that Terraform
# and OpenTofu search by default. Prints how to use it.

set -eu

if [ $# -lt 2 ]; then
	echo "usage: install.sh BINARY VERSION [DIRECTORY]" >&2
	exit 2
fi
version=$2
if [ -n "${3:-}" ]; then
	mkdir -p "$3"
	dir=$(CDPATH='' cd -- "$3" && pwd)
elif [ "$(go env GOOS)" = windows ]; then
	dir=$APPDATA/terraform.d/plugins
else
	dir=$HOME/.terraform.d/plugins
fi

# Terraform and OpenTofu each search under the host of their own registry.
for host in registry.terraform.io registry.opentofu.org; do
	target=$dir/$host/ecrlayer/ecrlayer/$version/$(go env GOOS)_$(go env GOARCH)
	file=$target/terraform-provider-ecrlayer_v$version$(go env GOEXE)
	mkdir -p "$target"
	cp "$1" "$file.new"
	chmod 755 "$file.new"
	mv -f "$file.new" "$file"
	echo "# installed $file"
done

cat <<EOF
# Require it in the configuration:

terraform {
  required_providers {
    ecrlayer = {
      source  = "ecrlayer/ecrlayer"
      version = "$version"
    }
  }
}

# If the CLI does not search $dir, put this into ~/.terraformrc or ~/.tofurc:

provider_installation {
  filesystem_mirror {
    path    = "$dir"
    include = ["registry.terraform.io/ecrlayer/ecrlayer", "registry.opentofu.org/ecrlayer/ecrlayer"]
  }
  direct {
    exclude = ["registry.terraform.io/ecrlayer/ecrlayer", "registry.opentofu.org/ecrlayer/ecrlayer"]
  }
}

# After another build of $version, remove .terraform.lock.hcl before "init".
EOF
