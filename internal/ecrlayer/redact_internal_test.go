// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestRedactRemovesCredentialsWhereverAWSWritesThem(t *testing.T) {
	t.Parallel()
	const (
		secretKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
		token     = "IQoJb3JpZ2luX2VjEJv//////////wEaCXVzLWVhc3QtMSJHMEUCIQ=="
		signature = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
		jwt       = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJyZXBvOm9yZy9hcHAifQ.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"
		opaque    = "0123-opaque_token"
	)
	header := http.Header{"X-Amz-Security-Token": {token}, "Authorization": {"AWS4-HMAC-SHA256 Signature=" + signature}}
	tests := map[string]string{
		"request":                  "POST / HTTP/1.1\r\nAuthorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261125/us-east-1/ecr/aws4_request, SignedHeaders=host;x-amz-security-token, Signature=" + signature + "\r\nX-Amz-Security-Token: " + token + "\r\nHost: kept\r\n",
		"bearer":                   "Authorization: Bearer " + opaque + "\r\nHost: kept",
		"container's token":        "authorization: " + opaque + "\nkept",
		"printed header":           fmt.Sprintf("kept %v", header),
		"Go syntax":                fmt.Sprintf("kept %#v", header),
		"canonical request":        "POST\n/\n\nhost:kept\nx-amz-date:20261125T103000Z\nx-amz-security-token:" + token + "\nx-amz-target:kept\n\nhost;x-amz-date;x-amz-security-token",
		"it in an error in JSON":   `{"message":"should have been\n'POST\nx-amz-security-token:` + token + `\n\nkept'"}`,
		"its signature":            "Authorization=AWS4-HMAC-SHA256 Credential=A, Signature=" + signature + "\nkept",
		"answer of STS":            "<Credentials><AccessKeyId>kept</AccessKeyId><SecretAccessKey>" + secretKey + "</SecretAccessKey><SessionToken>" + token + "</SessionToken></Credentials>",
		"request to STS":           "Action=AssumeRoleWithWebIdentity&WebIdentityToken=" + jwt + "&Version=kept",
		"opaque token to STS":      "WebIdentityToken=" + opaque + "&Version=kept",
		"credentials process":      `parse failed of process output: {"Version": "kept", "SecretAccessKey": "` + secretKey + `", "SessionToken" : "` + token + `"}`,
		"container's credentials":  `{"AccessKeyId":"kept","SecretAccessKey":"` + secretKey + `","Token":"` + token + `"}`,
		"JSON in JSON":             `{"body":"{\"AccessKeyId\":\"kept\",\"secretAccessKey\":\"` + secretKey + `\",\"Token\":\"` + token + `\"}"}`,
		"IAM Identity Center":      "X-Amz-Sso_bearer_token: " + opaque + "\nkept",
		"its answer":               `{"accessToken":"` + opaque + `","refreshToken":"` + opaque + `","idToken":"` + jwt + `","tokenType":"kept"}`,
		"file":                     "[default]\naws_access_key_id = kept\naws_secret_access_key = " + secretKey + "\naws_session_token=" + token + "\n",
		"environment":              "AWS_SECRET_ACCESS_KEY=" + secretKey + " AWS_SESSION_TOKEN=" + token + " AWS_REGION=kept",
		"JSON Web Token by itself": "open " + jwt + ": file name too long, kept",
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Redact(text)
			for _, secret := range []string{secretKey, token, signature, jwt, opaque} {
				if strings.Contains(got, secret) {
					t.Errorf("%q is left in %s", secret, got)
				}
			}
			if !strings.Contains(got, "kept") {
				t.Errorf("what is no secret is gone too: %s", got)
			}
		})
	}
}

func TestRedactLeavesProseAlone(t *testing.T) {
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
		"sha256:6af90d27c9872f890465298c2397430c3e024f2404335bb93afb680ec093992b",
	} {
		if got := Redact(text); got != text {
			t.Errorf("Redact(%q) = %q", text, got)
		}
	}
}

// Whatever stands around a secret, nothing of it is left, and what has been
// redacted once stays as it is.
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
		// What comes right after the secret must end it in some way.
		for _, form := range []string{
			"?X-Amz-Signature=" + secret + "&", "&x-amz-credential=" + secret + "\n", "?X-Amz-Security-Token%3D" + secret + "&",
			`{"SecretAccessKey":"` + secret + `"}`, "<SessionToken>" + secret + "</SessionToken>", " aws_secret_access_key = " + secret + "\n",
			"\nX-Amz-Security-Token: " + secret + "\r\n", "\nAuthorization: Bearer " + secret + "\n",
		} {
			got := Redact(before + form + after)
			if strings.Contains(got, secret) {
				t.Errorf("the secret is left in %q", got)
			}
			if again := Redact(got); again != got {
				t.Errorf("redacted twice, %q becomes %q", got, again)
			}
		}
	})
}
