// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest_test

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	ggcr "github.com/google/go-containerregistry/pkg/v1/types"
)

const sbomType, signatureType = "application/spdx+json", "application/vnd.example.signature"

// pushReferrers pushes an image and five manifests with it as their subject. It returns
// the image's digest and those of the referrers by what they are.
func (e *env) pushReferrers(t *testing.T) (name.Digest, map[string]string) {
	t.Helper()
	image, _ := e.push(t, repo+":v1")
	subject := must(partial.Descriptor(image))
	repository, err := name.NewRepository(e.Reference(e.host(), account, region, repo))
	if err != nil {
		t.Fatal(err)
	}

	// One is pushed as a client does it, which needs the registry to know subjects.
	config := mutate.ConfigMediaType(mutate.MediaType(empty.Image, ggcr.OCIManifestSchema1), signatureType)
	signature, ok := mutate.Subject(mutate.Annotations(config, map[string]string{"key": "value"}), *subject).(v1.Image)
	if !ok {
		t.Fatal("the signature is not an image")
	}
	digest := must(signature.Digest())
	if err := remote.Write(repository.Digest(digest.String()), signature, remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
	digests := map[string]string{"signature": digest.String()}
	put := func(what, mediaType, fields string) {
		raw := fmt.Sprintf(`{%s,"subject":{"mediaType":%q,"digest":%q,"size":%d}}`, fields, subject.MediaType, subject.Digest, subject.Size)
		digests[what] = e.PutManifest(account, region, repo, "", mediaType, []byte(raw)).String()
	}
	put("sbom", string(ggcr.OCIManifestSchema1), `"artifactType":"`+sbomType+`","config":{"mediaType":"application/vnd.oci.empty.v1+json"}`)
	put("archived", string(ggcr.OCIManifestSchema1), `"artifactType":"`+sbomType+`","layers":[]`)
	put("index", string(ggcr.OCIImageIndex), `"manifests":[]`)
	put("typed index", string(ggcr.OCIImageIndex), `"artifactType":"`+sbomType+`"`)
	e.SetArchived(account, region, repo, digests["archived"], true)
	return repository.Digest(subject.Digest.String()), digests
}

func referrersInput(digest string) *ecr.ListImageReferrersInput {
	return &ecr.ListImageReferrersInput{RepositoryName: aws.String(repo), SubjectId: &types.SubjectIdentifier{ImageDigest: aws.String(digest)}}
}

func TestListImageReferrers(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	image, digests := e.pushReferrers(t)
	for _, test := range []struct {
		name   string
		filter *types.ListImageReferrersFilter
		want   []string
	}{
		{"all that are active", nil, []string{"signature", "sbom", "index", "typed index"}},
		{"artifact type", &types.ListImageReferrersFilter{ArtifactTypes: []string{sbomType}}, []string{"sbom", "typed index"}},
		{"config type", &types.ListImageReferrersFilter{ArtifactTypes: []string{signatureType, "other"}}, []string{"signature"}},
		{"other type", &types.ListImageReferrersFilter{ArtifactTypes: []string{"other"}}, nil},
		{"archived", &types.ListImageReferrersFilter{ArtifactStatus: types.ArtifactStatusFilterArchived}, []string{"archived"}},
		{"any status", &types.ListImageReferrersFilter{ArtifactStatus: types.ArtifactStatusFilterAny, ArtifactTypes: []string{sbomType}}, []string{"sbom", "archived", "typed index"}},
	} {
		for _, size := range []int32{0, 1, 2, 50} { // Pages of any size have the same results.
			input := referrersInput(image.DigestStr())
			if input.Filter = test.filter; size > 0 {
				input.MaxResults = aws.Int32(size)
			}
			var got, want []string
			for more := true; more; more = input.NextToken != nil {
				page := must(e.ecr(e.user).ListImageReferrers(t.Context(), input))
				if size > 0 && len(page.Referrers) > int(size) {
					t.Errorf("%s: a page of %d has %d results", test.name, size, len(page.Referrers))
				}
				for _, r := range page.Referrers {
					got = append(got, aws.ToString(r.Digest))
				}
				input.NextToken = page.NextToken
			}
			for _, what := range test.want {
				want = append(want, digests[what])
			}
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s, pages of %d: got %q, want %q", test.name, size, got, want)
			}
		}
	}
}

