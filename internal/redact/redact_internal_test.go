// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package redact

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestRedact(t *testing.T) {
	t.Parallel()
	const (
		secretKey  = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
		token      = "IQoJb3JpZ2luX2VjEJv//////////wEaCXVzLWVhc3QtMSJHMEUCIQ=="
		encoded    = "IQoJb3JpZ2luX2VjEJv%2F%2F%2F%3D"
		credential = "ASIAEXAMPLE%2F20261125%2Fus-east-1%2Fs3%2Faws4_request"
		signature  = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
		jwt        = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJyZXBvOm9yZy9hcHAifQ.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"
		opaque     = "0123-opaque_token"
		password   = "pass:w@rd"
	)
	// A URL as ECR returns it, whose host must be kept.
	presigned := "https://kept-starport-layer-bucket.s3.us-east-1.amazonaws.com/1/2?X-Amz-Security-Token=" + encoded +
		"&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20261125T103000Z&X-Amz-SignedHeaders=host&X-Amz-Expires=3600&X-Amz-Credential=" + credential +
		"&X-Amz-Signature=" + signature
	_, query, _ := strings.Cut(presigned, "?")
	header := http.Header{"X-Amz-Security-Token": {token}, "Authorization": {"AWS4-HMAC-SHA256 Signature=" + signature}}
	tests := map[string]string{
		"request":                           "POST / HTTP/1.1\r\nAuthorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261125/us-east-1/ecr/aws4_request, SignedHeaders=host;x-amz-security-token, Signature=" + signature + "\r\nX-Amz-Security-Token: " + token + "\r\nHost: kept\r\n",
		"bearer":                            "Authorization: Bearer " + opaque + "\r\nHost: kept",
		"container token":                   "authorization: " + opaque + "\nkept",
		"printed header":                    fmt.Sprintf("kept %v", header),
		"Go syntax":                         fmt.Sprintf("kept %#v", header),
		"canonical request":                 "POST\n/\n\nhost:kept\nx-amz-date:20261125T103000Z\nx-amz-security-token:" + token + "\nx-amz-target:kept\n\nhost;x-amz-date;x-amz-security-token",
		"canonical request in a JSON error": `{"message":"should have been\n'POST\nx-amz-security-token:` + token + `\n\nkept'"}`,
		"authorization assignment":          "Authorization=AWS4-HMAC-SHA256 Credential=A, Signature=" + signature + "\nkept",
		"STS response":                      "<Credentials><AccessKeyId>kept</AccessKeyId><SecretAccessKey>" + secretKey + "</SecretAccessKey><SessionToken>" + token + "</SessionToken></Credentials>",
		"STS request":                       "Action=AssumeRoleWithWebIdentity&WebIdentityToken=" + jwt + "&Version=kept",
		"STS request with an opaque token":  "WebIdentityToken=" + opaque + "&Version=kept",
		"credential process":                `parse failed of process output: {"Version": "kept", "SecretAccessKey": "` + secretKey + `", "SessionToken" : "` + token + `"}`,
		"container credentials":             `{"AccessKeyId":"kept","SecretAccessKey":"` + secretKey + `","Token":"` + token + `"}`,
		"JSON in JSON":                      `{"body":"{\"AccessKeyId\":\"kept\",\"secretAccessKey\":\"` + secretKey + `\",\"Token\":\"` + token + `\"}"}`,
		"IAM Identity Center request":       "X-Amz-Sso_bearer_token: " + opaque + "\nkept",
		"IAM Identity Center response":      `{"accessToken":"` + opaque + `","refreshToken":"` + opaque + `","idToken":"` + jwt + `","tokenType":"kept"}`,
		"credentials file":                  "[default]\naws_access_key_id = kept\naws_secret_access_key = " + secretKey + "\naws_session_token=" + token + "\n",
		"environment":                       "AWS_SECRET_ACCESS_KEY=" + secretKey + " AWS_SESSION_TOKEN=" + token + " AWS_REGION=kept",
		"only a JSON Web Token":             "open " + jwt + ": file name too long, kept",

		"URL":                       presigned,
		"URL in a Go error":         `Get "` + presigned + `": connection reset by peer`,
		"URL in JSON":               `{"downloadUrl":"` + strings.ReplaceAll(presigned, "&", `\u0026`) + `"}`,
		"URL in JSON in JSON":       `{"body":"{\"downloadUrl\":\"` + presigned + `\"}"}`,
		"URL in PHP's JSON":         strings.ReplaceAll(presigned, "/", `\/`),
		"URL in HTML":               `<a href="` + strings.ReplaceAll(presigned, "&", "&amp;") + `">`,
		"URL in lowercase":          strings.ReplaceAll(presigned, "X-Amz", "x-amz"),
		"URL on a line":             presigned + "\nnext line",
		"URL percent-encoded":       strings.NewReplacer("=", "%3D", "&", "%26", ":", "%3A", "/", "%2F", "?", "%3F").Replace(presigned),
		"URL percent-encoded twice": strings.NewReplacer("=", "%253D", "&", "%2526", ":", "%253A", "/", "%252F", "?", "%253F", "%2F", "%252F").Replace(presigned),
		"URLs":                      presigned + " " + presigned,
		"only a query":              "kept " + query,
		"query with &#61;":          "kept " + strings.ReplaceAll(query, "=", "&#61;"),
		"query with &#x3D;":         "kept " + strings.ReplaceAll(query, "=", "&#x3D;"),
		"query with spaces":         "kept " + strings.ReplaceAll(query, "=", " = "),
		"query as headers":          "kept " + strings.NewReplacer("=", ": ", "&", "\n").Replace(query),
		"query with %2D":            "kept " + strings.ReplaceAll(query, "-", "%2D"),
		"CloudFront":                "https://kept.cloudfront.net/k?Expires=1900000000&Signature=" + opaque + "&Key-Pair-Id=" + opaque,
		"CloudFront query":          "kept Expires=1900000000&Signature=" + strings.ReplaceAll(token, "/", "~"),
		"Cloudflare":                "https://kept.cloudflare.example/k?verify=1900000000-" + opaque,
		"S3 Signature Version 2":    "http://kept/k?AWSAccessKeyId=AKIA&Expires=1900000000&Signature=" + opaque,
		"endpoint with a password":  "dial http://user:" + password + "@kept:4566/path",
		"proxy with a password":     `parse "socks5h://user:` + password + `@kept:1080": invalid`,
		"token as a user":           "https://" + opaque + "@kept/path",
		"endpoint with a query":     "sts.endpoint=https://kept/?tok=" + opaque,
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := redact(text)
			for _, secret := range []string{secretKey, token, strings.ReplaceAll(token, "/", "~"), signature, jwt, opaque, "ASIAEXAMPLE", "IQoJb3JpZ2luX2Vj", "pass:w", "w@rd"} {
				if strings.Contains(got, secret) {
					t.Errorf("%q remains in %s", secret, got)
				}
			}
			if !strings.Contains(got, "kept") {
				t.Errorf("removed more than the secrets: %s", got)
			}
			if again := redact(got); again != got {
				t.Errorf("redacting it again changes it to %s", again)
			}
		})
	}
}

