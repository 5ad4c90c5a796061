// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
)

const redacted = "REDACTED"

// secrets is how a secret looks in an URL, in what the SDK logs of a request and
// of its signature, in what AWS answers (which may repeat the request: an
// InvalidSignatureException has all of its headers), and in what a credentials
// process prints. All of a match but its first group is the secret.
var secrets = sync.OnceValue(func() []*regexp.Regexp {
	return []*regexp.Regexp{
		// A pre-signed URL, in plain text or percent-encoded, however often.
		regexp.MustCompile(`(?i)(X-Amz-(?:Signature|Credential|Security-Token)(?:=|%(?:25)*3D|\\u003d))[^&\s"'<>\\]+`),
		// A header: by itself, in the text that is signed, in a printed http.Header.
		regexp.MustCompile(`(?i)(X-Amz-(?:Security-Token|SSO_Bearer_Token)["'\\]*\s*:\s*(?:\[\]string\{)?[\["'\\]*)[^\s"'\]\\<>&]+`),
		regexp.MustCompile(`(?i)(\bAuthorization["'\\]*\s*[:=]\s*(?:\[\]string\{)?[\["'\\]*)[^\r\n"'\]\\]+`),
		regexp.MustCompile(`(?i)(\bSignature=)[0-9a-f]{16,}`),
		// A field, in JSON (also inside a JSON string), XML, a form or an INI file.
		regexp.MustCompile(`(?i)(\b(?:aws_)?(?:secret_?access_?key|session_?token|web_?identity_?token|access_?token|refresh_?token|id_?token|client_?secret)` +
			`["'\\]*\s*(?:[:=>]|%3D)\s*["'\\]*)[^&\s"'\\<>,;]+`),
		regexp.MustCompile(`(?i)("token\\*"\s*:\s*\\*")[^"\\]+`),
		// A JSON Web Token, as web identity tokens are, wherever it is.
		regexp.MustCompile(`()\beyJ[\w-]{8,}\.[\w-]+\.[\w-]+`),
	}
})

// Redact returns s with every secret in it replaced: the signature, the
// credential and the security token of pre-signed URLs, and what AWS credentials
// are made of, where their name is beside them.
func Redact(s string) string {
	for _, secret := range secrets() {
		s = secret.ReplaceAllString(s, "${1}"+redacted)
	}
	return s
}

// maxQuoted is the most bytes of a value that an error quotes.
const maxQuoted = 200

// quote returns a value of a response in quotes, limited in length.
func quote[S ~string](value S) string {
	return strconv.Quote(truncate(string(value), maxQuoted))
}

// truncate returns s, or its first n bytes and an ellipsis.
func truncate(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
