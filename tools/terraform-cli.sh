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

absolute() {
	dir=$(CDPATH='' cd -- "$(dirname -- "$1")" && pwd)
	echo "${dir%/}/$(basename -- "$1")"
}

if [ -n "${TF_ACC_TERRAFORM_PATH:-}" ]; then
	if [ ! -f "$TF_ACC_TERRAFORM_PATH" ] || [ ! -x "$TF_ACC_TERRAFORM_PATH" ]; then
		echo "terraform-cli.sh: TF_ACC_TERRAFORM_PATH is $TF_ACC_TERRAFORM_PATH, which is not an executable file" >&2
		exit 1
	fi
	absolute "$TF_ACC_TERRAFORM_PATH"
	exit 0
fi

for command in terraform tofu; do
	path=$(command -v "$command" 2>/dev/null) || continue
	# Not what a version manager puts on the PATH before a version is installed.
	if (
		unset TF_CLI_ARGS TF_CLI_ARGS_version TF_CLI_CONFIG_FILE TF_WORKSPACE TF_LOG
		CHECKPOINT_DISABLE=1 "$path" version >/dev/null 2>&1
	); then
		absolute "$path"
		exit 0
	fi
	echo "terraform-cli.sh: skipping $path, as '$command version' fails" >&2
done

exec "$tools/build-cli.sh" opentofu
