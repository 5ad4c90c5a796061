// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

const (
	testAccount    = "123456789012"
	testRegion     = "eu-central-1"
	testRepository = "team/app"

	helmConfig = "application/vnd.cncf.helm.config.v1+json"
)

var inTestRepository = ecrlayer.Repository{Name: testRepository}

// imageRegistry is a local ECR, a client, and the calls that the client reported.
type imageRegistry struct {
	*ecrtest.Endpoint
	host   string
	cfg    aws.Config
	client *ecrlayer.Client

	mu       sync.Mutex
	observed []ecrlayer.Call
}

func newImageRegistry(t *testing.T) *imageRegistry {
	t.Helper()
	r := &imageRegistry{Endpoint: ecrtest.New()}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.host = strings.TrimPrefix(server.URL, "http://")
	r.CreateRepository(testAccount, testRegion, testRepository)
	r.cfg = newConfig(server.URL, r.AddUser(testAccount), 3)
	r.client = ecrlayer.NewClient(r.cfg, func(_ context.Context, call ecrlayer.Call) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.observed = append(r.observed, call)
	})
	return r
}

// newConfig returns the configuration of a user of a local ECR, with attempts that follow
// each other at once.
func newConfig(url string, user ecrtest.Credentials, attempts int) aws.Config {
	return aws.Config{
		Region:       testRegion,
		BaseEndpoint: aws.String(url),
		Credentials:  credentials.NewStaticCredentialsProvider(user.AccessKeyID, user.SecretAccessKey, user.SessionToken),
		HTTPClient:   awshttp.NewBuildableClient(),
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts, o.RateLimiter = attempts, ratelimit.None
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			})
		},
	}
}

// put stores a document as a manifest of any media type, and returns its digest.
func (r *imageRegistry) put(t *testing.T, tag string, mediaType types.MediaType, document any) digest.Digest {
	t.Helper()
	raw, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	return r.PutManifest(testAccount, testRegion, testRepository, tag, string(mediaType), raw)
}

// operations returns the operations of the calls so far, in order.
func (r *imageRegistry) operations() []string {
	var operations []string
	for _, call := range r.Calls() {
		operations = append(operations, call.Operation)
	}
	return operations
}