func TestRedactKeepsProse(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"ExpiredTokenException: The security token included in the request is expired",
		"InvalidIdentityToken: Couldn't retrieve verification key from your identity provider",
		"InvalidToken: The provided token is malformed or otherwise invalid.",
		"InvalidSignatureException: The request signature we calculated does not match the signature you provided.",
		"SignedHeaders=host;x-amz-date;x-amz-security-token;x-amz-target",
		"the environment variables AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; the web identity token of AWS_WEB_IDENTITY_TOKEN_FILE",
		"access_key, secret_key and token of the provider block; the profile",
		"is not authorized to perform: ecr:GetDownloadUrlForLayer on resource: arn:aws:ecr:us-east-1:123456789012:repository/team/token",
		"https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageFailure.html",
		"Does https://host/path? respond; 123456789012.dkr.ecr.us-east-1.amazonaws.com/app@sha256:0123",
		"sha256:6af90d27c9872f890465298c2397430c3e024f2404335bb93afb680ec093992b",
	} {
		if got := redact(text); got != text {
			t.Errorf("redact(%q) = %q", text, got)
		}
	}
}

func TestRedactKnownSecrets(t *testing.T) {
	t.Parallel()
	const value = "pa ss/word+1234&<x>"
	Secret(value, "short", "")
	Signatures("https://host/k?X-Amz-Date=20261125T103000Z&X-Amz-Signature=0a1b2c3d4e5f60718293a4b5c6d7e8f9&x=1")
	Signatures("https://host/k?X-Amz-Security-Token=IQoJb3JpZ2luX2VjEXAMPLE&X-Amz-Signature=1a1b2c3d4e5f60718293a4b5c6d7e8f9")
	Signatures("https://host/k?skoid=11111111-1111-1111-1111-111111111111&sktid=22222222-1111-1111-1111-111111111111&skt=2026-01-31T12%3A00%3A00Z&ske=2026-01-31T13%3A00%3A00Z&se=2026-01-31T13%3A00%3A01Z&sig=the-signature-of-azure")
	Signatures("https://host/k?Expires=1900000000&Signature=cloud~front-signature%2Bvalue&Policy=shorter")
	SecretURL("http://user:it's%20a-password@proxy:3128/?key=some-api-key")
	for text, want := range map[string]string{
		"the password is " + value + ".":                                             "the password is REDACTED.",
		value + value:                                                                "REDACTEDREDACTED",
		"percent-encoded " + url.QueryEscape(value):                                  "percent-encoded REDACTED",
		"lowercase pa%20ss%2fword%2b1234%26%3cx%3e":                                  "lowercase REDACTED",
		"twice pa%2520ss%252Fword%252B1234%2526%253Cx%253E.":                         "twice REDACTED.",
		"path " + url.PathEscape(value):                                              "path REDACTED",
		"HTML " + html.EscapeString(value):                                           "HTML REDACTED",
		"HTML pa&#x20;ss&#47;word&#43;1234&amp;&lt;x&gt;":                            "HTML REDACTED",
		`JSON pa ss\/word\u002b1234\u0026\u003Cx\u003E`:                              "JSON REDACTED",
		"wrapped pa ss/wo\n  rd+1234&<x>":                                            "wrapped REDACTED",
		"cut off pa ss/word+1":                                                       "cut off REDACTED",
		"too little of it: pa ss/w":                                                  "too little of it: pa ss/w",
		"signed 0a1b2c3d4e5f60718293a4b5c6d7e8f9":                                    "signed REDACTED",
		"by IQoJb3JpZ2luX2VjEXAMPLE":                                                 "by REDACTED",
		"signed the-signature-of-azure":                                              "signed REDACTED",
		"signed cloud~front-signature+value, or not":                                 "signed REDACTED, or not",
		"signed sig=cloud~front-signature%2Bvalue":                                   "signed sig=REDACTED",
		"a short text, shorter, of 20261125T103000Z":                                 "a short text, shorter, of 20261125T103000Z",
		"the start of one: 0a1b2c3d4e5f6071829 end":                                  "the start of one: 0a1b2c3d4e5f6071829 end",
		"password it's a-password":                                                   "password REDACTED",
		"Basic " + base64.StdEncoding.EncodeToString([]byte("user:it's a-password")): "Basic REDACTED",
		"the key some-api-key":                                                       "the key REDACTED",
	} {
		if got := redact(text); got != want {
			t.Errorf("redact(%q) = %q, want %q", text, got, want)
		}
	}
}

