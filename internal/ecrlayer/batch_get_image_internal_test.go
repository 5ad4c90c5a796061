// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

func TestGetManifests(t *testing.T) {
	t.Parallel()
	const account, region, repository = "123456789012", "eu-central-1", "team/app"
	endpoint := ecrtest.New()
	server := httptest.NewServer(endpoint)
	t.Cleanup(server.Close)
	user := endpoint.AddUser(account)
	client := NewClient(aws.Config{
		Region: region, BaseEndpoint: aws.String(server.URL), HTTPClient: server.Client(),
		Credentials: credentials.NewStaticCredentialsProvider(user.AccessKeyID, user.SecretAccessKey, user.SessionToken),
	}, nil)
	put := func(tag, content string) digest.Digest {
		return endpoint.PutManifest(account, region, repository, tag, ocispec.MediaTypeImageManifest, []byte(content))
	}

	digests := []digest.Digest{digest.FromString("absent"), put("", "broken")}
	for i := range 150 {
		digests = append(digests, put(fmt.Sprint("a", i), fmt.Sprintf(`{"config":{"digest":%q},"annotations":{"n":"%d"}}`, digest.FromString(""), i)))
	}
	put("b", fmt.Sprintf(`{"config":{"digest":%q},"annotations":{"n":"0"}}`, digest.FromString(""))) // two tags, two images in the response

	results, err := client.getManifests(t.Context(), Repository{Name: repository}, digests)
	if err != nil || len(results) != len(digests) {
		t.Fatalf("got %d results, %v", len(results), err)
	}
	if _, ok := errors.AsType[*ImageFailure](results[0].err); !ok {
		t.Errorf("absent: got error %v", results[0].err)
	}
	if _, ok := errors.AsType[*BrokenImageError](results[1].err); !ok {
		t.Errorf("broken: got error %v", results[1].err)
	}
	for i, result := range results {
		call, ok := errors.AsType[*CallError](result.err)
		switch {
		case i < 2 && (!ok || call.Resource != digests[i].String() || call.StatusCode != http.StatusOK || call.RequestID == "" || call.Repository.Region != region):
			t.Errorf("got error %+v, want one of the call for %s", call, digests[i])
		case i >= 2 && (result.err != nil || result.digest != digests[i] || result.repository.RegistryID != account || result.call.RequestID == ""):
			t.Errorf("got %+v, want %s", result, digests[i])
		}
	}
	var ids []int
	for _, call := range endpoint.CallsTo("ecr", "BatchGetImage") {
		ids = append(ids, len(call.References))
	}
	if !slices.Equal(ids, []int{100, 52}) {
		t.Errorf("the calls request %d images", ids)
	}
	if _, err := client.getManifests(t.Context(), Repository{Name: "absent"}, digests[:1]); err == nil {
		t.Error("got no error without a repository")
	}
}
