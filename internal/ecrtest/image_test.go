// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	ggcr "github.com/google/go-containerregistry/pkg/v1/types"
)

var allTypes = []string{
	string(ggcr.DockerManifestSchema2), string(ggcr.DockerManifestList),
	string(ggcr.OCIManifestSchema1), string(ggcr.OCIImageIndex),
}

func tagged(tag string) *ecr.BatchGetImageInput {
	return &ecr.BatchGetImageInput{
		RepositoryName:     aws.String(repo),
		ImageIds:           []types.ImageIdentifier{{ImageTag: aws.String(tag)}},
		AcceptedMediaTypes: allTypes,
	}
}

func TestBatchGetImageFailures(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	_, _ = e.push(t, repo+":v1")
	_, _ = e.push(t, repo+":v2")
	e.FailImage(account, region, repo, "v2", "UpstreamUnavailable", "The upstream does not respond")

	const notFound = "Requested image not found"
	for _, test := range []struct {
		name, tag, digest string
		code              types.ImageFailureCode
		reason            string
	}{
		{"unknown tag", "none", "", types.ImageFailureCodeImageNotFound, notFound},
		{"unknown digest", "", unknownDigest, types.ImageFailureCodeImageNotFound, notFound},
		{"tag of another digest", "v1", unknownDigest, types.ImageFailureCodeImageTagDoesNotMatchDigest, "Invalid request parameters: given tag does not map to the given digest"},
		{"neither tag nor digest", "", "", types.ImageFailureCodeMissingDigestAndTag, "Invalid request parameters: both tag and digest cannot be null"},
		{"invalid digest", "", "latest", types.ImageFailureCodeInvalidImageDigest, "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"},
		{"long tag", strings.Repeat("a", 301), "", types.ImageFailureCodeInvalidImageTag, ""},
		{"injected failure", "v2", "", types.ImageFailureCodeUpstreamUnavailable, "The upstream does not respond"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			id := types.ImageIdentifier{}
			if test.tag != "" {
				id.ImageTag = aws.String(test.tag)
			}
			if test.digest != "" {
				id.ImageDigest = aws.String(test.digest)
			}
			input := tagged("v1")
			input.ImageIds = append(input.ImageIds, id)
			out := must(e.ecr(e.user).BatchGetImage(t.Context(), input))
			if len(out.Images) != 1 || len(out.Failures) != 1 {
				t.Fatalf("images = %+v, failures = %+v, want one each", out.Images, out.Failures)
			}
			f := out.Failures[0]
			if f.FailureCode != test.code || !strings.Contains(aws.ToString(f.FailureReason), test.reason) ||
				aws.ToString(f.ImageId.ImageTag) != test.tag || aws.ToString(f.ImageId.ImageDigest) != test.digest {
				t.Errorf("failure = %s: %s %+v", f.FailureCode, aws.ToString(f.FailureReason), f.ImageId)
			}
		})
	}
}

func TestRegistryErrors(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	app := account + "/eu-west-1/team/app/"
	for _, test := range []struct {
		name, method, path, body string
		status                   int
		code                     string
	}{
		{"repository without an account", http.MethodPut, "team/app/manifests/v1", "{}", http.StatusNotFound, "NAME_INVALID"},
		{"uppercase repository", http.MethodPut, account + "/eu-west-1/Team/manifests/v1", "{}", http.StatusNotFound, "NAME_INVALID"},
		{"manifest with a different digest", http.MethodPut, app + "manifests/" + unknownDigest, "{}", http.StatusBadRequest, "DIGEST_INVALID"},
		{"not JSON", http.MethodPut, app + "manifests/v1", "<html>", http.StatusBadRequest, "MANIFEST_INVALID"},
		{"more than 4 MiB", http.MethodPut, app + "manifests/v1", strings.Repeat("x", 4<<20+1), http.StatusRequestEntityTooLarge, "SIZE_INVALID"},
		{"image with an unknown layer", http.MethodPut, app + "manifests/v1", `{"layers":[{"digest":"` + unknownDigest + `"}]}`, http.StatusNotFound, "MANIFEST_BLOB_UNKNOWN"},
		{"index with an unknown image", http.MethodPut, app + "manifests/v1", `{"manifests":[{"digest":"` + unknownDigest + `"}]}`, http.StatusNotFound, "MANIFEST_BLOB_UNKNOWN"},
		{"deletion", http.MethodDelete, app + "manifests/v1", "", http.StatusMethodNotAllowed, "UNSUPPORTED"},
		{"unknown manifest", http.MethodGet, app + "manifests/v1", "", http.StatusNotFound, "MANIFEST_UNKNOWN"},
		{"unknown blob", http.MethodGet, app + "blobs/" + unknownDigest, "", http.StatusNotFound, "BLOB_UNKNOWN"},
		{"blob with a different digest", http.MethodPut, app + "blobs/uploads/1?digest=" + unknownDigest, "x", http.StatusBadRequest, "DIGEST_INVALID"},
	} {
		resp, body := e.do(t, e.request(t, test.method, e.server.URL+"/v2/"+test.path, test.body, "Content-Type", string(ggcr.OCIImageIndex)))
		if resp.StatusCode != test.status || !strings.Contains(body, test.code) {
			t.Errorf("%s: %s: %s", test.name, resp.Status, body)
		}
	}
	_, err := e.ecr(e.user).BatchGetImage(t.Context(), tagged("v1"))
	wantError(t, err, http.StatusBadRequest, "RepositoryNotFoundException", repo)
}
