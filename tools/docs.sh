#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# docs.sh [check]
#
# Generates docs/ from the provider's schemas, templates/ and examples/. With
# "check" it changes nothing, and fails when docs/ is not what would be generated,
# when the registry would not show it, or when an example is not valid.

set -eu

tools=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "$tools/.."

mode=${1:-generate}
case $mode in
generate | check) ;;
*)
	echo "usage: docs.sh [check]" >&2
	exit 2
	;;
esac

cli=$("$tools/terraform-cli.sh")

# Inside the checkout, since tfplugindocs takes only paths relative to it.
mkdir -p .cache
tmp=$(mktemp -d "$PWD/.cache/docs.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# The provider is the one built here under each address that an example may use,
# and that Terraform and OpenTofu take for an address with parts left out.
mkdir "$tmp/plugin" "$tmp/config"
go build -o "$tmp/plugin/terraform-provider-ecrlayer$(go env GOEXE)" .
cat >"$tmp/terraformrc" <<EOF
provider_installation {
  dev_overrides {
    "registry.terraform.io/ecrlayer/ecrlayer"  = "$tmp/plugin"
    "registry.opentofu.org/ecrlayer/ecrlayer"  = "$tmp/plugin"
    "registry.terraform.io/hashicorp/ecrlayer" = "$tmp/plugin"
    "registry.opentofu.org/hashicorp/ecrlayer" = "$tmp/plugin"
  }
}
EOF
for variable in $(env | sed -n -e 's/^\(TF_[A-Za-z0-9_]*\)=.*/\1/p'); do
	unset "$variable"
done
export TF_CLI_CONFIG_FILE="$tmp/terraformrc"
export CHECKPOINT_DISABLE=1

# tfplugindocs looks for this address.
cat >"$tmp/config/main.tf" <<'EOF'
terraform {
  required_providers {
    ecrlayer = {
      source = "registry.terraform.io/hashicorp/ecrlayer"
    }
  }
}
EOF
if ! "$cli" -chdir="$tmp/config" providers schema -json >"$tmp/schema.json" 2>"$tmp/schema.err"; then
	cat "$tmp/schema.err" >&2
	exit 1
fi
if ! grep -q '"ephemeral_resource_schemas"' "$tmp/schema.json"; then
	echo "docs.sh: $cli is too old to know ephemeral resources: use Terraform 1.10 or OpenTofu 1.11, or newer" >&2
	exit 1
fi

run_tfplugindocs() {
	if ! go tool -modfile=tools/tfplugindocs/go.mod tfplugindocs "$@" --provider-name ecrlayer --providers-schema "$tmp/schema.json" >"$tmp/out" 2>&1; then
		cat "$tmp/out" >&2
		return 1
	fi
}

if [ "$mode" = generate ]; then
	"$cli" fmt -recursive examples
	run_tfplugindocs generate
	run_tfplugindocs validate
	echo "docs/ is up to date"
	exit 0
fi

failed=
fail() {
	echo "docs.sh: $1" >&2
	failed=yes
}

run_tfplugindocs generate --rendered-website-dir "${tmp#"$PWD"/}/docs"
if [ ! -d docs ] || ! diff -r -u docs "$tmp/docs" >&2; then
	fail "docs/ is stale, see the difference above: run 'make docs' and commit what it changes"
fi
run_tfplugindocs validate || fail "the registry would not show docs/ as it should, see above"

if ! "$cli" fmt -check -diff -recursive examples >&2; then
	fail "examples are not formatted, see above: run 'make docs'"
fi

# An example that needs another provider as well cannot be checked without that
# provider's registry.
: >"$tmp/skipped"
find examples -name '*.tf' -exec dirname {} \; | sort -u >"$tmp/examples"
while read -r example; do
	if "$cli" -chdir="$example" providers 2>/dev/null | grep 'provider\[' | grep -v -e '/ecrlayer\]' -e '/builtin/terraform\]' >/dev/null; then
		echo "$example" >>"$tmp/skipped"
	elif ! TF_DATA_DIR="$tmp/data" "$cli" -chdir="$example" validate -no-color >"$tmp/out" 2>&1; then
		cat "$tmp/out" >&2
		fail "$example is not valid, see above"
	fi
done <"$tmp/examples"

if [ -s "$tmp/skipped" ]; then
	echo "not validated, as they need other providers too:"
	sed 's/^/  /' "$tmp/skipped"
fi
[ -z "$failed" ] || exit 1
echo "docs/ is up to date, and all of it and of examples/ is valid"
