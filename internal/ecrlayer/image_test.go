// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

const (
	testAccount    = "123456789012"
	testRegion     = "eu-central-1"
	testRepository = "team/app"
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
	user := r.AddUser(testAccount)
	r.cfg = aws.Config{
		Region:       testRegion,
		BaseEndpoint: aws.String(server.URL),
		Credentials:  credentials.NewStaticCredentialsProvider(user.AccessKeyID, user.SecretAccessKey, user.SessionToken),
		HTTPClient:   server.Client(),
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts = 3
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			})
		},
	}
	r.client = ecrlayer.NewClient(r.cfg, func(_ context.Context, call ecrlayer.Call) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.observed = append(r.observed, call)
	})
	return r
}

// push pushes an image or an index, and returns a reference to it.
func (r *imageRegistry) push(t *testing.T, tag string, what remote.Taggable) name.Reference {
	t.Helper()
	ref, err := name.NewTag(r.Reference(r.host, testAccount, testRegion, testRepository) + ":" + tag)
	if err != nil {
		t.Fatal(err)
	}
	switch what := what.(type) {
	case v1.Image:
		err = remote.Write(ref, what, remote.WithContext(t.Context()))
	case v1.ImageIndex:
		err = remote.WriteIndex(ref, what, remote.WithContext(t.Context()))
	default:
		t.Fatalf("cannot push a %T", what)
	}
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// pushed pushes an image and returns it.
func (r *imageRegistry) pushed(t *testing.T, tag string, img v1.Image) v1.Image {
	t.Helper()
	r.push(t, tag, img)
	return img
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

// must returns value, and panics if there is an error, which no test expects.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// build returns a Docker image with random layers for a platform.
func build(t *testing.T, layers int64, platform string) v1.Image {
	t.Helper()
	img := must(random.Image(64, layers))
	config := must(img.ConfigFile()).DeepCopy()
	p := must(v1.ParsePlatform(platform))
	config.OS, config.Architecture, config.Variant = p.OS, p.Architecture, p.Variant
	config.Created = v1.Time{Time: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}
	config.Author = "somebody"
	config.Config = v1.Config{
		Labels:       map[string]string{"org.opencontainers.image.title": "app", "platform": platform},
		Env:          []string{"PATH=/usr/bin:/bin", "MODE=a=b"},
		Entrypoint:   []string{"/app"},
		Cmd:          []string{"serve", "--all"},
		User:         "nobody",
		WorkingDir:   "/srv",
		ExposedPorts: map[string]struct{}{"8080/tcp": {}, "53/udp": {}},
		Volumes:      map[string]struct{}{"/var/lib/app": {}},
		StopSignal:   "SIGTERM",
	}
	return must(mutate.ConfigFile(img, config))
}

// oci returns a Docker image as an OCI image.
func oci(img v1.Image) v1.Image {
	return mutate.ConfigMediaType(mutate.MediaType(img, types.OCIManifestSchema1), types.OCIConfigJSON)
}

func platformOf(platform string) *v1.Platform {
	p, err := v1.ParsePlatform(platform)
	if err != nil {
		panic(err)
	}
	return p
}

// attestationOf returns an attestation of an image as BuildKit adds it to an index.
func attestationOf(t *testing.T, img v1.Image) mutate.IndexAddendum {
	t.Helper()
	statement := static.NewLayer([]byte(`{"_type":"https://in-toto.io/Statement/v0.1"}`), "application/vnd.in-toto+json")
	attestation := must(mutate.Append(oci(empty.Image), mutate.Addendum{Layer: statement, Annotations: map[string]string{"in-toto.io/predicate-type": "https://slsa.dev/provenance/v0.2"}}))
	subject := must(img.Digest())
	return mutate.IndexAddendum{Add: attestation, Descriptor: v1.Descriptor{
		Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"},
		Annotations: map[string]string{
			"vnd.docker.reference.type":   "attestation-manifest",
			"vnd.docker.reference.digest": subject.String(),
		},
	}}
}

// multiArch returns an index for three platforms as BuildKit creates it.
func multiArch(t *testing.T) v1.ImageIndex {
	t.Helper()
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, platform := range []string{"linux/amd64", "linux/arm64/v8", "linux/arm/v7"} {
		img := oci(build(t, 2, platform))
		index = mutate.AppendManifests(index,
			mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: platformOf(platform)}}, attestationOf(t, img))
	}
	return index
}

// chart returns a Helm chart whose layers have titles.
func chart(t *testing.T) v1.Image {
	t.Helper()
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), "application/vnd.cncf.helm.config.v1+json")
	img := must(mutate.Append(base,
		mutate.Addendum{
			Layer:       static.NewLayer([]byte("chart"), "application/vnd.cncf.helm.chart.content.v1.tar+gzip"),
			Annotations: map[string]string{"org.opencontainers.image.title": "app-1.0.0.tgz"},
		},
		mutate.Addendum{
			Layer:       static.NewLayer([]byte("provenance"), "application/vnd.cncf.helm.chart.provenance.v1.prov"),
			Annotations: map[string]string{"org.opencontainers.image.title": "app-1.0.0.tgz.prov"},
		}))
	return mutate.Annotations(img, map[string]string{"org.opencontainers.image.version": "1.0.0"}).(v1.Image)
}

