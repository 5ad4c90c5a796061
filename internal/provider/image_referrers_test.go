// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

const (
	onePage = "ecr:ListImageReferrers"

	spdxType, signatureType = "application/spdx+json", "application/vnd.cncf.notary.signature"
)

func referrersConfig(arguments ...string) string {
	return strings.Replace(imageConfig(arguments...), "ecrlayer_image", "ecrlayer_image_referrers", 1)
}

// subject returns the descriptor of the image of newEnv.
func (e *env) subject(t *testing.T) *v1.Descriptor {
	t.Helper()
	return must[*v1.Descriptor](t)(partial.Descriptor(e.image))
}

// exactReferrers checks a list of referrers in the order of the endpoint, by digest.
func exactReferrers(status map[v1.Hash]string, referrers ...v1.Descriptor) knownvalue.Check {
	slices.SortFunc(referrers, func(a, b v1.Descriptor) int { return strings.Compare(a.Digest.Hex, b.Digest.Hex) })
	checks := make([]knownvalue.Check, len(referrers))
	for i, d := range referrers {
		object := descriptorChecks(d)
		object["artifact_type"] = exactOrNull(d.ArtifactType)
		object["status"] = knownvalue.StringExact("ACTIVE")
		if s := status[d.Digest]; s != "" {
			object["status"] = knownvalue.StringExact(s)
		}
		checks[i] = knownvalue.ObjectExact(object)
	}
	return knownvalue.ListExact(checks)
}

//nolint:tparallel // The cases share an endpoint, whose calls they count.
func TestImageReferrers(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	subject := e.subject(t)
	sbom := e.putArtifact(t, v1.Manifest{ArtifactType: spdxType, Subject: subject, Annotations: map[string]string{"org.opencontainers.image.created": "2026-01-31T12:00:00Z", "empty": ""}})
	signature := e.putArtifact(t, v1.Manifest{ArtifactType: signatureType, Subject: subject})
	archived := e.putArtifact(t, v1.Manifest{ArtifactType: spdxType, Subject: subject})
	e.SetArchived(account, region, repository, archived.Digest.String(), true)
	e.putArtifact(t, v1.Manifest{ArtifactType: spdxType, Subject: &sbom}) // refers to another image
	untyped := e.putArtifact(t, v1.Manifest{Subject: subject})
	untyped.ArtifactType = "application/vnd.oci.empty.v1+json" // of its config
	status := map[v1.Hash]string{archived.Digest: "ARCHIVED"}
	tests := map[string]struct {
		arguments  []string
		attributes map[string]knownvalue.Check
		calls      []string
	}{
		"by tag": {[]string{byTag(tag)}, map[string]knownvalue.Check{
			"referrers": exactReferrers(status, sbom, signature, archived, untyped), "registry_id": knownvalue.StringExact(account),
			"artifact_types": knownvalue.Null(), "image_tag": knownvalue.StringExact(tag), "region": knownvalue.StringExact(region),
		}, []string{oneManifest, onePage}},
		"by digest": {[]string{byDigest(subject.Digest.String())}, map[string]knownvalue.Check{
			"referrers": exactReferrers(status, sbom, signature, archived, untyped), "registry_id": knownvalue.Null(), "image_tag": knownvalue.Null(),
		}, []string{onePage}},
		"by tag and digest": {[]string{byTag(tag), byDigest(subject.Digest.String())}, map[string]knownvalue.Check{
			"referrers": exactReferrers(status, sbom, signature, archived, untyped),
		}, []string{oneManifest, onePage}},
		"one type": {[]string{byTag(tag), fmt.Sprintf("artifact_types = [%q]", signatureType)}, map[string]knownvalue.Check{
			"referrers": exactReferrers(status, signature), "artifact_types": exactList([]string{signatureType}),
		}, []string{oneManifest, onePage}},
		"several types": {[]string{byTag(tag), fmt.Sprintf("artifact_types = [%q, \"none\", %q]", signatureType, spdxType)}, map[string]knownvalue.Check{
			"referrers": exactReferrers(status, sbom, signature, archived),
		}, []string{oneManifest, onePage}},
		"no referrers": {[]string{byTag(tag), "artifact_types = [\"none\"]"}, map[string]knownvalue.Check{
			"referrers": knownvalue.ListExact(nil), "image_digest": knownvalue.StringExact(subject.Digest.String()),
		}, []string{oneManifest, onePage}},
		"absent digest": {[]string{byDigest(absentDigest)}, map[string]knownvalue.Check{"referrers": knownvalue.ListExact(nil)}, []string{onePage}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { // One after the other, to count the calls.
			if _, ok := test.attributes["image_digest"]; !ok && name != "absent digest" {
				test.attributes["image_digest"] = knownvalue.StringExact(subject.Digest.String())
			}
			e.Reset()
			evaluate(t, e.provider()+referrersConfig(test.arguments...)).expect(t, test.attributes)
			e.expectCalls(t, test.calls...)
		})
	}
}

func TestImageReferrersPaging(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	var pushed []v1.Descriptor
	for i := range 101 {
		pushed = append(pushed, e.putArtifact(t, v1.Manifest{ArtifactType: signatureType, Subject: e.subject(t), Annotations: map[string]string{"i": strconv.Itoa(i)}}))
	}
	evaluate(t, e.provider()+referrersConfig(byTag(tag))).expect(t, map[string]knownvalue.Check{"referrers": exactReferrers(nil, pushed...)})
	e.expectCalls(t, oneManifest, onePage, onePage, onePage)
}

