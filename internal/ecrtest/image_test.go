// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	ggcr "github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
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

func digested(digest string) *ecr.BatchGetImageInput {
	input := tagged("")
	input.ImageIds = []types.ImageIdentifier{{ImageDigest: aws.String(digest)}}
	return input
}

// one returns the only image that an input names.
func (e *env) one(t *testing.T, input *ecr.BatchGetImageInput) types.Image {
	t.Helper()
	out, err := e.ecr(e.user).BatchGetImage(t.Context(), input)
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Images) != 1 || len(out.Failures) != 0 {
		t.Fatalf("images: %+v, failures: %+v", out.Images, out.Failures)
	}
	return out.Images[0]
}

func TestManifestsAreReturnedAsTheyWerePushed(t *testing.T) {
	t.Parallel()
	e := start(t)
	image, err := random.Image(512, 1)
	if err != nil {
		t.Fatal(err)
	}
	oci := mutate.MediaType(mutate.ConfigMediaType(image, ggcr.OCIConfigJSON), ggcr.OCIManifestSchema1)
	index, err := random.Index(512, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	attestation := mutate.AppendManifests(mutate.IndexMediaType(index, ggcr.OCIImageIndex), mutate.IndexAddendum{
		Add: oci,
		Descriptor: v1.Descriptor{
			MediaType:   ggcr.OCIManifestSchema1,
			Platform:    &v1.Platform{OS: "unknown", Architecture: "unknown"},
			Annotations: map[string]string{"vnd.docker.reference.type": "attestation-manifest"},
		},
	})
	artifact := mutate.ConfigMediaType(oci, "application/vnd.cncf.helm.config.v1+json")

	for tag, m := range map[string]interface {
		RawManifest() ([]byte, error)
		MediaType() (ggcr.MediaType, error)
		Digest() (v1.Hash, error)
	}{"docker": image, "oci": oci, "artifact": artifact, "list": mutate.IndexMediaType(index, ggcr.DockerManifestList), "index": attestation} {
		var err error
		switch m := m.(type) {
		case v1.Image:
			err = remote.Write(e.reference(t, repo+":"+tag), m, e.remote(t)...)
		case v1.ImageIndex:
			err = remote.WriteIndex(e.reference(t, repo+":"+tag), m, e.remote(t)...)
		}
		if err != nil {
			t.Fatalf("%s: %v", tag, err)
		}
		raw, _ := m.RawManifest()
		mediaType, _ := m.MediaType()
		digest, _ := m.Digest()

		for _, input := range []*ecr.BatchGetImageInput{tagged(tag), digested(digest.String())} {
			got := e.one(t, input)
			if aws.ToString(got.ImageManifest) != string(raw) || aws.ToString(got.ImageManifestMediaType) != string(mediaType) {
				t.Errorf("%s: %s %s, want %s %s", tag, aws.ToString(got.ImageManifestMediaType), aws.ToString(got.ImageManifest), mediaType, raw)
			}
			if aws.ToString(got.ImageId.ImageDigest) != digest.String() || aws.ToString(got.ImageId.ImageTag) != tag ||
				aws.ToString(got.RegistryId) != account || aws.ToString(got.RepositoryName) != repo {
				t.Errorf("%s: %+v %+v", tag, got, got.ImageId)
			}
		}
	}
}

func TestAnyManifestCanBeStored(t *testing.T) {
	t.Parallel()
	e := start(t)
	layer := e.PutBlob(account, region, repo, []byte("layer"))
	for tag, m := range map[string]struct{ mediaType, raw string }{
		"schema1": {string(ggcr.DockerManifestSchema1Signed), `{"schemaVersion":1,"fsLayers":[{"blobSum":"` + layer.String() + `"}]}`},
		"text":    {string(ggcr.OCIManifestSchema1), "<html>not JSON & not a manifest</html>"},
		"large":   {string(ggcr.OCIManifestSchema1), strings.Repeat("x", 4<<20)},
		"other":   {"application/vnd.example+json", `{}`},
	} {
		want := e.PutManifest(account, region, repo, tag, m.mediaType, []byte(m.raw))
		if want != digest.FromString(m.raw) {
			t.Errorf("%s: digest %s", tag, want)
		}
		for _, input := range []*ecr.BatchGetImageInput{tagged(tag), digested(want.String())} {
			input.AcceptedMediaTypes = []string{m.mediaType}
			got := e.one(t, input)
			if aws.ToString(got.ImageManifest) != m.raw || aws.ToString(got.ImageManifestMediaType) != m.mediaType {
				t.Errorf("%s: another manifest: %.80s", tag, aws.ToString(got.ImageManifest))
			}
		}
	}
	// Schema 1 refers to layers, too.
	e.url(t, layer.String())

	untagged := e.PutManifest(account, region, repo, "", string(ggcr.OCIManifestSchema1), []byte("{ }"))
	if got := e.one(t, digested(untagged.String())); got.ImageId.ImageTag != nil {
		t.Errorf("tag %q", *got.ImageId.ImageTag)
	}

	// What is stored this way can be part of an index that is pushed.
	child := e.one(t, digested(untagged.String()))
	raw := `{"schemaVersion":2,"mediaType":"` + string(ggcr.OCIImageIndex) + `","manifests":[{"mediaType":"` + string(ggcr.OCIManifestSchema1) + `","size":3,"digest":"` + aws.ToString(child.ImageId.ImageDigest) + `"}]}`
	resp, body := e.do(t, e.request(t, http.MethodPut, e.server.URL+"/v2/"+account+"/"+region+"/"+repo+"/manifests/index", raw, "Content-Type", string(ggcr.OCIImageIndex)))
	if resp.StatusCode != http.StatusCreated {
		t.Errorf("%s: %s", resp.Status, body)
	}
}

func TestImagesThatAreNotReturned(t *testing.T) {
	t.Parallel()
	e := start(t)
	image, _ := e.push(t, repo+":v1")
	_, _ = e.push(t, repo+":v2")
	hash, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	d := hash.String()
	e.FailImage(account, region, repo, "kms", "KmsError", "The key is disabled")
	e.FailImage(account, region, repo, "v2", "UpstreamUnavailable", "The upstream does not answer")

	const notFound = "Requested image not found"
	for _, test := range []struct {
		name, tag, digest string
		code              types.ImageFailureCode
		reason            string
	}{
		{"no such tag", "none", "", types.ImageFailureCodeImageNotFound, notFound},
		{"no such digest", "", anyDigest, types.ImageFailureCodeImageNotFound, notFound},
		{"no such tag, with a digest", "none", d, types.ImageFailureCodeImageNotFound, notFound},
		{"tag of another digest", "v1", anyDigest, types.ImageFailureCodeImageTagDoesNotMatchDigest, "Invalid request parameters: given tag does not map to the given digest"},
		{"neither", "", "", types.ImageFailureCodeMissingDigestAndTag, "Invalid request parameters: both tag and digest cannot be null"},
		{"no digest", "", "latest", types.ImageFailureCodeInvalidImageDigest, "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"},
		{"tag with a colon", "a:b", "", types.ImageFailureCodeInvalidImageTag, ""},
		{"long tag", strings.Repeat("a", 301), "", types.ImageFailureCodeInvalidImageTag, ""},
		{"failure set for a name", "kms", "", types.ImageFailureCodeKmsError, "The key is disabled"},
		{"failure set for an image", "v2", "", types.ImageFailureCodeUpstreamUnavailable, "The upstream does not answer"},
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
			out, err := e.ecr(e.user).BatchGetImage(t.Context(), input)
			if err != nil {
				t.Fatal(err)
			}
			if len(out.Images) != 1 || len(out.Failures) != 1 {
				t.Fatalf("images: %+v, failures: %+v", out.Images, out.Failures)
			}
			f := out.Failures[0]
			if f.FailureCode != test.code || !strings.Contains(aws.ToString(f.FailureReason), test.reason) ||
				aws.ToString(f.ImageId.ImageTag) != test.tag || aws.ToString(f.ImageId.ImageDigest) != test.digest {
				t.Errorf("failure %s: %s %+v", f.FailureCode, aws.ToString(f.FailureReason), f.ImageId)
			}
		})
	}
}

