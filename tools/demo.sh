#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# demo.sh BINARY
#
# Shows the provider at work on a local ECR, with commands that you could type.

set -eu

cd "$(dirname -- "$0")/.."
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
printf 'provider_installation {\n  filesystem_mirror {\n    path = "%s"\n  }\n}\n' "$tmp/plugins" >"$TF_CLI_CONFIG_FILE"

mkdir "$tmp/bin" "$tmp/app"
printf '#!/bin/sh\nexec "%s" "$@"\n' "$cli" >"$tmp/bin/$name"
chmod +x "$tmp/bin/$name"
PATH=$tmp/bin:$PATH
sums=sha256sum
command -v sha256sum >/dev/null || sums='shasum -a 256'

# run PROMPT COMMAND prints a shell command, then runs it.
run() {
	printf '\n%s %s\n' "$1" "$2"
	eval "$2"
}

# shellcheck disable=SC2016 # These are fences of Markdown.
sed -n '/^```terraform$/,/^```$/{s/^```$//;/^```/!p;}' README.md >"$tmp/app/main.tf"
cd "$tmp/app"
run '$' 'cat main.tf'
run '$' "$name init >init.log" || { cat init.log && exit 1; }
run '$' "$name apply -auto-approve"
run '$' "$name output -raw curl >curl.conf"
run '$' "$name output -raw sha256sums >SHA256SUMS"

# Any machine that gets the two files.
(
	for variable in $(env | sed -n 's/^\(AWS_[A-Z0-9_]*\)=.*/\1/p'); do unset "$variable"; done
	run 'build-host$' 'env | grep AWS_ || :'
	run 'build-host$' 'curl --fail --fail-early --silent --show-error --config curl.conf'
	run 'build-host$' "$sums -c SHA256SUMS"
	run 'build-host$' 'tar -tzf layer1.tar.gz'
)

# The whole image, as an OCI image layout. What is lost comes back.
run '$' 'ls app/blobs/sha256'
run '$' 'rm app/blobs/sha256/3a*'
run '$' "$name apply -auto-approve"
run '$' 'ls app/blobs/sha256'

cat <<'END'

What you saw is the configuration of README.md. To go on, with the same local ECR:
  make install                          where terraform init and tofu init look first
  make endpoint ENV="$HOME/ecr.env"     in another terminal, then: . "$HOME/ecr.env"
  docs/guides/getting-started.md        step by step, and what to know before you build on it
  docs/guides/seeding-a-cache.md        images on disk: several platforms, repair, other machines
END
