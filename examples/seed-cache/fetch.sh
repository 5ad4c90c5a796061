#!/bin/sh
# Copyright (c) The terraform-provider-ecrlayer authors
# SPDX-License-Identifier: MPL-2.0

# Fetches one blob into a content-addressed directory, blobs/sha256/<hex>, which it
# makes an OCI image layout. It takes from the environment:
#
#   LAYER_URL       where to fetch it: a pre-signed URL, so a secret
#   LAYER_DIGEST    what it must be: sha256:<hex>
#   CACHE_DIR       the directory
#   FETCH_ATTEMPTS  how often to try while nothing new arrives (8)
#   FETCH_BACKOFF   how many seconds to wait before the second try (1); it doubles
#   FETCH_STALL     after how many seconds to give up a connection on which nothing
#                   arrives (60)
#
# A blob that is there and intact is left alone; one that is corrupt is replaced.
# What arrived before an interruption is kept in .partial/, and the next run goes on
# from there. Nothing gets its final name before its SHA-256 is verified.
#
# Any number of runs can share the directory, also from several containers or hosts:
# each writes to files of its own, and goes by no process ID. The first that has the
# blob removes what the others have of it, and they end well too.
#
# Needs a POSIX shell, mktemp, curl, and sha256sum or shasum. The URL is never printed,
# is on no command line, and is in the environment of no command that is run here.

set -eu
umask 022

url=${LAYER_URL:?LAYER_URL is not set}
digest=${LAYER_DIGEST:?LAYER_DIGEST is not set}
cache=${CACHE_DIR:?CACHE_DIR is not set}
attempts=${FETCH_ATTEMPTS:-8}
backoff=${FETCH_BACKOFF:-1}
stall=${FETCH_STALL:-60}
unset LAYER_URL

hex=${digest#sha256:}

say() {
	echo "$digest: $*"
}

die() {
	say "$*" >&2
	exit 1
}

case $hex in
"$digest" | *[!0-9a-f]*) die "LAYER_DIGEST is not sha256: and hexadecimal digits" ;;
esac
[ ${#hex} -eq 64 ] || die "LAYER_DIGEST does not have 64 digits"

# Curl is told the URL in a line that these could end.
case $url in
*[[:space:]\"\\]*) die "LAYER_URL holds what is in no URL" ;;
http://?* | https://?*) ;;
*) die "LAYER_URL is not an HTTP URL" ;;
esac

command -v curl >/dev/null || die "curl is needed, and not installed"
if command -v sha256sum >/dev/null; then
	sha256() { sha256sum <"$1"; }
elif command -v shasum >/dev/null; then
	sha256() { shasum -a 256 <"$1"; }
else
	die "sha256sum or shasum is needed, and neither is installed"
fi

intact() {
	sum=$(sha256 "$1") && [ "${sum%% *}" = "$hex" ]
}

size() {
	bytes=$({ wc -c <"$1"; } 2>/dev/null) || bytes=0
	echo "$((bytes))"
}

blob=$cache/blobs/sha256/$hex
partial=$cache/.partial
kept=$partial/$hex # what a run that has ended leaves to the next
own=
part=

# create FILE CONTENT, unless it is there: index.json may list images by now.
create() {
	[ -e "$1" ] && return
	new=$(mktemp "$partial/new.XXXXXX")
	printf '%s\n' "$2" >"$new"
	chmod 644 "$new"
	mv -f "$new" "$1"
}

# finish MESSAGE: ends well. The blob is there, so nobody needs a part of it.
finish() {
	rm -rf "$kept" "$kept".* 2>/dev/null || :
	say "$*"
	exit 0
}

# empty: makes an empty part, unless another run has just removed the directory.
empty() {
	(: >"$part") 2>/dev/null || :
}

# leave: at the end, keeps what arrived, unless more is kept already.
leave() {
	if [ "$(size "$part")" -gt "$(size "$kept")" ]; then
		mv -f "$part" "$kept" || :
	fi
	rm -rf "$own" || :
} 2>/dev/null

# begin: makes a directory that no other run has, and gets into it the most of what
# others have. That is a copy, since one of them, or a curl that has outlived it, may
# still write to the original.
begin() {
	mkdir -p "$partial"
	own=$(mktemp -d "$kept.XXXXXX")
	part=$own/part
	empty
	for other in "$kept" "$kept".*/part; do
		if [ "$(size "$other")" -gt "$(size "$part")" ]; then
			cp "$other" "$part" 2>/dev/null || :
		fi
	done
	if [ "$(size "$part")" -ge "$(size "$kept")" ]; then
		rm -f "$kept"
	fi
	[ ! -s "$part" ] || place
}

# place: ends well if all of the blob is here. Returns if it is not, or has just been
# removed by another run.
place() {
	if intact "$part" 2>/dev/null; then
		message=$(mv -f "$part" "$blob" 2>&1) && finish "fetched, $(size "$blob") bytes"
		[ ! -e "$part" ] || die "$message"
	fi
}

# request ARGUMENT...: runs curl, which reads the URL from its standard input, and
# sets code to its exit code, status to the HTTP status, message to its complaint.
request() {
	code=0
	answer=$(
		curl --disable --config - --silent --show-error --location --proto '=http,https' \
			--connect-timeout "$stall" --speed-limit 1 --speed-time "$stall" \
			--write-out 'status=%{http_code}\n' "$@" 2>&1 <<-END
				url = "$url"
			END
	) || code=$?
	status=$(printf '%s\n' "$answer" | sed -n 's/^status=//p')
	# In case a version of curl repeats the URL: all from its ? on is secret.
	message=$(printf '%s\n' "$answer" | sed -e '/^status=/d' -e 's/[?][^ ]*/?.../g' -e 's/^curl: ([0-9]*) //' | tail -n 1)
}

# explain: ends with why the server refuses, as Amazon S3 puts it in XML. The body
# of that answer was not kept, lest it get into the blob, so it is asked for again.
# Returns if it is no longer refused.
explain() {
	refused=$status
	request --range 0-0 --max-time 60 --output "$own/refusal"
	[ -e "$part" ] || return 0
	case $code:$status in
	0:200 | 0:206)
		message="HTTP $refused, but not when asked again"
		return
		;;
	esac
	why=$(cat "$own/refusal" 2>/dev/null | tr -d '\r\n' | sed -n 's/.*<Code>\([^<]*\)<.*<Message>\([^<]*\)<.*/\1: \2/p')
	case $why in
	*"has expired"*)
		die "HTTP $refused, $why. The URL lived for an hour. Run again: that asks for a new one, and goes on after the $(size "$part") bytes that are here."
		;;
	?*) die "HTTP $refused, $why" ;;
	*) die "HTTP $refused, and no reason given. Is it Amazon S3 that answers, or a proxy on the way?" ;;
	esac
}