func TestBatchOfNoRepository(t *testing.T) {
	t.Parallel()
	e := start(t)
	_, err := e.ecr(e.user).BatchGetImage(t.Context(), tagged("v1"))
	wantError(t, err, http.StatusBadRequest, "RepositoryNotFoundException", repo)
}

func TestDigestWithSeveralTags(t *testing.T) {
	t.Parallel()
	e := start(t)
	image, _ := e.push(t, repo+":v1")
	e.write(t, repo+":latest", image)
	hash, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	out, err := e.ecr(e.user).BatchGetImage(t.Context(), digested(hash.String()))
	if err != nil {
		t.Fatal(err)
	}
	var tags []string
	for _, i := range out.Images {
		tags = append(tags, aws.ToString(i.ImageId.ImageTag))
	}
	if !slices.Equal(tags, []string{"latest", "v1"}) {
		t.Errorf("tags: %v", tags)
	}
	both := tagged("v1")
	both.ImageIds[0].ImageDigest = aws.String(hash.String())
	if got := e.one(t, both); aws.ToString(got.ImageId.ImageTag) != "v1" {
		t.Errorf("%+v", got.ImageId)
	}
}

func TestMovedAndDeletedTags(t *testing.T) {
	t.Parallel()
	e := start(t)
	first, _ := e.push(t, repo+":v1")
	second, _ := e.push(t, repo+":v1")
	want, _ := second.Digest()
	if got := e.one(t, tagged("v1")); aws.ToString(got.ImageId.ImageDigest) != want.String() {
		t.Errorf("the tag has not moved")
	}
	old, _ := first.Digest()
	if got := e.one(t, digested(old.String())); got.ImageId.ImageTag != nil {
		t.Errorf("the old image has the tag %q", *got.ImageId.ImageTag)
	}

	if err := remote.Delete(e.reference(t, repo+":v1"), e.remote(t)...); err != nil {
		t.Fatal(err)
	}
	out, err := e.ecr(e.user).BatchGetImage(t.Context(), tagged("v1"))
	if err != nil || len(out.Failures) != 1 {
		t.Errorf("failures: %+v, %v", out, err)
	}
	e.one(t, digested(want.String()))

	e.write(t, repo+":v2", second)
	if err := remote.Delete(e.reference(t, repo+"@"+want.String()), e.remote(t)...); err != nil {
		t.Fatal(err)
	}
	out, err = e.ecr(e.user).BatchGetImage(t.Context(), tagged("v2"))
	if err != nil || len(out.Failures) != 1 {
		t.Errorf("failures: %+v, %v", out, err)
	}
	if _, err := remote.Head(e.reference(t, repo+":v2"), e.remote(t)...); err == nil {
		t.Error("the registry still has a tag of a deleted image")
	}
}

