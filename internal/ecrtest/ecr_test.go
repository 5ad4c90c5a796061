// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

func TestLayersThatCanBeDownloaded(t *testing.T) {
	t.Parallel()
	e := start(t)
	image, layer := e.push(t, repo+":v1")
	config, err := image.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	for _, digest := range []string{layer, config.String()} {
		if resp, body := e.get(t, http.MethodGet, e.url(t, digest)); resp.StatusCode != http.StatusOK || body == "" {
			t.Errorf("%s: %s", digest, resp.Status)
		}
	}
}

func TestLayersThatCannotBeDownloaded(t *testing.T) {
	t.Parallel()
	e := start(t)
	image, _ := e.push(t, repo+":v1")
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	_, elsewhere := e.push(t, "team/other:v1")
	loose := e.PutBlob(account, region, repo, []byte("not in any image"))
	deleted, deletedLayer := e.push(t, repo+":old")
	deletedDigest, err := deleted.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Delete(e.reference(t, repo+"@"+deletedDigest.String()), e.remote(t)...); err != nil {
		t.Fatal(err)
	}

	for _, test := range []struct {
		name                       string
		repository, digest, region string
		code, text                 string
	}{
		{name: "no such repository", repository: "team/none", digest: anyDigest, code: "RepositoryNotFoundException", text: "The repository with name 'team/none' does not exist in the registry with id '" + account + "'"},
		{name: "another region", repository: repo, digest: anyDigest, region: "eu-west-2", code: "RepositoryNotFoundException", text: repo},
		{name: "no such layer", repository: repo, digest: anyDigest, code: "LayersNotFoundException", text: "The layer with digest '" + anyDigest + "' does not exist within the repository with name '" + repo + "' in the registry with id '" + account + "'"},
		{name: "layer of another repository", repository: repo, digest: elsewhere, code: "LayersNotFoundException", text: elsewhere},
		{name: "manifest", repository: repo, digest: digest.String(), code: "LayersNotFoundException", text: digest.String()},
		{name: "another algorithm", repository: repo, digest: "sha512:" + strings.Repeat("0", 128), code: "LayersNotFoundException"},
		{name: "layer of no image", repository: repo, digest: loose.String(), code: "LayerInaccessibleException", text: loose.String()},
		{name: "layer of a deleted image", repository: repo, digest: deletedLayer, code: "LayerInaccessibleException", text: deletedLayer},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := e.ecr(e.user, func(o *ecr.Options) {
				if test.region != "" {
					o.Region = test.region
				}
			}).GetDownloadUrlForLayer(t.Context(), &ecr.GetDownloadUrlForLayerInput{
				RepositoryName: aws.String(test.repository),
				LayerDigest:    aws.String(test.digest),
			})
			wantError(t, err, http.StatusBadRequest, test.code, test.text)
		})
	}
}

func TestOtherAccounts(t *testing.T) {
	t.Parallel()
	e := start(t)
	_, layer := e.push(t, repo+":v1")
	stranger := e.AddUser(other)
	input := layerInput(layer)
	input.RegistryId = aws.String(account)

	_, err := e.ecr(stranger).GetDownloadUrlForLayer(t.Context(), input)
	wantError(t, err, http.StatusBadRequest, "AccessDeniedException", fmt.Sprintf(
		"User: %s is not authorized to perform: ecr:GetDownloadUrlForLayer on resource: arn:aws:ecr:eu-west-1:%s:repository/%s because no resource-based policy allows the ecr:GetDownloadUrlForLayer action",
		stranger.ARN, account, repo))

	unknown := *input
	unknown.RepositoryName = aws.String("team/none")
	_, err = e.ecr(stranger).GetDownloadUrlForLayer(t.Context(), &unknown)
	wantError(t, err, http.StatusBadRequest, "AccessDeniedException", "repository/team/none")

	_, err = e.ecr(stranger).GetDownloadUrlForLayer(t.Context(), layerInput(layer))
	wantError(t, err, http.StatusBadRequest, "RepositoryNotFoundException", "registry with id '"+other+"'")

	e.AllowAccount(account, region, repo, other)
	if _, err := e.ecr(stranger).GetDownloadUrlForLayer(t.Context(), input); err != nil {
		t.Error(err)
	}
	if _, err := e.ecr(e.user).GetDownloadUrlForLayer(t.Context(), input); err != nil {
		t.Errorf("the owner, naming the registry: %v", err)
	}
}