// What an endpoint sends must not displace the secrets of the session.
func TestWithoutQuery(t *testing.T) {
	t.Parallel()
	for raw, values := range map[string][]string{
		"https://bucket/k?X-Amz-Credential=AKIAEXAMPLE%2F20261125%2Fs3&X-Amz-Security-Token=IQoJb3JpZ2luX2Vj%2Btoken&X-Amz-Expires=3600&X-Amz-Signature=9a1b2c3d4e5f60718293a4b5c6d7e8f9": {
			"AKIAEXAMPLE/20261125/s3", "AKIAEXAMPLE%2F20261125%2Fs3", "IQoJb3JpZ2luX2Vj+token", "iqojb3", "9a1b2c3d4e5f60718293a4b5c6d7e8f9", "9a1b2c3d4e5f6071 8293a4b5c6d7e8f9",
		},
		"https://account.blob/k?skoid=1-11111111-2222&sktid=2-11111111-2222&se=2026-01-31T13%3A00%3A00Z&sig=a%2Fb%2Bsignature%3D": {"a/b+signature=", "1-11111111-2222"},
		"https://cdn/k?e=1700000000&h=abcd1234abcd1234": {"abcd1234abcd1234"},
	} {
		raw += "&x-id=GetObject&X-Amz-Algorithm=AWS4-HMAC-SHA256"

		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		for _, value := range values {
			want := "not " + Redacted + ", 3600"
			if len(value) < minSecret {
				want = "not " + value + ", 3600"
			}
			if got := WithoutQuery("not "+value+", 3600", u); got != want || WithoutQuery("GetObject by AWS4-HMAC-SHA256", u) != "GetObject by AWS4-HMAC-SHA256" {
				t.Errorf("WithoutQuery(%q) = %q, want %q", value, got, want)
			}
		}
	}
}

