#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# install.sh BINARY VERSION [DIRECTORY]
#
# Puts the provider where "terraform init" and "tofu init" look for providers
# before they ask a registry, and says how to use it from there.

set -eu

if [ $# -lt 2 ]; then
	echo "usage: install.sh BINARY VERSION [DIRECTORY]" >&2
	exit 2
fi
binary=$1
version=$2
dir=${3:-}
platform=$(go env GOOS)_$(go env GOARCH)
exe=$(go env GOEXE)

default=yes
if [ -n "$dir" ]; then
	default=
elif [ "$(go env GOOS)" = windows ]; then
	dir=$APPDATA/terraform.d/plugins
else
	dir=$HOME/.terraform.d/plugins
fi

# Each of the two looks under its own registry's name.
for host in registry.terraform.io registry.opentofu.org; do
	target=$dir/$host/ecrlayer/ecrlayer/$version/$platform
	mkdir -p "$target"
	file=$target/terraform-provider-ecrlayer_v$version$exe
	cp "$binary" "$file.new"
	chmod 755 "$file.new"
	mv -f "$file.new" "$file"
	echo "installed $file"
done

cat <<EOF

Terraform and OpenTofu find it with:

  terraform {
    required_providers {
      ecrlayer = {
        source  = "ecrlayer/ecrlayer"
        version = "$version"
      }
    }
  }

EOF

if [ -z "$default" ]; then
	cat <<EOF
and, as that is not a directory they look in by themselves, with this in the file
that TF_CLI_CONFIG_FILE names (else ~/.terraformrc, ~/.tofurc):

  provider_installation {
    filesystem_mirror {
      path    = "$dir"
      include = ["*/ecrlayer/ecrlayer"]
    }
    direct {
      exclude = ["*/ecrlayer/ecrlayer"]
    }
  }

EOF
else
	for config in "${TF_CLI_CONFIG_FILE:-}" "$HOME/.terraformrc" "$HOME/.tofurc"; do
		if [ -f "$config" ] && grep -q '^[[:space:]]*provider_installation' "$config"; then
			echo "But $config has a provider_installation block, which may leave that directory out:"
			echo "it needs a filesystem_mirror with the path $dir."
			echo
		fi
	done
fi

echo "In a directory that was initialised with another build of $version, remove .terraform.lock.hcl and"
echo "run 'terraform init' (or 'tofu init') again."
