// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

// Sanitize returns s as it may be printed: without the secrets that Redact and
// the control characters that Clean replaces.
func Sanitize(s string) string {
	return Redact(Clean(s))
}

// Clean returns s with a U+FFFD for every character that can change what a
// terminal shows: C0 (but newline and tab) and C1 control characters, among them
// ESC and CR, and bidirectional controls (Unicode Standard Annex #9). A CR before
// a newline is removed. What is not UTF-8 becomes U+FFFD, too.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ReplaceAll(s, "\r\n", "\n"))
}

// pattern is how a secret looks. The first group comes before the secret, the
// second one after it. Every match contains the hint in some case: regular
// expressions are slow, so that they are matched only where it is.
type pattern struct {
	hint string
	*regexp.Regexp
}

// fieldValue ends a pattern of a field by its name.
const fieldValue = `["'\\]*\s*(?:[:=>]|%3D)\s*["'\\]*)[^&\s"'\\<>,;]+`

// patterns are how secrets look in URLs, in what the SDK logs of a request and of
// its signature, in what AWS responds (which may repeat the request: an
// InvalidSignatureException contains all of its headers), and in the output of a
// credentials process.
//
// They are compiled at the first use, because that takes a quarter of a millisecond
// and Terraform starts a provider several times per run.
var patterns = sync.OnceValue(func() []pattern {
	return []pattern{
		// The user information and the query of a URL, and a percent-encoded query.
		{"@", regexp.MustCompile(`(:\\?/\\?/)[^\s/?#"'<>\\]*(@)`)},
		{"?", regexp.MustCompile(`(:\\?/\\?/[^\s?"'<>]*\?)(?:[^\s"'<>\\]|\\u[0-9a-fA-F]{4}|\\/)+`)},
		{"3f", regexp.MustCompile(`(?i)(%(?:25)*3A(?:%(?:25)*2F){2}[^\s?&"'<>]*?%(?:25)*3F)[^\s&"'<>\\]+`)},
		// A field, in JSON (also inside a JSON string), XML, a form or an INI file.
		{"token", regexp.MustCompile(`(?i)(\b(?:aws_)?(?:session|web_?identity|access|refresh|id)_?token` + fieldValue)},
		{"secret", regexp.MustCompile(`(?i)(\b(?:aws_)?(?:secret_?access_?key|client_?secret)` + fieldValue)},
		{"token", regexp.MustCompile(`(?i)("token\\*"\s*:\s*\\*")[^"\\]+`)},
		// A parameter of a pre-signed URL or a header: plain, percent-encoded however
		// often, in HTML, JSON, the text that is signed, or a printed http.Header.
		{"amz", regexp.MustCompile(`(?i)(X(?:-|%(?:25)*2D)Amz(?:-|%(?:25)*2D)(?:Signature|Credential|Security(?:-|%(?:25)*2D)Token|SSO_Bearer_Token)` +
			`["'\\]*(?:[ \t]*[:=][ \t]*|%(?:25)*3D|&#61;|&#x3D;|&equals;|\\u003d)(?:\[\]string\{)?[\["'\\]*)[^&\s"'<>\\\]]+`)},
		{"authorization", regexp.MustCompile(`(?i)(\bAuthorization["'\\]*\s*[:=]\s*(?:\[\]string\{)?[\["'\\]*)[^\r\n"'\]\\]+`)},
		{"signature=", regexp.MustCompile(`(?i)(\bSignature=)[^&\s"'<>\\,;]{16,}`)},
		// A JSON Web Token, as web identity tokens are, wherever it is.
		{"eyj", regexp.MustCompile(`()\beyJ[\w-]{8,}\.[\w-]+\.[\w-]+`)},
	}
})

// Redact returns s with every secret in it replaced: the values of AddSecret, the
// user information and the query of every URL, and credentials that stand beside
// their name.
func Redact(s string) string {
	s = secrets.redact(s)
	lower := strings.ToLower(s)
	for _, pattern := range patterns() {
		if strings.Contains(lower, pattern.hint) {
			s = pattern.ReplaceAllString(s, "${1}"+redacted+"${2}")
		}
	}
	return s
}

// maxQuoted is the most bytes of a value that an error quotes.
const maxQuoted = 200

// quote returns a value of a response in quotes, limited in length.
func quote[S ~string](value S) string {
	return strconv.Quote(Truncate(string(value), maxQuoted))
}

// Truncate returns s, or its first n bytes and an ellipsis.
func Truncate(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