// descriptorOf converts a descriptor of go-containerregistry.
func descriptorOf(d v1.Descriptor) ecrlayer.Descriptor {
	return ecrlayer.Descriptor{Digest: digest.Digest(d.Digest.String()), MediaType: string(d.MediaType), Size: d.Size, URLs: d.URLs, Annotations: d.Annotations}
}

// digestOf returns the digest of an image, an index or a layer.
func digestOf(what interface{ Digest() (v1.Hash, error) }) digest.Digest {
	return digest.Digest(must(what.Digest()).String())
}

// Every field of an image and its config must match go-containerregistry's, with no more
// calls than necessary.
func TestImageAndConfigMatchGoContainerregistry(t *testing.T) {
	t.Parallel()
	twice := must(random.Layer(64, types.DockerLayer))
	list := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.DockerManifestList),
		mutate.IndexAddendum{Add: build(t, 2, "linux/amd64"), Descriptor: v1.Descriptor{Platform: platformOf("linux/amd64")}},
		mutate.IndexAddendum{Add: build(t, 3, "windows/amd64"), Descriptor: v1.Descriptor{Platform: platformOf("windows/amd64")}})
	index, all := multiArch(t), []string{"linux/amd64", "linux/arm64/v8", "linux/arm/v7"}

	tests := map[string]struct {
		pushed    remote.Taggable
		platform  string
		artifact  string
		platforms []string
		layers    int
	}{
		"an OCI image":                  {pushed: oci(build(t, 3, "linux/amd64")), layers: 3},
		"an OCI image with annotations": {pushed: mutate.Annotations(oci(build(t, 1, "linux/amd64")), map[string]string{"a": "b", "org.opencontainers.image.created": "2026-01-01T00:00:00Z"}).(v1.Image), layers: 1},
		"a Docker image":                {pushed: build(t, 3, "linux/arm/v7"), layers: 3},
		"an image without layers":       {pushed: build(t, 0, "linux/amd64")},
		"an empty image":                {pushed: empty.Image},
		"an image of 127 layers":        {pushed: oci(build(t, 127, "linux/amd64")), layers: 127},
		"the same layer twice":          {pushed: must(mutate.AppendLayers(build(t, 1, "linux/amd64"), twice, twice)), layers: 3},
		"a Helm chart":                  {pushed: chart(t), artifact: "application/vnd.cncf.helm.config.v1+json", layers: 2},
		"an OCI index, amd64":           {pushed: index, platform: "linux/amd64", platforms: all, layers: 2},
		"an OCI index, arm64":           {pushed: index, platform: "linux/arm64/v8", platforms: all, layers: 2},
		"an OCI index, arm":             {pushed: index, platform: "linux/arm/v7", platforms: all, layers: 2},
		"a Docker list, Windows":        {pushed: list, platform: "windows/amd64", platforms: []string{"linux/amd64", "windows/amd64"}, layers: 3},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newImageRegistry(t)
			ref := r.push(t, "v1", test.pushed)
			got, err := r.client.Image(t.Context(), inTestRepository, ecrlayer.ImageReference{Tag: "v1"}, test.platform)
			if err != nil {
				t.Fatal(err)
			}
			calls, options := []string{"BatchGetImage"}, []remote.Option{remote.WithContext(t.Context())}
			if test.platform != "" {
				calls, options = append(calls, "BatchGetImage"), append(options, remote.WithPlatform(*platformOf(test.platform)))
			}
			if made := r.operations(); !slices.Equal(made, calls) {
				t.Errorf("calls = %q, want %q", made, calls)
			}

			img, imageDigest := must(remote.Image(ref, options...)), digest.Digest(must(remote.Head(ref, options[:1]...)).Digest.String())
			manifest := must(img.Manifest())
			want := &ecrlayer.Image{
				Repository:     ecrlayer.Repository{Name: testRepository, RegistryID: testAccount, Region: testRegion},
				ImageDigest:    imageDigest,
				ManifestDigest: digestOf(img),
				Manifest:       string(must(img.RawManifest())),
				MediaType:      string(manifest.MediaType),
				ArtifactType:   test.artifact,
				Platforms:      test.platforms,
				Config:         descriptorOf(manifest.Config),
				Annotations:    manifest.Annotations,
				URI:            ecrlayer.ImageURI{RegistryID: testAccount, Region: testRegion, DNSSuffix: "amazonaws.com", RepositoryName: testRepository, Digest: imageDigest},
			}
			for _, layer := range manifest.Layers {
				want.Layers = append(want.Layers, descriptorOf(layer))
			}
			if !reflect.DeepEqual(got, want) || len(got.Layers) != test.layers {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
			if test.artifact == "" {
				checkConfig(t, r, img, got, test.platform)
			}
		})
	}
}

