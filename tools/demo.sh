#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# demo.sh BINARY
#
# Shows the provider at work on a local ECR, with commands that you could type.

set -eu

cd "$(dirname -- "$0")/.."
examples=$PWD/examples
cli=$(tools/terraform-cli.sh)
name=$(basename -- "$cli")

# Whatever interrupts the demo, and however often, it leaves nothing behind. Signals are
# ignored while mktemp runs and while the endpoint, which is $! if it has been started, ends.
trap '' HUP INT TERM
tmp=$(mktemp -d)
trap 'trap "" HUP INT TERM; set +eu; { kill "$!" && wait "$!"; } 2>/dev/null; rm -rf "$tmp"' EXIT
trap 'exit 130' HUP INT TERM
export TMPDIR="$tmp" # What an interrupted child leaves goes too.

[ ! -t 2 ] || echo "building the local ECR; the first time takes some minutes" >&2
go build -o "$tmp/ecrtest" ./internal/ecrtest/cmd/ecrtest
tools/install.sh "$1" 0.1.0 "$tmp/plugins" >/dev/null
"$tmp/ecrtest" -env "$tmp/env" >/dev/null &
until [ -f "$tmp/env" ]; do
	kill -0 "$!"
	sleep 1
done
# shellcheck source=/dev/null
. "$tmp/env"

unset TF_CLI_ARGS TF_DATA_DIR TF_LOG TF_WORKSPACE
export TF_CLI_CONFIG_FILE="$tmp/terraformrc" CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1 TF_INPUT=0
export TF_CLI_ARGS_init=-no-color TF_CLI_ARGS_plan=-no-color TF_CLI_ARGS_apply=-no-color
cat >"$TF_CLI_CONFIG_FILE" <<END
provider_installation {
  filesystem_mirror {
    path = "$tmp/plugins"
  }
}
END

mkdir "$tmp/work"
cd "$tmp/work"
cat >main.tf <<'END'
terraform {
  required_providers {
    ecrlayer = { source = "ecrlayer/ecrlayer" }
  }
}

data "ecrlayer_image" "app" {
  repository_name = "team/app"
  image_tag       = "1.0"
  platform        = "linux/arm64"
}

data "ecrlayer_download_urls" "app" {
  repository_name = "team/app"
  layer_digests   = data.ecrlayer_image.app.layer_digests
}

output "layer" {
  value = data.ecrlayer_image.app.layer_digests[1]
}
END

# Prints a command, then runs it.
run() {
	printf '\n$ %s\n' "$*" | sed -e "s|$cli|$name|" -e "s|$tmp/||g" >&2
	"$@"
}

run cat main.tf
run "$cli" init >init.log || { cat init.log && exit 1; }
run "$cli" apply -auto-approve

# The URL is a credential: curl reads it from standard input, not from its command line.
cat <<END

\$ digest=\$($name output -raw layer)
\$ url=\$(echo "nonsensitive(data.ecrlayer_download_urls.app.download_urls[\"\$digest\"])" | $name console)
\$ echo "url = \$url" | curl --fail --config - --output layer.tar.gz
END
digest=$("$cli" output -raw layer)
url=$(echo "nonsensitive(data.ecrlayer_download_urls.app.download_urls[\"$digest\"])" | "$cli" console)
echo "url = $url" | curl --fail --silent --show-error --config - --output layer.tar.gz

echo "${digest#sha256:}  layer.tar.gz" >SHA256SUMS
if command -v sha256sum >/dev/null; then
	run sha256sum -c SHA256SUMS
else
	run shasum -a 256 -c SHA256SUMS
fi
run tar -tzf layer.tar.gz

run "$cli" plan -detailed-exitcode

# The whole image, as OCI image layouts.
cp -R "$examples/seed-cache" "$tmp"
cd "$tmp/seed-cache"
printf '\n$ cd examples/seed-cache\n'
run cat main.tf
echo 'image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:1.0"' >terraform.tfvars
run cat terraform.tfvars
run "$cli" init >init.log || { cat init.log && exit 1; }
run "$cli" apply -auto-approve
run cat cache/linux-arm64/index.json
run "$tmp/ecrtest" -validate cache/linux-arm64
run "$cli" plan -detailed-exitcode