// respondWithPage makes ECR return this page for every request.
func respondWithPage(page map[string]any) func(*testing.T, *env) {
	return func(t *testing.T, e *env) {
		t.Helper()
		e.Inject(ecrtest.Fault{Operation: "ListImageReferrers", Body: must[[]byte](t)(json.Marshal(page)), ContentType: "application/x-amz-json-1.1"})
	}
}

func TestImageReferrersErrors(t *testing.T) {
	t.Parallel()
	const list = "ListImageReferrers"
	fails := func(code string) func(*testing.T, *env) { return injectOperationError(list, code) }
	referrer := func(change func(map[string]any)) map[string]any {
		r := map[string]any{"digest": absentDigest, "mediaType": "m", "size": 1}
		change(r)
		return r
	}
	tests := map[string]struct {
		prepare   func(*testing.T, *env)
		arguments []string
		want      []string // summary, argument, and parts of the detail in this order
		calls     int      // of ListImageReferrers
	}{
		"tag not found": {arguments: []string{byTag("gone")}, want: []string{"Image not found", "image_tag", "Requested the referrers of an image from ECR \\(BatchGetImage\\)", "resource: gone"}},
		"access denied": {
			prepare:   func(_ *testing.T, e *env) { e.Deny(e.user.ARN, "ecr:BatchGetImage") },
			arguments: []string{byDigest(absentDigest)},
			want:      []string{"Access denied", "repository_name", "ListImageReferrers", "AccessDeniedException", "The credentials need ecr:BatchGetImage on arn:aws:ecr:us-east-1:<account>:repository/team/app"}, calls: 1,
		},
		"region without the operation": {
			prepare: fails("UnknownOperationException"),
			want:    []string{"Referrers not supported", "region", "of image 1.0", "UnknownOperationException", "region us-east-1", "ecrlayer_image_index"}, calls: 1,
		},
		"not available upstream": {
			prepare: fails("UnableToListUpstreamImageReferrersException"),
			want:    []string{"Referrers not available upstream", "repository_name", "UnableToListUpstreamImageReferrersException", "Secrets Manager"}, calls: 1,
		},
		"failed validation": {prepare: fails("ValidationException"), want: []string{"ECR rejected an argument", "image_tag", "ValidationException"}, calls: 1},
		"endless pages": {
			prepare: respondWithPage(map[string]any{"referrers": []any{}, "nextToken": "again"}),
			want:    []string{"Too many referrers", "artifact_types", "more than 100 pages \\(HTTP 200, request ID [0-9a-f-]{36}, 1 attempt", "Set artifact_types"}, calls: 100,
		},
		"too many referrers": {
			prepare: respondWithPage(map[string]any{"nextToken": "again", "referrers": slices.Repeat([]any{referrer(func(map[string]any) {})}, 50)}),
			want:    []string{"Too many referrers", "artifact_types", "more than 1000 referrers"}, calls: 21,
		},
		"huge annotations": {
			prepare: respondWithPage(map[string]any{"nextToken": "again", "referrers": []any{referrer(func(r map[string]any) {
				r["annotations"] = map[string]string{"a": strings.Repeat("a", 5<<20)}
			})}}),
			want: []string{"Too many referrers", "artifact_types", "more than 50000 strings or 8388608 bytes"}, calls: 2,
		},
		"huge page": {
			prepare: respondWithPage(map[string]any{"referrers": []any{referrer(func(r map[string]any) { r["mediaType"] = strings.Repeat("a", 17<<20) })}}),
			want:    []string{"Invalid response", "image_tag", "more than 16777216 bytes"}, calls: 1,
		},
		"not a digest": {
			prepare: respondWithPage(map[string]any{"referrers": []any{referrer(func(r map[string]any) { r["digest"] = "sha256:../.." })}}),
			want:    []string{"Invalid response", "image_tag", `the digest "sha256:../.."`}, calls: 1,
		},
		"negative size": {
			prepare: respondWithPage(map[string]any{"referrers": []any{referrer(func(r map[string]any) { r["size"] = -1 })}}),
			want:    []string{"Invalid response", "image_tag", "a size of -1 bytes"}, calls: 1,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			if test.prepare != nil {
				test.prepare(t, e)
			}
			if test.arguments == nil {
				test.arguments = []string{byTag(tag)}
			}
			e.Reset()
			evaluate(t, e.provider()+referrersConfig(test.arguments...)).mustFailLike(t, test.want)
			if got := len(e.CallsTo("ecr", list)); got != test.calls {
				t.Errorf("the calls are %v, want %d of %s", e.operations(), test.calls, list)
			}
		})
	}
}

func TestImageReferrersInvalidArguments(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for arguments, want := range map[string][]string{
		`artifact_types = []`:                                   {"Invalid Attribute Value", "artifact_types", "at least 1"},
		`artifact_types = ["a", "b", "c", "d", "e", "f"]`:       {"Invalid Attribute Value", "artifact_types", "at most 5"},
		`artifact_types = [""]`:                                 {"Invalid artifact type", "artifact_types[0]", "1 to 255 characters, not 0"},
		`artifact_types = ["` + strings.Repeat("é", 256) + `"]`: {"Invalid artifact type", "artifact_types[0]", "not 256"},
		`artifact_types = [null]`:                               {"Invalid artifact type", "artifact_types[0]", "must not be null"},
		`image_digest = "sha256:abc"`:                           {"Invalid image digest", "image_digest", "64 hexadecimal digits"},
	} {
		evaluate(t, e.provider()+referrersConfig(byTag(tag), arguments)).mustFailLike(t, want)
	}
	evaluate(t, e.provider()+referrersConfig()).mustFailLike(t, []string{"Invalid Attribute Combination", "image_tag"})
	e.expectCalls(t)
}
