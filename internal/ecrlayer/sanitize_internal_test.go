// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"
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
	url := "https://kept-starport-layer-bucket.s3.us-east-1.amazonaws.com/1/2?X-Amz-Security-Token=" + encoded +
		"&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20261125T103000Z&X-Amz-SignedHeaders=host&X-Amz-Expires=3600&X-Amz-Credential=" + credential +
		"&X-Amz-Signature=" + signature
	_, query, _ := strings.Cut(url, "?")
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

		"URL":                       url,
		"URL in a Go error":         `Get "` + url + `": connection reset by peer`,
		"URL in JSON":               `{"downloadUrl":"` + strings.ReplaceAll(url, "&", `\u0026`) + `"}`,
		"URL in JSON in JSON":       `{"body":"{\"downloadUrl\":\"` + url + `\"}"}`,
		"URL in PHP's JSON":         strings.ReplaceAll(url, "/", `\/`),
		"URL in HTML":               `<a href="` + strings.ReplaceAll(url, "&", "&amp;") + `">`,
		"URL in lowercase":          strings.ReplaceAll(url, "X-Amz", "x-amz"),
		"URL on a line":             url + "\nnext line",
		"URL percent-encoded":       strings.NewReplacer("=", "%3D", "&", "%26", ":", "%3A", "/", "%2F", "?", "%3F").Replace(url),
		"URL percent-encoded twice": strings.NewReplacer("=", "%253D", "&", "%2526", ":", "%253A", "/", "%252F", "?", "%253F", "%2F", "%252F").Replace(url),
		"URLs":                      url + " " + url,
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
			got := Redact(text)
			for _, secret := range []string{secretKey, token, strings.ReplaceAll(token, "/", "~"), signature, jwt, opaque, "ASIAEXAMPLE", "IQoJb3JpZ2luX2Vj", "pass:w", "w@rd"} {
				if strings.Contains(got, secret) {
					t.Errorf("%q remains in %s", secret, got)
				}
			}
			if !strings.Contains(got, "kept") {
				t.Errorf("removed more than the secrets: %s", got)
			}
			if again := Redact(got); again != got {
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
		if got := Redact(text); got != text {
			t.Errorf("Redact(%q) = %q", text, got)
		}
	}
}

func TestRedactKnownSecrets(t *testing.T) {
	t.Parallel()
	const value = "pa ss/word+1234"
	AddSecret(value, "short", "")
	addURLSecrets("https://host/k?X-Amz-Date=20261125T103000Z&X-Amz-Signature=0a1b2c3d4e5f60718293a4b5c6d7e8f9&x=1")
	addURLSecrets("https://host/k?Expires=1900000000&Signature=cloud~front-signature%2Bvalue&Policy=shorter")
	for text, want := range map[string]string{
		"the password is " + value + ".":                "the password is REDACTED.",
		value + value:                                   "REDACTEDREDACTED",
		"percent-encoded pa+ss%2Fword%2B1234":           "percent-encoded REDACTED",
		"signed 0a1b2c3d4e5f60718293a4b5c6d7e8f9":       "signed REDACTED",
		"signed cloud~front-signature+value, or not":    "signed REDACTED, or not",
		"signed cloud~front-signature%2Bvalue":          "signed REDACTED",
		"a short text, shorter, of 20261125T103000Z":    "a short text, shorter, of 20261125T103000Z",
		"the start of another: 0a1b2c3d4e5f6071829 end": "the start of another: 0a1b2c3d4e5f6071829 end",
	} {
		if got := Redact(text); got != want {
			t.Errorf("Redact(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestSecretSet(t *testing.T) {
	t.Parallel()
	var (
		set     secretSet
		writers sync.WaitGroup
	)
	for i := range 4 { // Each adds the same values, and a unique one.
		writers.Go(func() {
			for n := range 1000 {
				set.add(fmt.Sprintf("%08d", n), minSecret)
				_ = set.redact("00000000")
			}
			set.add(fmt.Sprintf("00000000 and %d", i), minSecret)
		})
	}
	writers.Wait()
	set.add("11111111 and more", minSecret)
	set.add("11111111", minSecret)
	if got := set.redact("00000000 and 3, 00000000 and 4, 11111111 and more, 1234567"); got != "REDACTED, REDACTED and 4, REDACTED, 1234567" {
		t.Errorf("got %q", got)
	}
	for n := range 2 * maxSecrets {
		set.add(fmt.Sprintf("more %08d", n), minSecret)
	}
	if len(set.values) != maxSecrets {
		t.Errorf("set has %d values, want %d", len(set.values), maxSecrets)
	}
}

func TestSanitize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain\ttext,\nünïcode 漢字 🙂":               "plain\ttext,\nünïcode 漢字 🙂",
		"one\r\ntwo\rthree":                        "one\ntwo\ufffdthree",
		"\x1b[31mred\x1b[0m":                       "\ufffd[31mred\ufffd[0m",
		"bell\a backspace\b null\x00 delete\x7f":   "bell\ufffd backspace\ufffd null\ufffd delete\ufffd",
		"C1 \u009b31m, \x9b31m":                    "C1 \ufffd31m, \ufffd31m",
		"\u202eoverride\u202c \u2066isolate\u2069": "\ufffdoverride\ufffd \ufffdisolate\ufffd",
		"X-Amz-Signature=01\x1b[23&kept":           "X-Amz-Signature=REDACTED&kept",
	} {
		if got := Sanitize(text); got != want {
			t.Errorf("Sanitize(%q) = %q, want %q", text, got, want)
		}
	}
}

func BenchmarkRedact(b *testing.B) {
	var set secretSet
	for n := range 10_000 {
		set.add(digest.FromString(strconv.Itoa(n)).Encoded(), minURLSecret)
	}
	line := "GetDownloadUrlForLayer of " + digest.FromString("").String() + " in repository team/app (eu-central-1): operation error ECR: GetDownloadUrlForLayer"
	for name, redact := range map[string]func(){
		"patterns": func() { Redact(line) },
		"values":   func() { set.redact(line) },
		"a URL":    func() { Redact(line + " https://host/k?X-Amz-Signature=0123") },
		"add":      func() { set.add(line, minURLSecret) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				redact()
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
			got := Redact(before + form + after)
			if strings.Contains(got, secret) {
				t.Errorf("the secret remains in %q", got)
			}
			if again := Redact(got); again != got {
				t.Errorf("redacting %q again changes it to %q", got, again)
			}
		}
	})
}