// TestAcceptedMediaTypes covers the table in
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-manifest-formats.html
func TestAcceptedMediaTypes(t *testing.T) {
	t.Parallel()
	e := start(t)
	docker, _ := e.push(t, repo+":docker")
	layer, err := random.Layer(512, ggcr.OCILayer)
	if err != nil {
		t.Fatal(err)
	}
	oci, err := mutate.AppendLayers(mutate.MediaType(mutate.ConfigMediaType(emptyImage(t), ggcr.OCIConfigJSON), ggcr.OCIManifestSchema1), layer)
	if err != nil {
		t.Fatal(err)
	}
	e.write(t, repo+":oci", oci)
	artifact := mutate.ConfigMediaType(oci, "application/vnd.cncf.helm.config.v1+json")
	e.write(t, repo+":artifact", artifact)
	index, err := random.Index(512, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(e.reference(t, repo+":index"), index, e.remote(t)...); err != nil {
		t.Fatal(err)
	}

	schema2, ociManifest, ociIndex := string(ggcr.DockerManifestSchema2), string(ggcr.OCIManifestSchema1), string(ggcr.OCIImageIndex)
	for _, test := range []struct {
		tag      string
		byDigest bool
		accept   []string
		want     string // none: not found
	}{
		{"docker", false, []string{schema2}, schema2},
		{"docker", false, nil, schema2},
		{"docker", true, nil, schema2},
		{"docker", false, []string{ociManifest}, ociManifest},
		{"docker", true, []string{ociManifest}, ""},
		{"oci", false, []string{ociManifest}, ociManifest},
		{"oci", false, []string{schema2}, schema2},
		{"oci", false, nil, schema2},
		{"oci", true, nil, ""},
		{"oci", false, []string{ociManifest, schema2}, ociManifest},
		{"artifact", false, []string{schema2}, ""},
		{"artifact", false, []string{ociManifest}, ociManifest},
		{"index", false, []string{ociIndex}, ociIndex},
		{"index", false, []string{schema2, ociManifest}, ""},
		{"index", false, nil, ""},
	} {
		var m interface{ Digest() (v1.Hash, error) }
		switch test.tag {
		case "docker":
			m = docker
		case "oci":
			m = oci
		case "artifact":
			m = artifact
		default:
			m = index
		}
		hash, _ := m.Digest()
		input := tagged(test.tag)
		if test.byDigest {
			input = digested(hash.String())
		}
		input.AcceptedMediaTypes = test.accept
		out, err := e.ecr(e.user).BatchGetImage(t.Context(), input)
		if err != nil {
			t.Fatal(err)
		}
		if test.want == "" {
			if len(out.Images) != 0 || len(out.Failures) != 1 || out.Failures[0].FailureCode != types.ImageFailureCodeImageNotFound {
				t.Errorf("%+v: %+v", test, out)
			}
			continue
		}
		if len(out.Images) != 1 {
			t.Errorf("%+v: %+v", test, out)
			continue
		}
		got := out.Images[0]
		var manifest v1.Manifest
		if err := json.Unmarshal([]byte(aws.ToString(got.ImageManifest)), &manifest); err != nil {
			t.Error(err)
		}
		if aws.ToString(got.ImageManifestMediaType) != test.want || aws.ToString(got.ImageId.ImageDigest) != hash.String() {
			t.Errorf("%+v: %s %s", test, aws.ToString(got.ImageManifestMediaType), aws.ToString(got.ImageId.ImageDigest))
		}
		converted := digest.FromString(aws.ToString(got.ImageManifest)).String() != hash.String()
		stored := map[string]string{"docker": schema2, "oci": ociManifest, "artifact": ociManifest, "index": ociIndex}[test.tag]
		if converted != (test.want != stored) {
			t.Errorf("%+v: converted: %v", test, converted)
		}
		if test.tag == "oci" && converted && (manifest.MediaType != ggcr.DockerManifestSchema2 || manifest.Config.MediaType != ggcr.DockerConfigJSON || manifest.Layers[0].MediaType != ggcr.DockerLayer) {
			t.Errorf("converted manifest: %s", aws.ToString(got.ImageManifest))
		}
	}
}

func emptyImage(t *testing.T) v1.Image {
	t.Helper()
	image, err := random.Image(1, 0)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func TestOverrideManifest(t *testing.T) {
	t.Parallel()
	e := start(t)
	image, _ := e.push(t, repo+":v1")
	hash, _ := image.Digest()
	e.OverrideManifest(account, region, repo, "v1", string(ggcr.DockerManifestSchema2), []byte(`{"other":true}`))
	got := e.one(t, tagged("v1"))
	if aws.ToString(got.ImageManifest) != `{"other":true}` || aws.ToString(got.ImageId.ImageDigest) != hash.String() {
		t.Errorf("%+v", got)
	}
	raw, _ := image.RawManifest()
	if got := e.one(t, digested(hash.String())); aws.ToString(got.ImageManifest) != string(raw) {
		t.Errorf("by digest: %s", aws.ToString(got.ImageManifest))
	}
}

func TestRegistryKeepsRepositoriesApart(t *testing.T) {
	t.Parallel()
	e := start(t)
	image, layer := e.push(t, repo+":v1")
	blob := e.server.URL + "/v2/" + account + "/" + region + "/%s/blobs/" + layer
	for name, want := range map[string]int{repo: http.StatusOK, "team/other": http.StatusNotFound} {
		if resp, _ := e.get(t, http.MethodHead, strings.Replace(blob, "%s", name, 1)); resp.StatusCode != want {
			t.Errorf("%s: %s, want %d", name, resp.Status, want)
		}
	}

	// What was pushed can be pulled.
	pulled, err := remote.Image(e.reference(t, repo+":v1"), e.remote(t)...)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := image.RawManifest()
	if got, err := pulled.RawManifest(); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s, %v", got, err)
	}
	layers, err := pulled.Layers()
	if err != nil {
		t.Fatal(err)
	}
	content, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = content.Close() }()
	if got, err := digest.FromReader(content); err != nil || got.String() != layer {
		t.Errorf("%s, %v", got, err)
	}
}

