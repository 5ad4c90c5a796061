#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# docs.sh [check]
#
# Generates docs/ from the provider's schemas, templates/ and examples/. With
# "check" it changes nothing and fails if docs/ or the examples would change.

set -eu

cd "$(dirname -- "$0")/.."
cli=$(tools/terraform-cli.sh)

# tfplugindocs takes paths relative to the checkout only.
mkdir -p .cache
tmp=$(mktemp -d "$PWD/.cache/docs.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' HUP INT TERM

# tfplugindocs expects the namespace hashicorp.
mkdir "$tmp/config"
go build -o "$tmp/terraform-provider-ecrlayer$(go env GOEXE)" .
cat >"$tmp/terraformrc" <<END
provider_installation {
  dev_overrides {
    "registry.terraform.io/hashicorp/ecrlayer" = "$tmp"
  }
}
END
echo '{"terraform": {"required_providers": {"ecrlayer": {"source": "registry.terraform.io/hashicorp/ecrlayer"}}}}' >"$tmp/config/main.tf.json"
unset TF_CLI_ARGS TF_DATA_DIR TF_LOG TF_WORKSPACE
TF_CLI_CONFIG_FILE="$tmp/terraformrc" CHECKPOINT_DISABLE=1 "$cli" -chdir="$tmp/config" providers schema -json >"$tmp/schema.json"
if ! grep -q '"ephemeral_resource_schemas"' "$tmp/schema.json"; then
	echo "docs.sh: $cli has no ephemeral resources: use Terraform 1.10, OpenTofu 1.11 or later" >&2
	exit 1
fi

# quiet shows the output of a command only if it fails.
quiet() {
	"$@" >"$tmp/out" 2>&1 || {
		cat "$tmp/out" >&2
		return 1
	}
}

tfplugindocs() {
	quiet go tool -modfile=tools/tfplugindocs/go.mod tfplugindocs "$@" --provider-name ecrlayer --providers-schema "$tmp/schema.json"
}

if [ "${1:-}" = check ]; then
	tools/picture.sh check
	tfplugindocs generate --rendered-website-dir "${tmp#"$PWD"/}/docs"
	if ! diff -r -u docs "$tmp/docs" || ! "$cli" fmt -check -diff -recursive examples; then
		echo "docs.sh: run 'make docs' and commit the changes above" >&2
		exit 1
	fi
else
	quiet go test ./internal/provider -count=1 -run '^(TestTroubleshootingGuide|TestPolicies)$' -update
	"$cli" fmt -recursive examples
	tfplugindocs generate
fi
tfplugindocs validate
echo "docs/ is up to date"
