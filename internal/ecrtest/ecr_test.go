// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
)

func TestInputIsValidated(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.CreateRepository(account, region, repo)
	const layer, batch = "GetDownloadUrlForLayer", "BatchGetImage"
	const code = "InvalidParameterException"
	for _, test := range []struct{ name, operation, body, code, text string }{
		{"short repository", layer, `{"repositoryName":"a","layerDigest":"sha256:00"}`, code, "'repositoryName' failed to satisfy constraint: 'must have length greater than or equal to 2'"},
		{"upper case repository", layer, `{"repositoryName":"Team/app","layerDigest":"sha256:00"}`, code, `'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*''`},
		{"no layer", layer, `{"repositoryName":"team/app"}`, code, "'layerDigest' failed to satisfy constraint: 'must not be null'"},
		{"layer that is not hexadecimal", layer, `{"repositoryName":"team/app","layerDigest":"sha256:xyz"}`, code, "'layerDigest'"},
		{"registry", layer, `{"registryId":"123","repositoryName":"team/app","layerDigest":"sha256:00"}`, code, "'registryId' failed to satisfy constraint: 'must satisfy regular expression '[0-9]{12}''"},
		{"registry that is a number", layer, `{"registryId":111122223333,"repositoryName":"team/app","layerDigest":"sha256:00"}`, "SerializationException", ""},
		{"no image", batch, `{"repositoryName":"team/app","imageIds":[]}`, code, "'imageIds' failed to satisfy constraint: 'must have length greater than or equal to 1'"},
		{"101 images", batch, `{"repositoryName":"team/app","imageIds":[` + strings.Repeat(`{"imageTag":"a"},`, 100) + `{"imageTag":"a"}]}`, code, "'imageIds' failed to satisfy constraint: 'must have length less than or equal to 100'"},
		{"unknown operation", "DescribeImages", `{}`, "UnknownOperationException", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e.wantECR(t, test.operation, test.body, test.code, test.text)
		})
	}
}

// wantECR sends a body that the SDK would not, and checks the error.
func (e *env) wantECR(t *testing.T, operation, body, code, text string) {
	t.Helper()
	client := e.ecr(e.user, signing(e, operation, body))
	_, err := client.GetDownloadUrlForLayer(t.Context(), layerInput(anyDigest))
	wantError(t, err, http.StatusBadRequest, code, text)
}

func TestErrorShape(t *testing.T) {
	t.Parallel()
	e := start(t)
	resp, body := e.do(t, e.request(t, http.MethodPost, e.server.URL, "{}",
		"Content-Type", "application/x-amz-json-1.1",
		"X-Amz-Target", "AmazonEC2ContainerRegistry_V20150921.GetDownloadUrlForLayer"))
	if want := `{"__type":"MissingAuthenticationTokenException","message":"Missing Authentication Token"}`; body != want {
		t.Errorf("body = %s, want %s", body, want)
	}
	if got := resp.Header.Get("Content-Type"); got != "application/x-amz-json-1.1" {
		t.Errorf("Content-Type = %s", got)
	}
	if id := resp.Header.Get("X-Amzn-Requestid"); len(id) != 36 || e.Calls()[0].RequestID != id {
		t.Errorf("request id %q, noted: %q", id, e.Calls()[0].RequestID)
	}
}

// signing makes a client send another operation and body than its own, with a
// signature that fits them.
func signing(e *env, operation, body string) func(*ecr.Options) {
	return func(o *ecr.Options) {
		o.HTTPClient = clientFunc(func(r *http.Request) (*http.Response, error) {
			signed, err := e.signed(r.Context(), "ecr", body, "application/x-amz-json-1.1", "X-Amz-Target", "AmazonEC2ContainerRegistry_V20150921."+operation)
			if err != nil {
				return nil, err
			}
			return e.server.Client().Do(signed)
		})
	}
}

// signed returns a request with any body that the user has signed.
func (e *env) signed(ctx context.Context, service, body, contentType string, header ...string) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.server.URL+"/", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", contentType)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	sum := sha256.Sum256([]byte(body))
	err = v4.NewSigner().SignHTTP(ctx, aws.Credentials{AccessKeyID: e.user.AccessKeyID, SecretAccessKey: e.user.SecretAccessKey},
		r, hex.EncodeToString(sum[:]), service, region, time.Now())
	return r, err
}