func TestRegistryRejects(t *testing.T) {
	t.Parallel()
	e := start(t)
	base := e.server.URL + "/v2/"
	for _, test := range []struct {
		name, method, path, body string
		status                   int
		code                     string
	}{
		{"repository without account", http.MethodPut, "team/app/manifests/v1", "{}", http.StatusBadRequest, "NAME_INVALID"},
		{"upper case repository", http.MethodPut, account + "/eu-west-1/Team/manifests/v1", "{}", http.StatusBadRequest, "NAME_INVALID"},
		{"another digest", http.MethodPut, account + "/eu-west-1/team/app/manifests/" + anyDigest, "{}", http.StatusBadRequest, "DIGEST_INVALID"},
		{"more than 4 MiB", http.MethodPut, account + "/eu-west-1/team/app/manifests/v1", strings.Repeat("x", 4<<20+1), http.StatusRequestEntityTooLarge, "SIZE_INVALID"},
		{"index of nothing", http.MethodPut, account + "/eu-west-1/team/app/manifests/v1", `{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":1,"digest":"` + anyDigest + `"}]}`, http.StatusNotFound, "MANIFEST_UNKNOWN"},
		{"no operation", http.MethodPut, "nothing", "", http.StatusNotFound, "UNSUPPORTED"},
		{"delete of nothing", http.MethodDelete, account + "/eu-west-1/team/app/manifests/v1", "", http.StatusNotFound, "NAME_UNKNOWN"},
	} {
		resp, body := e.do(t, e.request(t, test.method, base+test.path, test.body, "Content-Type", string(ggcr.OCIImageIndex)))
		if resp.StatusCode != test.status || !strings.Contains(body, test.code) {
			t.Errorf("%s: %s: %s", test.name, resp.Status, body)
		}
	}
	_, err := e.ecr(e.user).BatchGetImage(t.Context(), tagged("v1"))
	wantError(t, err, http.StatusBadRequest, "RepositoryNotFoundException", repo)
	if resp, _ := e.get(t, http.MethodGet, base); resp.StatusCode != http.StatusOK {
		t.Errorf("version check: %s", resp.Status)
	}
	if n := len(e.CallsTo("registry", "")); n != 0 {
		t.Errorf("%d pushes among the calls", n)
	}
}
