#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# test.sh [ARGUMENT of go test]...
#
# Runs the tests, acceptance tests included, on a real Terraform or OpenTofu (see
# terraform-cli.sh) without the caller's AWS settings, Terraform settings and proxies.
# Without a package among the arguments, all packages are tested. With
# ECRLAYER_AWS_REPOSITORY and ECRLAYER_AWS_TAG, the tests that read AWS run too.

set -eu

tools=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "$tools/.."

packages=./...
for argument in "$@"; do
	case $argument in
	. | ./*) packages= ;;
	esac
done

cli=$("$tools/terraform-cli.sh")

# Fetch the modules now, while a proxy can still be used for that.
go list -deps -test ./... >/dev/null

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' HUP INT TERM
: >"$tmp/terraformrc"

# All of AWS_* and TF_* but what terraform-plugin-testing offers for debugging.
for variable in $(env | sed -n -E 's/^((AWS|TF)_[A-Za-z0-9_]*)=.*/\1/p'); do
	case $variable in
	AWS_*) [ -n "${ECRLAYER_AWS_REPOSITORY:-}" ] || unset "$variable" ;;
	TF_ACC_LOG | TF_ACC_LOG_PATH | TF_LOG_PATH_MASK | TF_ACC_TEMP_DIR | TF_ACC_PERSIST_WORKING_DIR) ;;
	*) unset "$variable" ;;
	esac
done
unset HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy

export TF_ACC=1
export TF_ACC_TERRAFORM_PATH="$cli"
export TF_CLI_CONFIG_FILE="$tmp/terraformrc"
export CHECKPOINT_DISABLE=1

# OpenTofu takes "hashicorp/x" for one of its own registry's.
version=$("$cli" version | head -n 1)
case $version in
OpenTofu*)
	export TF_ACC_PROVIDER_HOST=registry.opentofu.org
	export TF_ACC_PROVIDER_NAMESPACE=hashicorp
	;;
esac

echo "testing with $version ($cli)" >&2
go test $packages "$@"