// checkConfig reads the config of an image and compares it with that of img.
func checkConfig(t *testing.T, r *imageRegistry, img v1.Image, image *ecrlayer.Image, platform string) {
	t.Helper()
	before := r.operations()
	got, err := r.client.ImageConfig(t.Context(), inTestRepository, ecrlayer.ImageReference{Tag: "v1"}, platform)
	if err != nil {
		t.Fatal(err)
	}
	if made, want := r.operations()[len(before):], slices.Concat(before, []string{"GetDownloadUrlForLayer", "GetObject"}); !slices.Equal(made, want) {
		t.Errorf("calls = %q, want %q", made, want)
	}
	config := must(img.ConfigFile())
	want := &ecrlayer.ImageConfig{
		Image:        image,
		ConfigDigest: image.Config.Digest,
		JSON:         string(must(img.RawConfigFile())),
		Architecture: config.Architecture,
		OS:           config.OS,
		Variant:      config.Variant,
		Created:      config.Created.Time,
		Author:       config.Author,
		Labels:       config.Config.Labels,
		Env:          map[string]string{},
		Entrypoint:   config.Config.Entrypoint,
		Cmd:          config.Config.Cmd,
		User:         config.Config.User,
		WorkingDir:   config.Config.WorkingDir,
		ExposedPorts: slices.Sorted(maps.Keys(config.Config.ExposedPorts)),
		Volumes:      slices.Sorted(maps.Keys(config.Config.Volumes)),
		StopSignal:   config.Config.StopSignal,
	}
	if len(config.Config.Env) > 0 {
		want.Env = map[string]string{"PATH": "/usr/bin:/bin", "MODE": "a=b"}
	}
	for i, id := range config.RootFS.DiffIDs {
		want.DiffIDs = append(want.DiffIDs, digest.Digest(id.String()))
		want.Layers = append(want.Layers, ecrlayer.ConfigLayer{Digest: image.Layers[i].Digest, DiffID: want.DiffIDs[i]})
	}
	if len(got.DiffIDs) == 0 {
		got.DiffIDs = nil
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	download := r.CallsTo("s3", "GetObject")[0].Header
	for name := range download {
		if name == "Authorization" || strings.HasPrefix(name, "X-Amz-") {
			t.Errorf("download has the header %s", name)
		}
	}
	// Without it, net/http would decompress what a host compresses or stores compressed.
	if got := download.Get("Accept-Encoding"); got != "identity" {
		t.Errorf("Accept-Encoding = %q, want identity", got)
	}
	last := r.observed[len(r.observed)-1]
	if last.Operation != ecrlayer.OperationDownload || last.Attempts != 1 || last.StatusCode != http.StatusOK || last.RequestID == "" || last.Endpoint != "http://"+r.host {
		t.Errorf("observed call = %+v", last)
	}
}

func TestImagePlatform(t *testing.T) {
	t.Parallel()
	r := newImageRegistry(t)
	index := multiArch(t)
	single := oci(build(t, 1, "linux/arm64/v8"))
	plain := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{Add: single})
	r.push(t, "index", index)
	r.push(t, "single", single)
	r.push(t, "plain", plain)
	r.push(t, "chart", chart(t))
	r.putImage(t, "unknown", []byte(`{}`), nil)
	r.putImage(t, "ubuntu", []byte(`{"os":"linux","architecture":"arm64","os.version":"Ubuntu 22.04.1"}`), nil)
	r.putImage(t, "legacy", []byte(`{"os":"linux","architecture":"arm64"}`), map[string]any{"mediaType": "application/octet-stream"})
	manifests := must(index.IndexManifest())
	singleDigest := digest.Digest(must(single.Digest()).String())

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
		"linux/arm64 matches arm64/v8":                       {tag: "index", platform: "linux/arm64", want: digest.Digest(manifests.Manifests[2].Digest.String()), calls: []string{"BatchGetImage", "BatchGetImage"}},
		"none requested, several available":                  {tag: "index", failure: &platformError, reason: "none was requested", available: all, calls: verified[:1]},
		"a missing platform":                                 {tag: "index", platform: "linux/s390x", failure: &platformError, reason: "not for platform", available: all, calls: verified[:1]},
		"none requested, no index":                           {tag: "single", want: singleDigest, calls: verified[:1]},
		"the config's platform, no index":                    {tag: "single", platform: "linux/arm64", want: singleDigest, calls: verified},
		"the config's platform with its variant, no index":   {tag: "single", platform: "linux/arm64/v8", want: singleDigest, calls: verified},
		"another platform, no index":                         {tag: "single", platform: "linux/amd64", failure: &platformError, reason: "not for platform linux/amd64", available: []string{"linux/arm64/v8"}, calls: verified},
		"none requested, an index without a platform":        {tag: "plain", want: singleDigest, calls: []string{"BatchGetImage", "BatchGetImage"}},
		"the config's platform, an index without a platform": {tag: "plain", platform: "linux/arm64", want: singleDigest, calls: append([]string{"BatchGetImage"}, verified...)},
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
	image := digestOf(r.pushed(t, "v1", oci(build(t, 1, "linux/amd64"))))
	other := digestOf(r.pushed(t, "v2", oci(build(t, 1, "linux/amd64"))))
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
