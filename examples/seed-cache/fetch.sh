#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# fetch.sh
#
# Downloads a blob to CACHE_DIR/blobs/sha256, unless it is there and intact. The
# environment has CACHE_DIR, LAYER_DIGEST (sha256:<hex>), LAYER_SIZE in bytes, and
# LAYER_URL. The next run resumes what is interrupted. Needs curl 7.71 or later.

set -eu

url=$LAYER_URL
unset LAYER_URL # A secret: curl gets it on standard input only.
hex=${LAYER_DIGEST#sha256:}
blob=$CACHE_DIR/blobs/sha256/$hex
part=$CACHE_DIR/.partial/$hex

fail() {
	printf '%s: %s\n' "$LAYER_DIGEST" "$*" >&2
	exit 1
}

# A symlink or a FIFO is not regular.
regular() {
	[ -f "$1" ] && [ ! -L "$1" ]
}

intact() {
	regular "$1" || return
	sum=$(sha256sum <"$1" 2>/dev/null || shasum -a 256 <"$1")
	[ "${sum%% *}" = "$hex" ]
}

request() {
	curl --disable --config - --globoff --proto '=http,https' --silent --connect-timeout 30 --speed-time 60 --speed-limit 1 "$@" <<-END
		url = "$url"
	END
}

# Prints what the server says, without control characters.
explain() {
	said=$(request --range 0-0 --max-time 30 --max-filesize 65536 --write-out '<Status>%{http_code}' | LC_ALL=C tr -cd ' -~')
	code=$(printf '%s\n' "$said" | sed -n 's/.*<Code>\([^<]*\)<.*<Message>\([^<]*\)<.*/ \1: \2/p')
	host=${url#*://}
	host=${host%%[/?]*}
	printf 'HTTP %s from %s.%s' "${said##*<Status>}" "$host" "$code"
}

intact "$blob" && exit
mkdir -p -- "$CACHE_DIR/.partial" "$CACHE_DIR/blobs/sha256"
if ! regular "$part" || [ "$(wc -c <"$part")" -ge "$LAYER_SIZE" ]; then
	rm -f -- "$part"
fi
request --fail --show-error --retry 3 --retry-all-errors --continue-at - --max-filesize "$LAYER_SIZE" --output "$part" ||
	fail "$(explain) If the URL has expired, apply again. If access is denied, check that the policy of the VPC endpoint for S3 allows s3:GetObject on the bucket, prod-<region>-starport-layer-bucket."
intact "$part" || {
	rm -f -- "$part"
	fail "what was downloaded has another digest, and was deleted"
}
regular "$blob" || rm -f -- "$blob"
mv -f -- "$part" "$blob"
