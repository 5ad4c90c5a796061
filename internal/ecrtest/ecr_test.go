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

func TestInputValidation(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.CreateRepository(account, region, repo)
	const layer, batch = "GetDownloadUrlForLayer", "BatchGetImage"
	const code = "InvalidParameterException"
	for _, test := range []struct{ name, operation, body, code, text string }{
		{"short repository", layer, `{"repositoryName":"a","layerDigest":"sha256:00"}`, code, "'repositoryName' failed to satisfy constraint: 'must have length greater than or equal to 2'"},
		{"uppercase repository", layer, `{"repositoryName":"Team/app","layerDigest":"sha256:00"}`, code, `'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*''`},
		{"no layer", layer, `{"repositoryName":"team/app"}`, code, "'layerDigest' failed to satisfy constraint: 'must not be null'"},
		{"digest that is not hexadecimal", layer, `{"repositoryName":"team/app","layerDigest":"sha256:xyz"}`, code, "'layerDigest'"},
		{"short registry ID", layer, `{"registryId":"123","repositoryName":"team/app","layerDigest":"sha256:00"}`, code, "'registryId' failed to satisfy constraint: 'must satisfy regular expression '[0-9]{12}''"},
		{"numeric registry ID", layer, `{"registryId":111122223333,"repositoryName":"team/app","layerDigest":"sha256:00"}`, "SerializationException", ""},
		{"no image", batch, `{"repositoryName":"team/app","imageIds":[]}`, code, "'imageIds' failed to satisfy constraint: 'must have length greater than or equal to 1'"},
		{"101 images", batch, `{"repositoryName":"team/app","imageIds":[` + strings.Repeat(`{"imageTag":"a"},`, 100) + `{"imageTag":"a"}]}`, code, "'imageIds' failed to satisfy constraint: 'must have length less than or equal to 100'"},
		{"no subject", "ListImageReferrers", `{"repositoryName":"team/app"}`, code, "'subjectId' failed to satisfy constraint: 'must not be null'"},
		{"subject without a digest", "ListImageReferrers", `{"repositoryName":"team/app","subjectId":{}}`, code, "'subjectId.imageDigest' failed to satisfy constraint: 'must not be null'"},
		{"maximum that is a string", "ListImageReferrers", `{"repositoryName":"team/app","subjectId":{"imageDigest":"sha256:00"},"maxResults":"1"}`, "SerializationException", ""},
		{"unknown operation", "DescribeImages", `{}`, "UnknownOperationException", "serves only BatchGetImage, GetDownloadUrlForLayer and ListImageReferrers"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e.wantECRError(t, test.operation, test.body, test.code, test.text)
		})
	}
}

// wantECRError sends a body that the SDK would not send, and checks the error.
func (e *env) wantECRError(t *testing.T, operation, body, code, text string) {
	t.Helper()
	client := e.ecr(e.user, overrideRequest(e, operation, body))
	_, err := client.GetDownloadUrlForLayer(t.Context(), layerInput(unknownDigest))
	wantError(t, err, http.StatusBadRequest, code, text)
}

func TestErrorFormat(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	resp, body := e.do(t, e.request(t, http.MethodPost, e.server.URL, "{}",
		"Content-Type", "application/x-amz-json-1.1",
		"X-Amz-Target", "AmazonEC2ContainerRegistry_V20150921.GetDownloadUrlForLayer"))
	if want := `{"__type":"MissingAuthenticationTokenException","message":"Missing Authentication Token"}`; body != want {
		t.Errorf("body = %s, want %s", body, want)
	}
	if got := resp.Header.Get("Content-Type"); got != "application/x-amz-json-1.1" {
		t.Errorf("Content-Type = %q", got)
	}
	if id := resp.Header.Get("X-Amzn-Requestid"); len(id) != 36 || e.Calls()[0].RequestID != id {
		t.Errorf("request ID = %q, recorded as %q", id, e.Calls()[0].RequestID)
	}
}

// overrideRequest makes a client send this operation and body instead of its own, with
// a valid signature.
func overrideRequest(e *env, operation, body string) func(*ecr.Options) {
	return func(o *ecr.Options) {
		o.HTTPClient = clientFunc(func(r *http.Request) (*http.Response, error) {
			signed, err := e.signedRequest(r.Context(), "ecr", body, "application/x-amz-json-1.1", "X-Amz-Target", "AmazonEC2ContainerRegistry_V20150921."+operation)
			if err != nil {
				return nil, err
			}
			return e.server.Client().Do(signed)
		})
	}
}

// signedRequest returns a request that the user signed.
func (e *env) signedRequest(ctx context.Context, service, body, contentType string, header ...string) (*http.Request, error) {
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