func TestReferrerMembers(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	image, digests := e.pushReferrers(t)
	input := referrersInput(image.DigestStr())
	input.Filter = &types.ListImageReferrersFilter{ArtifactStatus: types.ArtifactStatusFilterAny}
	out := must(e.ecr(e.user).ListImageReferrers(t.Context(), input))
	stored, err := remote.Get(image.Context().Digest(digests["signature"]), remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]types.ImageReferrer{}
	for _, r := range out.Referrers {
		got[aws.ToString(r.Digest)] = r
	}
	want := types.ImageReferrer{
		Digest: aws.String(digests["signature"]), MediaType: aws.String(string(ggcr.OCIManifestSchema1)), Size: aws.Int64(stored.Size),
		ArtifactType: aws.String(signatureType), ArtifactStatus: types.ArtifactStatusActive, Annotations: map[string]string{"key": "value"},
	}
	if !reflect.DeepEqual(got[digests["signature"]], want) {
		t.Errorf("signature = %+v, want %+v", got[digests["signature"]], want)
	}
	if r := got[digests["archived"]]; r.ArtifactStatus != types.ArtifactStatusArchived {
		t.Errorf("archived = %+v, want the status ARCHIVED", r)
	}
	if r := got[digests["index"]]; r.ArtifactType != nil || r.Annotations != nil || aws.ToString(r.MediaType) != string(ggcr.OCIImageIndex) {
		t.Errorf("index = %+v, want neither an artifact type nor annotations", r)
	}

	raw := fmt.Sprintf(`{"mediaType":%q,"subject":{"digest":%q}}`, ggcr.OCIManifestSchema1, image.DigestStr())
	resp, _ := e.do(t, e.request(t, http.MethodPut, e.Reference(e.server.URL+"/v2", account, region, repo)+"/manifests/v2", raw, "Content-Type", string(ggcr.OCIManifestSchema1)))
	if resp.StatusCode != http.StatusCreated || resp.Header.Get("Oci-Subject") != image.DigestStr() {
		t.Errorf("push: %s, OCI-Subject %q, want the subject", resp.Status, resp.Header.Get("Oci-Subject"))
	}

	// The registry lists the same, so the client has not pushed a tag for the image's referrers.
	index := must(remote.Referrers(image, remote.WithContext(t.Context()), remote.WithFilter("artifactType", sbomType)))
	if manifest, err := index.IndexManifest(); err != nil || len(manifest.Manifests) != 3 || manifest.Manifests[0].ArtifactType != sbomType {
		t.Errorf("the registry lists %+v, error %v, want three SBOMs", manifest, err)
	}
	if tags, err := e.ecr(e.user).BatchGetImage(t.Context(), tagged("sha256-"+image.DigestStr()[7:])); err != nil || len(tags.Failures) != 1 {
		t.Errorf("the fallback tag: %+v, %v, want a failure", tags, err)
	}
}

func TestListImageReferrersErrors(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	image, _ := e.pushReferrers(t)
	client := e.ecr(e.user)
	first := referrersInput(image.DigestStr())
	first.MaxResults = aws.Int32(1)
	out, err := client.ListImageReferrers(t.Context(), first)
	if err != nil || out.NextToken == nil {
		t.Fatalf("first page = %+v, error %v, want a token", out, err)
	}
	if out, err := client.ListImageReferrers(t.Context(), referrersInput(unknownDigest)); err != nil || len(out.Referrers) != 0 || out.NextToken != nil {
		t.Errorf("unknown subject: %+v, %v, want no referrers", out, err)
	}

	denied := e.AddUser(account)
	e.Deny(denied.ARN, "ecr:BatchGetImage")
	stranger := e.AddUser(other)
	const invalid = "InvalidParameterException"
	for _, test := range []struct {
		name       string
		client     *ecr.Client
		change     func(*ecr.ListImageReferrersInput)
		code, text string
	}{
		{"denied", e.ecr(denied), nil, "AccessDeniedException", "is not authorized to perform: ecr:BatchGetImage on resource: arn:aws:ecr:"},
		{"other account", e.ecr(stranger), func(in *ecr.ListImageReferrersInput) { in.RegistryId = aws.String(account) }, "AccessDeniedException", "no resource-based policy allows the ecr:BatchGetImage action"},
		{"unknown repository", client, func(in *ecr.ListImageReferrersInput) { in.RepositoryName = aws.String("team/none") }, "RepositoryNotFoundException", "team/none"},
		{"tag as subject", client, func(in *ecr.ListImageReferrersInput) { in.SubjectId.ImageDigest = aws.String("v1") }, invalid, "'subjectId.imageDigest'"},
		{"no results", client, func(in *ecr.ListImageReferrersInput) { in.MaxResults = aws.Int32(0) }, invalid, "'maxResults' failed to satisfy constraint: 'must have value greater than or equal to 1'"},
		{"51 results", client, func(in *ecr.ListImageReferrersInput) { in.MaxResults = aws.Int32(51) }, invalid, "'maxResults' failed to satisfy constraint: 'must have value less than or equal to 50'"},
		{"six artifact types", client, func(in *ecr.ListImageReferrersInput) {
			in.Filter = &types.ListImageReferrersFilter{ArtifactTypes: slices.Repeat([]string{"a"}, 6)}
		}, invalid, "'filter.artifactTypes' failed to satisfy constraint: 'must have length less than or equal to 5'"},
		{"empty artifact type", client, func(in *ecr.ListImageReferrersInput) {
			in.Filter = &types.ListImageReferrersFilter{ArtifactTypes: []string{""}}
		}, invalid, "must have length greater than or equal to 1"},
		{"unknown status", client, func(in *ecr.ListImageReferrersInput) {
			in.Filter = &types.ListImageReferrersFilter{ArtifactStatus: "DELETED"}
		}, invalid, "ACTIVE|ARCHIVED|ACTIVATING|ANY"},
		{"unknown token", client, func(in *ecr.ListImageReferrersInput) { in.NextToken = aws.String("x") }, invalid, "nextToken"},
		{"token of another filter", client, func(in *ecr.ListImageReferrersInput) {
			in.NextToken, in.Filter = out.NextToken, &types.ListImageReferrersFilter{ArtifactStatus: types.ArtifactStatusFilterAny}
		}, invalid, "nextToken"},
		{"token of another artifact type", client, func(in *ecr.ListImageReferrersInput) {
			in.NextToken, in.Filter = out.NextToken, &types.ListImageReferrersFilter{ArtifactTypes: []string{sbomType}}
		}, invalid, "nextToken"},
	} {
		input := referrersInput(image.DigestStr())
		if test.change != nil {
			test.change(input)
		}
		_, err := test.client.ListImageReferrers(t.Context(), input)
		t.Log(test.name)
		wantError(t, err, http.StatusBadRequest, test.code, test.text)
	}
}
