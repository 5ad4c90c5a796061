// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package redact

import (
	"regexp"
	"sync"
)

// pattern is how a secret that nobody registered looks. The first group comes before
// the secret, the second one after it. Every match contains one of the hints in some
// case: regular expressions are slow, so that they are matched only where one is.
type pattern struct {
	hints []string
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
	compile := func(expression string, hints ...string) pattern {
		return pattern{hints, regexp.MustCompile(expression)}
	}
	return []pattern{
		// The user information and the query of a URL, and a percent-encoded query. RFC
		// 3986 allows a "'" in both.
		compile(`(:\\?/\\?/)[^\s/?#"<>\\]*(@)`, "@"),
		compile(`(:\\?/\\?/[^\s?"<>]*\?)(?:[^\s"<>\\]|\\u[0-9a-fA-F]{4}|\\/)+`, "?"),
		compile(`(?i)(%(?:25)*3A(?:%(?:25)*2F){2}[^\s?&"'<>]*?%(?:25)*3F)[^\s&"'<>\\]+`, "3f"),
		// The query of a relative URL.
		compile(`(/[^\s?"<>]*\?)[^\s"<>\\]*X-Amz-[^\s"<>\\]*`, "x-amz-"),
		// A field, in JSON (also inside a JSON string), XML, a form or an INI file.
		compile(`(?i)(\b(?:aws_)?(?:session|web_?identity|access|refresh|id)_?token`+fieldValue, "token"),
		compile(`(?i)(\b(?:aws_)?(?:secret_?access_?key|client_?secret)`+fieldValue, "secret"),
		compile(`(?i)("token\\*"\s*:\s*\\*")[^"\\]+`, "token"),
		// A parameter of a pre-signed URL or a header: plain, percent-encoded however
		// often, in HTML, JSON, the text that is signed, or a printed http.Header.
		compile(`(?i)(X(?:-|%(?:25)*2D)Amz(?:-|%(?:25)*2D)(?:Signature|Credential|Security(?:-|%(?:25)*2D)Token|SSO_Bearer_Token)`+
			`["'\\]*(?:[ \t]*[:=][ \t]*|%(?:25)*3D|&#61;|&#x3D;|&equals;|\\u003d)(?:\[\]string\{)?[\["'\\]*)[^&\s"'<>\\\]]+`, "amz"),
		compile(`(?i)(\bAuthorization["'\\]*\s*[:=]\s*(?:\[\]string\{)?[\["'\\]*)[^\r\n"'\]\\]+`, "authorization"),
		compile(`(?i)(\bSignature=)[^&\s"'<>\\,;]{16,}`, "signature="),
		// A JSON Web Token, as web identity tokens are, wherever it is.
		compile(`()\beyJ[\w-]{8,}\.[\w-]+\.[\w-]+`, "eyj"),
	}
})