func TestSignaturesAreBoundedAndSecretsStay(t *testing.T) {
	t.Parallel()
	var s store
	s.addSecret("the-session-token")
	for n := range maxSignatures + 1 {
		s.addSignatures(fmt.Sprintf("signature-%020d", n))
	}
	if len(s.signatures) != maxSignatures || len(s.order) != maxSignatures {
		t.Errorf("%d signatures in order %d, want %d", len(s.signatures), len(s.order), maxSignatures)
	}
	oldest, newest := fmt.Sprintf("signature-%020d", 0), fmt.Sprintf("signature-%020d", maxSignatures)
	text := "the-session-token " + oldest + " " + newest
	if got, want := s.redact(text), "REDACTED "+oldest+" REDACTED"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for n := range maxSecrets {
		s.addSecret(fmt.Sprintf("renewed token %d", n))
	}
	if got := s.redact("the-session-token, renewed token 0"); got != "the-session-token, REDACTED" {
		t.Errorf("got %q after many renewals", got)
	}
	var one store
	var query []string
	for n := range 2 * maxPerURL {
		query = append(query, fmt.Sprintf("a=signature-%020d", n))
	}
	if one.addURL("https://h/k?" + strings.Join(query, "&")); len(one.signatures) != maxPerURL {
		t.Errorf("one URL added %d values, want %d", len(one.signatures), maxPerURL)
	}
}

func TestLineAndText(t *testing.T) {
	t.Parallel()
	Secret(strings.Repeat("cut-secret", 10))
	for name, test := range map[string]struct{ got, want string }{
		"plain text":                 {Text("plain\ttext,\nünïcode 漢字 🙂"), "plain\ttext,\nünïcode 漢字 🙂"},
		"carriage returns":           {Text("one\r\ntwo\rthree"), "one\ntwo\ufffdthree"},
		"escape sequences":           {Text("\x1b[31mred\x1b[0m"), "\ufffd[31mred\ufffd[0m"},
		"C0 characters":              {Text("bell\a backspace\b null\x00 delete\x7f"), "bell\ufffd backspace\ufffd null\ufffd delete\ufffd"},
		"C1 characters":              {Text("C1 \u009b31m, \x9b31m"), "C1 \ufffd31m, \ufffd31m"},
		"bidirectional controls":     {Text("\u202eoverride\u202c \u2066isolate\u2069"), "\ufffdoverride\ufffd \ufffdisolate\ufffd"},
		"line separators":            {Text("a\u2028b\u2029c\u200bd"), "a\ufffdb\ufffdc\ufffdd"},
		"a secret with an escape":    {Text("X-Amz-Signature=01\x1b[23&kept"), "X-Amz-Signature=REDACTED&kept"},
		"a message of several lines": {Line("x.\n\nError: forged\r\n2026\u2028[ERROR]\vforged ", 100), "x.  Error: forged  2026 [ERROR] forged"},
		"a long message":             {Line("äöü", 3), "ä…"},
		"a secret at the limit":      {Line("x "+strings.Repeat("cut-secret", 10), 20), "x REDACTED"},
		"a quoted value":             {Quote("a\nb\"" + strings.Repeat("c", 300)), strconv.Quote("a b\"" + strings.Repeat("c", 196) + "…")},
		"a URL":                      {URL("http://user:pa'ss@host:1/a%20b/c?q=1#f"), "http://host:1/a%20b/c"},
		"an invalid URL":             {URL("http://us er:pass@host"), "an invalid URL"},
		"a URL without a host":       {URL("/k?X-Amz-Signature=1"), "an invalid URL"},
	} {
		if test.got != test.want {
			t.Errorf("%s: got %q, want %q", name, test.got, test.want)
		}
	}
}

// BenchmarkRedact shows that a text costs the same after many URLs as before.
func BenchmarkRedact(b *testing.B) {
	text := strings.Repeat("GetDownloadUrlForLayer of sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 ", 164)
	for _, urls := range []int{0, 32_768} {
		s := store{secrets: []string{"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", strings.Repeat("token", 200)}}
		s.addSignatures("one-signature-of-a-url")
		for n := range urls {
			s.addSignatures(fmt.Sprintf("GetDownloadUrlForLayer%064x", n))
		}
		b.Run(fmt.Sprintf("urls=%d", urls), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				s.redact(text)
			}
		})
	}
}