func TestImagePlatform(t *testing.T) {
	t.Parallel()
	r := newImageRegistry(t)
	single := r.putImage(t, "single", []byte(`{"os":"linux","architecture":"arm64","variant":"v8"}`), nil)
	r.index(t, "index", image(r.named(t, "amd64"), "linux/amd64"), image(single, "linux/arm64/v8"), image(r.named(t, "arm"), "linux/arm/v7"))
	r.index(t, "plain", image(single, ""))
	r.putImage(t, "chart", []byte(`{}`), map[string]any{"mediaType": helmConfig})
	r.putImage(t, "unknown", []byte(`{}`), nil)
	r.putImage(t, "ubuntu", []byte(`{"os":"linux","architecture":"arm64","os.version":"Ubuntu 22.04.1"}`), nil)
	r.putImage(t, "legacy", []byte(`{"os":"linux","architecture":"arm64"}`), map[string]any{"mediaType": "application/octet-stream"})

	var (
		all           = []string{"linux/amd64", "linux/arm64/v8", "linux/arm/v7"}
		verified      = []string{"BatchGetImage", "GetDownloadUrlForLayer", "GetObject"}
		platformError *ecrlayer.PlatformError
		artifact      *ecrlayer.NotAnImageError
	)
	tests := map[string]struct {
		tag, platform string
		want          digest.Digest // empty means any
		failure       any           // a pointer to the type of the error
		reason        string
		available     []string
		calls         []string
	}{
		"linux/arm64 matches arm64/v8":                       {tag: "index", platform: "linux/arm64", want: single, calls: []string{"BatchGetImage", "BatchGetImage"}},
		"none requested, several available":                  {tag: "index", failure: &platformError, reason: "none was requested", available: all, calls: verified[:1]},
		"a missing platform":                                 {tag: "index", platform: "linux/s390x", failure: &platformError, reason: "not for platform", available: all, calls: verified[:1]},
		"none requested, no index":                           {tag: "single", want: single, calls: verified[:1]},
		"the config's platform, no index":                    {tag: "single", platform: "linux/arm64", want: single, calls: verified},
		"the config's platform with its variant, no index":   {tag: "single", platform: "linux/arm64/v8", want: single, calls: verified},
		"another platform, no index":                         {tag: "single", platform: "linux/amd64", failure: &platformError, reason: "not for platform linux/amd64", available: []string{"linux/arm64/v8"}, calls: verified},
		"none requested, an index without a platform":        {tag: "plain", want: single, calls: []string{"BatchGetImage", "BatchGetImage"}},
		"the config's platform, an index without a platform": {tag: "plain", platform: "linux/arm64", want: single, calls: append([]string{"BatchGetImage"}, verified...)},
		"another platform, an index without a platform":      {tag: "plain", platform: "linux/amd64", failure: &platformError, reason: "not for platform linux/amd64", available: []string{"linux/arm64/v8"}, calls: append([]string{"BatchGetImage"}, verified...)},
		"a config without a platform":                        {tag: "unknown", platform: "linux/amd64", failure: &platformError, reason: "neither an index nor the config", calls: verified},
		"a config with a free-form version":                  {tag: "ubuntu", platform: "linux/arm64", calls: verified},
		"a config with a legacy media type":                  {tag: "legacy", platform: "linux/arm64", calls: verified},
		"an artifact":                                        {tag: "chart", platform: "linux/amd64", failure: &artifact, reason: "helm.config", calls: verified[:1]},
		"an architecture without an operating system":        {tag: "single", platform: "amd64", failure: new(error), reason: "must have the form os/arch"},
	}
	for name, test := range tests {
		r.Reset()
		got, err := r.client.Image(t.Context(), inTestRepository, ecrlayer.ImageReference{Tag: test.tag}, test.platform)
		if made := r.operations(); !slices.Equal(made, test.calls) {
			t.Errorf("%s: calls = %q, want %q", name, made, test.calls)
		}
		switch {
		case test.failure == nil:
			if err != nil || (test.want != "" && got.ManifestDigest != test.want) {
				t.Errorf("%s: got %+v, %v", name, got, err)
			}
		case got != nil || !errors.As(err, test.failure) || !strings.Contains(err.Error(), test.reason):
			t.Errorf("%s: got %+v and error %v, want an error with %q", name, got, err, test.reason)
		case test.failure == &platformError && (platformError.Requested != test.platform || !slices.Equal(platformError.Available, test.available)):
			t.Errorf("%s: error = %+v", name, platformError)
		}
	}
}

func TestLayerDigests(t *testing.T) {
	t.Parallel()
	const oci, docker = "application/vnd.oci.image.layer.", "application/vnd.docker.image.rootfs."
	image := ecrlayer.Image{Layers: []ecrlayer.Descriptor{
		{Digest: "sha256:2", MediaType: oci + "v1.tar+gzip"},
		{Digest: "sha256:f1", MediaType: docker + "foreign.diff.tar.gzip"},
		{Digest: "sha256:1", MediaType: docker + "diff.tar.gzip"},
		{Digest: "sha256:f2", MediaType: oci + "nondistributable.v1.tar+zstd"},
		{Digest: "sha256:2", MediaType: oci + "v1.tar+gzip"},
		{Digest: "sha256:f3", MediaType: oci + "v1.tar", URLs: []string{"https://example.com/layer"}},
	}}
	if got := image.LayerDigests(); !slices.Equal(got, []digest.Digest{"sha256:2", "sha256:1"}) {
		t.Errorf("got %q", got)
	}
	if got := new(ecrlayer.Image).LayerDigests(); got == nil || len(got) != 0 {
		t.Errorf("without layers, got %#v, want an empty list", got)
	}
}

// respondWithImages makes ECR return this response to BatchGetImage.
func (r *imageRegistry) respondWithImages(t *testing.T, response any) {
	t.Helper()
	body, err := json.Marshal(response)
	if err != nil {
		t.Fatal(err)
	}
	r.Inject(ecrtest.Fault{Service: "ecr", Operation: "BatchGetImage", Body: body, ContentType: "application/x-amz-json-1.1"})
}