func TestDeniedActions(t *testing.T) {
	t.Parallel()
	e := start(t)
	_, layer := e.push(t, repo+":v1")
	e.Deny(e.user.ARN, "ecr:GetDownloadUrlForLayer")
	_, err := e.ecr(e.user).GetDownloadUrlForLayer(t.Context(), layerInput(layer))
	wantError(t, err, http.StatusBadRequest, "AccessDeniedException", "ecr:GetDownloadUrlForLayer on resource: arn:aws:ecr:eu-west-1:"+account+":repository/"+repo+" with an explicit deny")
	if _, err := e.ecr(e.user).BatchGetImage(t.Context(), tagged("v1")); err != nil {
		t.Errorf("another action: %v", err)
	}
	if _, err := e.ecr(e.AddUser(account)).GetDownloadUrlForLayer(t.Context(), layerInput(layer)); err != nil {
		t.Errorf("another user: %v", err)
	}
}

func TestPartitionInARN(t *testing.T) {
	t.Parallel()
	e := start(t)
	for region, arn := range map[string]string{
		"us-east-1":     "arn:aws:ecr:us-east-1:",
		"cn-north-1":    "arn:aws-cn:ecr:cn-north-1:",
		"us-gov-west-1": "arn:aws-us-gov:ecr:us-gov-west-1:",
	} {
		input := layerInput(anyDigest)
		input.RegistryId = aws.String(other)
		_, err := e.ecr(e.user, func(o *ecr.Options) { o.Region = region }).GetDownloadUrlForLayer(t.Context(), input)
		wantError(t, err, http.StatusBadRequest, "AccessDeniedException", arn+other)
	}
}

