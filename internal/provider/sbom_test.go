// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"reflect"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	v1types "github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	permissiveSBOM = `{"packages":[{"name":"app","versionInfo":"1.0","licenseDeclared":"Apache-2.0"},{"name":"musl"}]}`
	copyleftSBOM   = `{"packages":[{"name":"gs","licenseConcluded":"NOASSERTION","licenseDeclared":"(MIT AND AGPL-3.0-only)"},{"name":"app","licenseDeclared":"AGPL-3.0-only-exception"}]}`
)

func TestAccSBOMExample(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		sboms    []string
		archived bool
		packages []any
		fails    []string
	}{
		"permissive licenses": {sboms: []string{permissiveSBOM}, packages: []any{"app 1.0", "musl "}},
		"forbidden license":   {sboms: []string{permissiveSBOM, copyleftSBOM}, fails: []string{"have a forbidden license: gs\\."}},
		"no SBOM":             {fails: []string{inRegistry + ":1.0 has no SBOM"}},
		"archived SBOM":       {sboms: []string{permissiveSBOM}, archived: true, fails: []string{"has no SBOM"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			for _, sbom := range test.sboms {
				pushed := artifact{ArtifactType: spdxType, Subject: e.subject(t), Layers: []v1.Descriptor{e.putFile(spdxType, sbom)}}.put(t, e)
				e.SetArchived(account, region, repository, pushed.Digest.String(), test.archived)
			}
			artifact{ArtifactType: signatureType, Subject: e.subject(t)}.put(t, e)
			c := newCLI(t, e)
			c.useExample(t, "sbom")
			c.init(t)
			apply := []string{"-auto-approve", "-var", "image=" + inRegistry + ":" + tag}
			if test.fails != nil {
				c.mustFail(t, test.fails, "apply", apply...)
				return
			}
			c.must(t, "apply", apply...)
			want := map[string]any{"packages": test.packages, "image_digest": e.subject(t).Digest.String()}
			if got := c.outputs(t); !reflect.DeepEqual(got, want) {
				t.Errorf("the outputs are %v, want %v", got, want)
			}
		})
	}
}

// provenanceOf returns provenance in a version of SLSA's format.
func provenanceOf(version, uri string) [2]string {
	format := `{"invocation":{"configSource":{%s"entryPoint":"Dockerfile"}}}`
	if version == "v1" {
		format = `{"buildDefinition":{"externalParameters":{"configSource":{%s"path":"Dockerfile"}}}}`
	}
	if uri != "" {
		uri = fmt.Sprintf("%q:%q,", "uri", uri)
	}
	return [2]string{"https://slsa.dev/provenance/" + version, fmt.Sprintf(format, uri)}
}

func TestAccSBOMBuildxExample(t *testing.T) {
	t.Parallel()
	const source = "https://github.com/example/app.git"
	spdx := func(content string) [2]string { return [2]string{"https://spdx.dev/Document", content} }
	for name, test := range map[string]struct {
		amd64, arm64 [][2]string // predicate types and predicates, nil for no attestation
		warns        string
		fails        []string
	}{
		"provenance v0.2":     {amd64: [][2]string{spdx(permissiveSBOM), provenanceOf("v0.2", source+"#refs/heads/main")}, arm64: [][2]string{provenanceOf("v0.2", source+"#refs/heads/main")}},
		"provenance v1":       {amd64: [][2]string{provenanceOf("v1", source)}, arm64: [][2]string{provenanceOf("v1", source+"#refs/tags/v1")}},
		"forbidden license":   {amd64: [][2]string{spdx(copyleftSBOM), provenanceOf("v1", source)}, arm64: [][2]string{provenanceOf("v1", source)}, warns: "have a forbidden license: gs\\."},
		"another repository":  {amd64: [][2]string{provenanceOf("v1", source)}, arm64: [][2]string{provenanceOf("v1", "https://example.com/app.git#main")}, fails: []string{"https://example.com/app.git", "not from " + source}},
		"local directory":     {amd64: [][2]string{provenanceOf("v1", "")}, arm64: [][2]string{provenanceOf("v0.2", "")}, fails: []string{"was built from a local directory, and not from"}},
		"no provenance":       {amd64: [][2]string{provenanceOf("v1", source)}, arm64: [][2]string{spdx(permissiveSBOM)}, fails: []string{"has a platform without provenance"}},
		"missing attestation": {amd64: [][2]string{provenanceOf("v1", source)}, fails: []string{"has a platform without attestations"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			index := mutate.IndexMediaType(empty.Index, v1types.OCIImageIndex)
			for platform, predicates := range map[string][][2]string{"linux/amd64": test.amd64, "linux/arm64": test.arm64} {
				image := toOCI(newImage(t, 1, platform))
				index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: must[*v1.Platform](t)(v1.ParsePlatform(platform))}})
				if predicates != nil {
					attestation := newAttestation(t, image)
					attestation.Add = toOCI(empty.Image)
					for _, p := range predicates {
						statement := fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v0.1","predicateType":%q,"predicate":%s}`, p[0], p[1])
						attestation.Add = must[v1.Image](t)(mutate.Append(attestation.Add.(v1.Image), mutate.Addendum{
							Layer: static.NewLayer([]byte(statement), "application/vnd.in-toto+json"), Annotations: map[string]string{"in-toto.io/predicate-type": p[0]},
						}))
					}
					index = mutate.AppendManifests(index, attestation)
				}
			}
			e.pushAny(t, "built", index)
			c := newCLI(t, e)
			c.useExample(t, "sbom-buildx")
			c.init(t)
			apply := []string{"-auto-approve", "-var", "image=" + inRegistry + ":built", "-var", "source_repository=" + source}
			if test.fails != nil {
				c.mustFail(t, test.fails, "apply", apply...)
				return
			}
			output := c.must(t, "apply", apply...)
			if warned := inOrder("Check block assertion failed").MatchString(output); warned != (test.warns != "") || !inOrder(test.warns).MatchString(output) {
				t.Errorf("the output does not warn as expected:\n%s", output)
			}
			if got, want := c.outputs(t)["image_digest"], must[v1.Hash](t)(index.Digest()).String(); got != want {
				t.Errorf("the digest is %v, want %s", got, want)
			}
		})
	}
}