func TestImageValidatesResponse(t *testing.T) {
	t.Parallel()
	const manifest = `{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"` + someDigest + `","size":0},"layers":[]}`
	requested := ecrlayer.ImageReference{Tag: "v1", Digest: digest.FromString(manifest)}
	valid := func(change map[string]any) map[string]any {
		image := map[string]any{
			"registryId": testAccount, "repositoryName": testRepository,
			"imageId":       map[string]any{"imageTag": "v1", "imageDigest": requested.Digest},
			"imageManifest": manifest, "imageManifestMediaType": types.OCIManifestSchema1,
		}
		maps.Copy(image, change)
		return image
	}
	byDigest := ecrlayer.ImageReference{Digest: requested.Digest}
	tests := map[string]struct {
		images []any
		want   string
	}{
		"no image":                  {nil, "neither an image nor a failure"},
		"a different manifest":      {[]any{valid(map[string]any{"imageManifest": manifest + " "})}, "has the digest"},
		"no manifest":               {[]any{valid(map[string]any{"imageManifest": nil})}, "has the digest"},
		"a different image":         {[]any{valid(map[string]any{"imageId": map[string]any{"imageTag": "v1", "imageDigest": someDigest}})}, "about image digest \"" + someDigest},
		"no image ID":               {[]any{valid(map[string]any{"imageId": nil})}, `about image digest ""`},
		"a different tag":           {[]any{valid(map[string]any{"imageId": map[string]any{"imageTag": "v2", "imageDigest": requested.Digest}})}, `about image tag "v2"`},
		"a different registry":      {[]any{valid(map[string]any{"registryId": "999999999999"})}, `about registry "999999999999"`},
		"no registry":               {[]any{valid(map[string]any{"registryId": nil})}, `about registry ""`},
		"two images":                {[]any{valid(nil), valid(map[string]any{"imageId": map[string]any{"imageTag": "v1", "imageDigest": someDigest}})}, "several images"},
		"a different media type":    {[]any{valid(map[string]any{"imageManifestMediaType": types.DockerManifestSchema2, "imageManifest": manifest})}, ""},
		"the image with other tags": {[]any{valid(map[string]any{"imageId": map[string]any{"imageTag": "latest", "imageDigest": requested.Digest}}), valid(nil)}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newImageRegistry(t)
			r.respondWithImages(t, map[string]any{"images": test.images, "failures": []any{}})
			ref := requested
			if strings.Contains(test.want, "about image digest") {
				ref = byDigest
			}
			got, err := r.client.Image(t.Context(), ecrlayer.Repository{Name: testRepository, RegistryID: testAccount}, ref, "")
			if test.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if got.ImageDigest != requested.Digest {
					t.Errorf("ImageDigest = %s, want %s", got.ImageDigest, requested.Digest)
				}
				return
			}
			var (
				invalid *ecrlayer.InvalidResponseError
				call    *ecrlayer.CallError
			)
			if !errors.As(err, &invalid) || !errors.As(err, &call) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
		})
	}
}

// A pull-through cache that has not cached the image finds it by tag only.
func TestImageByTagAndDigest(t *testing.T) {
	t.Parallel()
	r := newImageRegistry(t)
	image, other := r.putImage(t, "v1", []byte(`{"author":"1"}`), nil), r.putImage(t, "v2", []byte(`{"author":"2"}`), nil)
	r.FailImage(testAccount, testRegion, testRepository, image.String(), "ImageNotFound", "Requested image not found")

	got, err := r.client.Image(t.Context(), inTestRepository, ecrlayer.ImageReference{Tag: "v1", Digest: image}, "")
	if err != nil || got.ImageDigest != image {
		t.Errorf("got %+v, %v", got, err)
	}
	_, err = r.client.Image(t.Context(), inTestRepository, ecrlayer.ImageReference{Tag: "v2", Digest: image}, "")
	var failure *ecrlayer.ImageFailure
	if !errors.As(err, &failure) || failure.Code != ecrtypes.ImageFailureCodeImageTagDoesNotMatchDigest || failure.Reason != "the tag is on image "+other.String() {
		t.Errorf("got error %v, want one that names the image of the tag", err)
	}
	if made := r.operations(); !slices.Equal(made, []string{"BatchGetImage", "BatchGetImage"}) {
		t.Errorf("calls = %q", made)
	}
}
