#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# terraform-cli.sh
#
# Prints the absolute path of the command that tests, demo and docs run as
# Terraform: $TF_ACC_TERRAFORM_PATH, else terraform on the PATH, else tofu on the
# PATH, else OpenTofu built from tools/opentofu.

set -eu

tools=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

[ -z "${TF_ACC_TERRAFORM_PATH:-}" ] || set -- "$TF_ACC_TERRAFORM_PATH"
[ $# -gt 0 ] || set -- terraform tofu
for command in "$@"; do
	path=$(command -v -- "$command") || continue
	# A version manager's shim fails until a version is installed.
	if (unset TF_CLI_ARGS TF_LOG TF_WORKSPACE && CHECKPOINT_DISABLE=1 TF_CLI_CONFIG_FILE=/dev/null "$path" version >/dev/null 2>&1); then
		echo "$(CDPATH='' cd -- "$(dirname -- "$path")" && pwd)/$(basename -- "$path")"
		exit 0
	fi
	echo "terraform-cli.sh: skipping $path, because '$path version' fails" >&2
done
if [ -n "${TF_ACC_TERRAFORM_PATH:-}" ]; then
	echo "terraform-cli.sh: TF_ACC_TERRAFORM_PATH is $TF_ACC_TERRAFORM_PATH, which is not a command that works" >&2
	exit 1
fi
exec "$tools/build-cli.sh" opentofu