func TestInputIsValidated(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.CreateRepository(account, region, repo)
	const layer, batch = "GetDownloadUrlForLayer", "BatchGetImage"
	const code = "InvalidParameterException"
	for _, test := range []struct{ name, operation, body, code, text string }{
		{"no repository", layer, `{"layerDigest":"sha256:00"}`, code, "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must not be null'"},
		{"null repository", layer, `{"repositoryName":null,"layerDigest":"sha256:00"}`, code, "'repositoryName' failed to satisfy constraint: 'must not be null'"},
		{"short repository", layer, `{"repositoryName":"a","layerDigest":"sha256:00"}`, code, "'repositoryName' failed to satisfy constraint: 'must have length greater than or equal to 2'"},
		{"long repository", layer, `{"repositoryName":"` + strings.Repeat("a", 257) + `","layerDigest":"sha256:00"}`, code, "'must have length less than or equal to 256'"},
		{"longest repository", layer, `{"repositoryName":"` + strings.Repeat("a", 256) + `","layerDigest":"sha256:00"}`, "RepositoryNotFoundException", ""},
		{"upper case repository", layer, `{"repositoryName":"Team/app","layerDigest":"sha256:00"}`, code, `'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*''`},
		{"repository with a tag", layer, `{"repositoryName":"team/app:v1","layerDigest":"sha256:00"}`, code, "'repositoryName'"},
		{"repository with a line end", layer, `{"repositoryName":"team/app\n","layerDigest":"sha256:00"}`, code, "'repositoryName'"},
		{"no layer", layer, `{"repositoryName":"team/app"}`, code, "'layerDigest' failed to satisfy constraint: 'must not be null'"},
		{"layer without algorithm", layer, `{"repositoryName":"team/app","layerDigest":"abc"}`, code, "'layerDigest' failed to satisfy constraint: 'must satisfy regular expression '"},
		{"layer that is not hexadecimal", layer, `{"repositoryName":"team/app","layerDigest":"sha256:xyz"}`, code, "'layerDigest'"},
		{"short layer", layer, `{"repositoryName":"team/app","layerDigest":"sha256:AB"}`, "LayersNotFoundException", ""},
		{"registry", layer, `{"registryId":"123","repositoryName":"team/app","layerDigest":"sha256:00"}`, code, "'registryId' failed to satisfy constraint: 'must satisfy regular expression '[0-9]{12}''"},
		{"registry that is a number", layer, `{"registryId":111122223333,"repositoryName":"team/app","layerDigest":"sha256:00"}`, "SerializationException", ""},
		{"no JSON", layer, `repositoryName=team/app`, "SerializationException", ""},
		{"no object", layer, `["team/app"]`, "SerializationException", ""},
		{"no images", batch, `{"repositoryName":"team/app"}`, code, "'imageIds' failed to satisfy constraint: 'must not be null'"},
		{"no image", batch, `{"repositoryName":"team/app","imageIds":[]}`, code, "'imageIds' failed to satisfy constraint: 'must have length greater than or equal to 1'"},
		{"101 images", batch, `{"repositoryName":"team/app","imageIds":[` + strings.Repeat(`{"imageTag":"a"},`, 100) + `{"imageTag":"a"}]}`, code, "'imageIds' failed to satisfy constraint: 'must have length less than or equal to 100'"},
		{"no media type", batch, `{"repositoryName":"team/app","imageIds":[{"imageTag":"a"}],"acceptedMediaTypes":[]}`, code, "'acceptedMediaTypes'"},
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

func TestRequestsThatAreNoneOfTheProtocol(t *testing.T) {
	t.Parallel()
	e := start(t)
	for _, test := range []struct {
		name, method string
		header       []string
	}{
		{"GET", http.MethodGet, nil},
		{"no target", http.MethodPost, []string{"Content-Type", "application/x-amz-json-1.1"}},
		{"another type", http.MethodPost, []string{"Content-Type", "application/json", "X-Amz-Target", "AmazonEC2ContainerRegistry_V20150921.GetDownloadUrlForLayer"}},
	} {
		resp, body := e.get(t, test.method, e.server.URL+"/", test.header...)
		if test.name == "no target" {
			if resp.StatusCode != http.StatusBadRequest || !strings.Contains(body, "MissingAuthenticationTokenException") {
				t.Errorf("%s: %s: %s", test.name, resp.Status, body)
			}
			continue
		}
		if resp.StatusCode != http.StatusNotFound || !strings.Contains(body, "<UnknownOperationException/>") {
			t.Errorf("%s: %s: %s", test.name, resp.Status, body)
		}
	}
	resp, body := e.do(t, e.request(t, http.MethodPost, e.server.URL, strings.Repeat("a", 2<<20), "Content-Type", "application/x-amz-json-1.1"))
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("2 MiB: %s: %s", resp.Status, body)
	}
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

func TestRegistryIDDefaultsToTheCallersAccount(t *testing.T) {
	t.Parallel()
	e := start(t)
	stranger := e.AddUser(other)
	e.CreateRepository(other, region, repo)
	_, err := e.ecr(stranger).GetDownloadUrlForLayer(t.Context(), layerInput(anyDigest))
	wantError(t, err, http.StatusBadRequest, "LayersNotFoundException", "registry with id '"+other+"'")
}

func TestEndpointIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	e := start(t)
	_, layer := e.push(t, repo+":v1")
	e.Inject(ecrtest.Fault{Service: "ecr", Times: 5, Code: "ThrottlingException", Message: "Rate exceeded"})
	done := make(chan error)
	for range 20 {
		go func() {
			_, err := e.ecr(e.user).GetDownloadUrlForLayer(t.Context(), layerInput(layer))
			_ = e.Calls()
			done <- err
		}()
	}
	failed := 0
	for range 20 {
		if err := <-done; err != nil {
			failed++
		}
	}
	if failed != 5 {
		t.Errorf("%d requests failed, want 5", failed)
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