mkdir -p "$cache/blobs/sha256" "$partial"
create "$cache/oci-layout" '{"imageLayoutVersion":"1.0.0"}'
create "$cache/index.json" '{"schemaVersion":2,"manifests":[]}'

if [ -e "$blob" ]; then
	intact "$blob" && finish "already there"
	say "there, but corrupt: fetching it anew"
fi

trap leave EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

tries=0
corrupt=0
wait=$backoff
begin
while :; do
	# Another run has the blob and has cleared up, or somebody has emptied .partial/.
	if [ ! -e "$part" ]; then
		[ -e "$blob" ] && intact "$blob" && finish "another run was faster"
		begin
	fi
	before=$(size "$part")
	request --fail --continue-at - --output "$part"
	[ -e "$part" ] || continue

	case $code:$status in
	0:200 | 0:206 | 0:416 | 22:416)
		# The whole of it is here: then it is right, or it is worth nothing.
		place
		[ -e "$part" ] || continue
		empty
		corrupt=$((corrupt + 1))
		[ "$corrupt" -lt 3 ] || die "what the server sends has another digest, sha256:${sum%% *}, again and again"
		say "what arrived is corrupt: fetching it anew" >&2
		continue
		;;
	0:*) die "HTTP $status, which is no answer to a download" ;;
	22:408 | 22:429 | 22:5??) ;;
	22:*)
		explain
		[ -e "$part" ] || continue
		;;
	33:*)
		empty
		message="the server cannot resume"
		;;
	# Names, connections, TLS, timeouts, HTTP/2: what a network does.
	5:* | 6:* | 7:* | 16:* | 18:* | 28:* | 35:* | 52:* | 55:* | 56:* | 92:* | 95:*) ;;
	*) die "$message (curl exit code $code)" ;;
	esac

	tries=$((tries + 1))
	if [ "$(size "$part")" -gt "$before" ]; then
		tries=1 wait=$backoff
	fi
	[ "$tries" -lt "$attempts" ] || die "given up after $tries tries: $message"
	say "$message; next try in ${wait}s, from byte $(size "$part")" >&2
	sleep "$wait"
	wait=$((wait * 2))
	[ "$wait" -le 60 ] || wait=60
done