// No context may preserve a secret, and redacting a text again must not change it.
func FuzzRedact(f *testing.F) {
	const secret = "Zm9vYmFyc2VjcmV0MDEyMzQ1Njc4OWFiY2RlZg"
	f.Add("", "")
	f.Add("Get \"", "\": connection reset by peer")
	f.Add(`{"downloadUrl":"`, `"}`)
	f.Add("eyJhbGciOiJSUzI1NiJ9.eyJ", ".x")
	f.Add("X-Amz-Security-Token=", "&X-Amz-Signature=")
	f.Add("Authorization: ", "\r\nHost: x")
	f.Add("%", "%25")
	f.Fuzz(func(t *testing.T, before, after string) {
		if strings.Contains(before+after, secret) {
			return
		}
		// Each form ends the secret with a delimiter.
		for _, form := range []string{
			"?X-Amz-Signature=" + secret + "&", "&x-amz-credential=" + secret + "\n", "?X-Amz-Security-Token%3D" + secret + "&",
			`{"SecretAccessKey":"` + secret + `"}`, "<SessionToken>" + secret + "</SessionToken>", " aws_secret_access_key = " + secret + "\n",
			"\nX-Amz-Security-Token: " + secret + "\r\n", "\nAuthorization: Bearer " + secret + "\n",
		} {
			got := redact(before + form + after)
			if strings.Contains(got, secret) {
				t.Errorf("the secret remains in %q", got)
			}
			if again := redact(got); again != got {
				t.Errorf("redacting %q again changes it to %q", got, again)
			}
		}
	})
}

// In no spelling that an endpoint repeats it in may a registered secret remain.
func FuzzSecretSpellings(f *testing.F) {
	f.Add("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "before ", " after")
	f.Add("pa ss/word+1234&<x>'\"", "", "%")
	f.Fuzz(func(t *testing.T, secret, before, after string) {
		visible := strings.Join(strings.Fields(secret), "")
		if len(visible) < minSecret || !utf8.ValidString(secret) || strings.ContainsAny(secret, "%\\&") || strings.Contains(before+Redacted+after, visible) {
			return
		}
		for _, r := range secret {
			if r > unicode.MaxASCII || unicode.IsControl(r) {
				return // No key, token or password has one.
			}
		}
		var s store
		s.addSecret(secret)
		s.addSecret(strings.ReplaceAll(secret, " ", "+"))
		quoted, _ := json.Marshal(secret)
		lower := regexp.MustCompile(`%[0-9A-F]{2}`).ReplaceAllStringFunc(url.QueryEscape(secret), strings.ToLower)
		for _, spelling := range []string{
			secret, url.QueryEscape(secret), lower, url.PathEscape(secret), html.EscapeString(secret), string(quoted[1 : len(quoted)-1]),
			strings.ReplaceAll(secret, "/", `\/`), url.QueryEscape(url.QueryEscape(secret)),
		} {
			// The delimiter keeps what is around the secret from becoming a part of an escape.
			if got := s.redact(before + " " + spelling + " " + after); strings.Contains(got, spelling) && !strings.Contains(before+after, spelling) {
				t.Errorf("%q remains in %q", spelling, got)
			}
		}
	})
}

// Whatever the user information of a URL, what is printed of it has no password.
func FuzzUserInformation(f *testing.F) {
	for _, password := range []string{"'", "pa'PASSWORD", "p@ss:word/1234", "%27%22%3C%3E-password"} {
		f.Add(password)
	}
	f.Fuzz(func(t *testing.T, password string) {
		raw := "https://user:" + password + "@host.example/path?key=value"
		u, err := url.Parse(raw)
		if err != nil || u.User == nil {
			return
		}
		if got := URL(raw); got != "https://host.example/path" {
			t.Skip("the password ends the authority") // As in "https://user:@evil/..@host".
		}
		SecretURL(raw)
		decoded, _ := u.User.Password()
		const rest = "GET https://user:@host.example/path?key=value: no response " + Redacted
		got := Text("GET " + raw + ": no response")
		if strings.Contains(got, ":"+password+"@") || len(decoded) >= minSecret && strings.Contains(got, decoded) && !strings.Contains(rest, decoded) {
			t.Errorf("the password remains in %q", got)
		}
	})
}
