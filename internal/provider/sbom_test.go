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
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	v1types "github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	permissiveSBOM = `{"packages":[{"name":"app","versionInfo":"1.0","licenseDeclared":"Apache-2.0"},{"name":"musl"}]}`
	copyleftSBOM   = `{"packages":[{"name":"gs","licenseConcluded":"NOASSERTION","licenseDeclared":"(MIT AND AGPL-3.0-only)"},{"name":"app","licenseDeclared":"AGPL-3.0-only-exception"}]}`
)

func TestAccSBOMExample(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	var cases []example
	digests := map[string]any{}
	for name, test := range map[string]struct {
		sboms    []string
		archived bool
		fails    []string
	}{
		"permissive": {sboms: []string{permissiveSBOM}},
		"forbidden":  {sboms: []string{permissiveSBOM, copyleftSBOM}, fails: []string{inRegistry + ":forbidden have a forbidden license: gs\\."}},
		"none":       {fails: []string{inRegistry + ":none has no SBOM"}},
		"archived":   {sboms: []string{permissiveSBOM}, archived: true, fails: []string{inRegistry + ":archived has no SBOM"}},
	} {
		image := newImage(t, 1, "linux/amd64")
		e.push(t, name, image)
		subject := must[*v1.Descriptor](t)(partial.Descriptor(image))
		for _, sbom := range test.sboms {
			pushed := e.putArtifact(t, v1.Manifest{ArtifactType: spdxType, Subject: subject, Layers: []v1.Descriptor{e.putFile(spdxType, sbom)}})
			e.SetArchived(account, region, repository, pushed.Digest.String(), test.archived)
		}
		e.putArtifact(t, v1.Manifest{ArtifactType: signatureType, Subject: subject})
		cases, digests[name] = append(cases, example{name, test.fails}), subject.Digest.String()
	}
	c := newCLI(t, e)
	_, got := c.applyExamples(t, "sbom", "[%[1]s.packages, %[1]s.image_digest]", "", cases)
	if want := map[string]any{"permissive": []any{[]any{"app 1.0", "musl "}, digests["permissive"]}}; !reflect.DeepEqual(got, want) {
		t.Errorf("the outputs are %v, want %v", got, want)
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
	e := newEnv(t)
	var cases []example
	digests := map[string]any{}
	for name, test := range map[string]struct {
		amd64, arm64 [][2]string // predicate types and predicates, nil for no attestation
		fails        []string
	}{
		"provenance02": {amd64: [][2]string{spdx(permissiveSBOM), provenanceOf("v0.2", source+"#refs/heads/main")}, arm64: [][2]string{provenanceOf("v0.2", source+"#refs/heads/main")}},
		"provenance1":  {amd64: [][2]string{provenanceOf("v1", source)}, arm64: [][2]string{provenanceOf("v1", source+"#refs/tags/v1")}},
		"forbidden":    {amd64: [][2]string{spdx(copyleftSBOM), provenanceOf("v1", source)}, arm64: [][2]string{provenanceOf("v1", source)}},
		"another":      {amd64: [][2]string{provenanceOf("v1", source)}, arm64: [][2]string{provenanceOf("v1", "https://example.com/app.git#main")}, fails: []string{":another was built from", "https://example.com/app.git", "not from " + source}},
		"local":        {amd64: [][2]string{provenanceOf("v1", "")}, arm64: [][2]string{provenanceOf("v0.2", "")}, fails: []string{":local was built from a local directory, and not from"}},
		"none":         {amd64: [][2]string{provenanceOf("v1", source)}, arm64: [][2]string{spdx(permissiveSBOM)}, fails: []string{":none has a platform without provenance"}},
		"missing":      {amd64: [][2]string{provenanceOf("v1", source)}, fails: []string{":missing has a platform without attestations"}},
	} {
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
		e.push(t, name, index)
		cases = append(cases, example{name, test.fails})
		if test.fails == nil {
			digests[name] = must[v1.Hash](t)(index.Digest()).String()
		}
	}
	c := newCLI(t, e)
	output, got := c.applyExamples(t, "sbom-buildx", "%[1]s.image_digest", fmt.Sprintf("source_repository = %q", source), cases)
	if !inOrder("Check block assertion failed", ":forbidden have a forbidden license: gs\\.").MatchString(output) || len(inOrder("have a forbidden").FindAllString(output, -1)) != 1 {
		t.Errorf("the output does not warn of one image:\n%s", output)
	}
	if !reflect.DeepEqual(got, digests) {
		t.Errorf("the digests are %v, want %v", got, digests)
	}
}
