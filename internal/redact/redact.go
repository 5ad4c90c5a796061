// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

// Package redact makes text printable: without secrets, without characters that
// change what a terminal shows, and of limited length. Everything that the provider
// logs or reports passes through it, and every secret is passed to [Secret] or
// [SecretURL] before the first request that carries it.
//
// A secret that an endpoint transforms in a way of its own, such as by reversing it,
// is not recognized.
package redact

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Redacted replaces a secret.
const Redacted = "REDACTED"

// MaxMessage is the limit of a message of an endpoint in a diagnostic, in bytes.
const MaxMessage = 2 << 10

// maxQuoted is the limit of a value that a message quotes, in bytes.
const maxQuoted = 200

// Text returns the provider's own text, of one or more lines, without secrets and
// with U+FFFD for characters that change what a terminal shows. Parts of it that
// are foreign must have passed through [Line] or [Quote].
func Text(s string) string {
	return strings.Map(printable, redact(strings.ReplaceAll(s, "\r\n", "\n")))
}

// Line returns foreign text, such as an endpoint's message, as one line without
// secrets and of at most limit bytes. It redacts before it cuts, because a part of a
// secret is not recognized.
func Line(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) { // Line and paragraph separators, too.
			return ' '
		}
		return printable(r)
	}, redact(s))
	return cut(strings.TrimSpace(s), limit)
}

// Quote returns a foreign value as a quoted string without secrets and of limited
// length.
func Quote[S ~string](value S) string {
	return strconv.Quote(Line(string(value), maxQuoted))
}

// URL returns the URL of a request without user information, query and fragment.
// It parses the URL: a password may contain any delimiter of prose.
func URL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return "an invalid URL"
	}
	return Line(u.Scheme+"://"+u.Host+u.EscapedPath(), maxQuoted)
}

// cut returns s, or at most limit bytes of it and an ellipsis.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}

// printable replaces control characters but newline and tab, and format characters,
// among them the bidirectional controls (Unicode Standard Annex #9).
func printable(r rune) rune {
	if r != '\n' && r != '\t' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
		return unicode.ReplacementChar
	}
	return r
}

func redact(s string) string {
	s = known.redact(s)
	lower := strings.ToLower(s)
	for _, pattern := range patterns() {
		if slices.ContainsFunc(pattern.hints, func(hint string) bool { return strings.Contains(lower, hint) }) {
			s = pattern.ReplaceAllString(s, "${1}"+Redacted+"${2}")
		}
	}
	return s
}
