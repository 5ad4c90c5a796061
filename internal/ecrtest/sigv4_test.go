// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

const signatureMismatch = "The request signature we calculated does not match the signature you provided."

func TestModifiedRequestIsRejected(t *testing.T) {
	t.Parallel()
	replace := func(name, old, with string) func(*http.Request) {
		return func(r *http.Request) {
			value := r.Header.Get(name)
			if !strings.Contains(value, old) {
				panic(name + " does not contain " + old + ": " + value)
			}
			r.Header.Set(name, strings.Replace(value, old, with, 1))
		}
	}
	for _, test := range []struct {
		name, code, text string
		change           func(*http.Request)
	}{
		{"signature", "InvalidSignatureException", signatureMismatch, func(r *http.Request) {
			value := r.Header.Get("Authorization")
			last := "0"
			if strings.HasSuffix(value, last) {
				last = "1"
			}
			r.Header.Set("Authorization", value[:len(value)-1]+last)
		}},
		{"body", "InvalidSignatureException", signatureMismatch, func(r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(strings.NewReader(strings.Replace(string(body), repo, "evil/app", 1)))
			r.ContentLength = int64(len(body))
		}},
		{"operation", "InvalidSignatureException", signatureMismatch, replace("X-Amz-Target", "GetDownloadUrlForLayer", "BatchGetImage")},
		{"unsigned content type", "InvalidSignatureException", "'Content-Type' must be a 'SignedHeader'", replace("Authorization", "content-type;", "")},
		{"unsigned date", "InvalidSignatureException", "'X-Amz-Date' must be a 'SignedHeader'", replace("Authorization", "x-amz-date;", "")},
		{"unsigned host", "InvalidSignatureException", "'Host' or ':authority' must be a 'SignedHeader'", replace("Authorization", "host;", "")},
		{"missing signed header", "InvalidSignatureException", signatureMismatch, func(r *http.Request) { r.Header.Del("Amz-Sdk-Request") }},
		{"host", "InvalidSignatureException", signatureMismatch, func(r *http.Request) { r.Host = "other.example.com" }},
		{"region", "InvalidSignatureException", signatureMismatch, replace("Authorization", "/"+region+"/", "/eu-west-2/")},
		{"service", "InvalidSignatureException", "Credential should be scoped to correct service: 'ecr'.", replace("Authorization", "/ecr/", "/s3/")},
		{"no signature", "IncompleteSignatureException", "requires 'Signature' parameter", replace("Authorization", "Signature=", "Nothing=")},
		{"no date", "IncompleteSignatureException", "requires existence of either a 'X-Amz-Date'", func(r *http.Request) { r.Header.Del("X-Amz-Date") }},
		{"other authorization scheme", "IncompleteSignatureException", "requires 'Credential' parameter", func(r *http.Request) { r.Header.Set("Authorization", "Bearer secret") }},
		{"no authorization", "MissingAuthenticationTokenException", "Missing Authentication Token", func(r *http.Request) { r.Header.Del("Authorization") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			client := e.ecr(e.user, func(o *ecr.Options) { o.HTTPClient = e.tampering(test.change) })
			_, err := client.GetDownloadUrlForLayer(t.Context(), layerInput(unknownDigest))
			wantError(t, err, http.StatusBadRequest, test.code, test.text)
		})
	}
}

func TestCredentialVerification(t *testing.T) {
	t.Parallel()
	session := ecrtest.Credentials{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "secret", SessionToken: "token", AccountID: account}
	with := func(change func(*ecrtest.Credentials)) ecrtest.Credentials {
		c := session
		change(&c)
		return c
	}
	for _, test := range []struct {
		name        string
		known, used ecrtest.Credentials
		skew        time.Duration
		code        string // empty if the request succeeds
		stsCode     string
		text        string
	}{
		{name: "session", known: session, used: session},
		{name: "wrong secret", known: session, used: with(func(c *ecrtest.Credentials) { c.SecretAccessKey = "guess" }), code: "InvalidSignatureException", stsCode: "SignatureDoesNotMatch", text: signatureMismatch},
		{name: "unknown access key", known: session, used: with(func(c *ecrtest.Credentials) { c.AccessKeyID = "ASIANOBODY" }), code: "UnrecognizedClientException", stsCode: "InvalidClientTokenId", text: "The security token included in the request is invalid."},
		{name: "wrong token", known: session, used: with(func(c *ecrtest.Credentials) { c.SessionToken = "guess" }), code: "UnrecognizedClientException", stsCode: "InvalidClientTokenId", text: "The security token included in the request is invalid."},
		{name: "not expired", known: with(func(c *ecrtest.Credentials) { c.Expires = time.Now().Add(time.Minute) }), used: session},
		{name: "signed 4 minutes ago", skew: 4 * time.Minute, known: session, used: session},
		{name: "signed 6 minutes ago", skew: 6 * time.Minute, known: session, used: session, code: "InvalidSignatureException", stsCode: "SignatureDoesNotMatch", text: "Signature expired: "},
		{name: "signed 6 minutes from now", skew: -6 * time.Minute, known: session, used: session, code: "InvalidSignatureException", stsCode: "SignatureDoesNotMatch", text: "Signature not yet current: "},
		{name: "expired", known: with(func(c *ecrtest.Credentials) { c.Expires = time.Now().Add(-time.Second) }), used: session, code: "ExpiredTokenException", stsCode: "ExpiredToken", text: "The security token included in the request is expired"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.CreateRepository(account, region, repo)
			e.AddCredentials(test.known)
			e.Skew(test.skew)

			_, err := e.ecr(test.used).GetDownloadUrlForLayer(t.Context(), layerInput(unknownDigest))
			out, stsErr := e.sts(test.used).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
			if test.code != "" {
				wantError(t, err, http.StatusBadRequest, test.code, test.text)
				wantError(t, stsErr, http.StatusForbidden, test.stsCode, test.text)
				return
			}
			wantError(t, err, http.StatusBadRequest, "LayersNotFoundException", unknownDigest)
			if stsErr != nil || aws.ToString(out.Account) != account {
				t.Errorf("GetCallerIdentity = %+v, %v", out, stsErr)
			}
		})
	}
}
