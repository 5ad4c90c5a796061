// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	v1types "github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-testing/echoprovider"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
)

// These tests check that the CLI accepts every kind of value, and stores what the
// provider returned. What that is, the tests of each object check without a CLI.

func TestAccDataSources(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	index, _, selected := e.selected(t)
	amd64 := toOCI(newImage(t, 1, "linux/amd64"))
	e.push(t, "nested", newNestedIndex(t, amd64))
	e.push(t, "feature", mutate.AppendManifests(mutate.IndexMediaType(empty.Index, v1types.OCIImageIndex), mutate.IndexAddendum{
		Add: amd64, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64", OSFeatures: []string{"erofs"}}},
	}))
	e.putConfig(t, "odd", "{\"os\":\"linux\",\"architecture\":\"amd64\",\"created\":\"2026-01-31T12:00:00.5+01:00\",\"config\":{\"Labels\":{\"é\":\"${x}\",\"\":\"\"}},\"rootfs\":{\"diff_ids\":[]}}\r\n")
	e.putArtifact(t, v1.Manifest{ArtifactType: spdxType, Subject: e.subject(t), Annotations: map[string]string{"empty": ""}})
	all := append(slices.Clone(e.layers), e.config)
	text, binary, none := e.pushFile(t, "{\"packages\": [\"é\\u0000\x00\", \"${x}\"]}\r\n"), e.pushFile(t, "\x1f\x8b\x00\xff"), e.pushFile(t, "")
	blocks := map[string]string{
		"download_url":     downloadURLConfig(e.layers[1]),
		"download_urls":    downloadURLsConfig(append(slices.Clone(all), all...)), // with duplicates
		"urls_of_image":    urlsOf(`"`+inRegistry+`:many"`, forPlatform("linux/arm64")),
		"image":            imageConfig(byTag("many"), forPlatform("linux/arm64")),
		"image_by_digest":  imageConfig(byDigest(index), forPlatform("linux/arm64")),
		"image_by_feature": imageConfig(byTag("feature"), forPlatform("linux(+erofs)/amd64")),
		"image_nested":     imageConfig(byTag("nested")),
		"config":           configOfImage(byTag("many"), forPlatform("linux/arm64")),
		"config_odd":       configOfImage(byTag("odd")),
		"index":            indexConfig(byTag("many")),
		"index_nested":     indexConfig(byTag("nested")),
		"referrers":        referrersConfig(byTag(tag), fmt.Sprintf("artifact_types = [%q]", spdxType)),
		"no_referrers":     referrersConfig(byTag("many")),
		"blob":             blobConfig(text),
		"blob_binary":      blobConfig(binary),
		"blob_empty":       blobConfig(none),
	}
	const one, many = "data.ecrlayer_download_url.download_url", "data.ecrlayer_download_urls.download_urls"
	checks := []statecheck.StateCheck{
		statecheck.ExpectSensitiveValue(one, tfjsonpath.New("download_url")),
		statecheck.ExpectSensitiveValue(many, tfjsonpath.New("download_urls")),
		expectDownload(one, tfjsonpath.New("download_url"), e.layers[1]),
		statecheck.ExpectKnownValue(one, tfjsonpath.New("expires_at"), expiresIn(time.Hour)),
		statecheck.ExpectKnownValue("data.ecrlayer_download_urls.urls_of_image", tfjsonpath.New("download_urls"), urlForEach(selected)),
		statecheck.ExpectKnownValue(many, tfjsonpath.New("download_urls"), urlForEach(all)),
	}
	for _, layer := range all {
		checks = append(checks, expectDownload(many, tfjsonpath.New("download_urls").AtMapKey(layer), layer))
	}
	var config strings.Builder
	for name, block := range blocks {
		config.WriteString(strings.Replace(block, `"test"`, fmt.Sprintf("%q", name), 1))
		checks = append(checks, e.expectReturned(t, strings.Split(block, `"`)[1], block, func(attribute string) (string, tfjsonpath.Path) {
			return "data." + strings.Split(block, `"`)[1] + "." + name, tfjsonpath.New(attribute)
		})...)
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		Steps:                    []resource.TestStep{{Config: e.provider() + config.String(), ConfigStateChecks: checks}},
	})
}

// expectReturned returns a check for every attribute of an object: the state has what
// a read without a CLI returns, except for URLs.
func (e *env) expectReturned(t *testing.T, object, block string, at func(attribute string) (address string, path tfjsonpath.Path)) (checks []statecheck.StateCheck) {
	t.Helper()
	o := evaluate(t, e.provider()+block)
	o.mustRead(t, 1)
	for _, name := range slices.Sorted(maps.Keys(o.Values)) {
		if name != "download_url" && name != "download_urls" && name != "expires_at" {
			address, path := at(name)
			checks = append(checks, statecheck.ExpectKnownValue(address, path, returnedBy{object, o.Values[name]}))
		}
	}
	return checks
}

type returnedBy struct {
	object string
	value  any
}

func (want returnedBy) CheckValue(value any) error {
	if !reflect.DeepEqual(value, want.value) {
		return fmt.Errorf("the state has %v, want %s", value, want)
	}
	return nil
}

func (want returnedBy) String() string {
	return fmt.Sprintf("%v, as %s returned", want.value, want.object)
}

func ephemeralConfig(layer string, arguments ...string) string {
	return withKind("ephemeral", downloadURLConfig(layer, arguments...))
}

// provisionerConfig returns a resource whose provisioner writes the URL to a file.
func provisionerConfig(file string) string {
	return fmt.Sprintf(`
resource "terraform_data" "test" {
  provisioner "local-exec" {
    command = "printf %%s \"$URL\" > \"$FILE\""
    environment = {
      FILE = %q
      URL  = ephemeral.ecrlayer_download_url.test.download_url
    }
  }
}
`, file)
}

// Ephemeral resources are tested in a provider block, in a provisioner and in a
// write-only argument.
func TestAccEphemeralResources(t *testing.T) {
	t.Parallel()
	skipWithoutEphemeralValues(t)
	e := newEnv(t)
	text := e.pushFile(t, `{"key":"value"}`)
	blocks := map[string]string{
		"ecrlayer_download_url":  ephemeralConfig(e.layers[1]),
		"ecrlayer_download_urls": ephemeralURLsConfig(append(slices.Clone(e.layers), e.layers...)),
		"ecrlayer_blob":          withKind("ephemeral", blobConfig(text)),
	}
	// The echo provider stores the data of its provider block in the state.
	const echo = "echo.test"
	data := tfjsonpath.New("data")
	one, many := data.AtMapKey("ecrlayer_download_url"), data.AtMapKey("ecrlayer_download_urls")
	checks := []statecheck.StateCheck{
		expectDownload(echo, one.AtMapKey("download_url"), e.layers[1]),
		statecheck.ExpectKnownValue(echo, one.AtMapKey("expires_at"), expiresIn(time.Hour)),
		statecheck.ExpectKnownValue(echo, many.AtMapKey("download_urls"), urlForEach(e.layers)),
	}
	for _, layer := range e.layers {
		checks = append(checks, expectDownload(echo, many.AtMapKey("download_urls").AtMapKey(layer), layer))
	}
	var objects, echoed strings.Builder
	for object, block := range blocks {
		objects.WriteString(block)
		fmt.Fprintf(&echoed, "    %s = ephemeral.%[1]s.test\n", object)
		checks = append(checks, e.expectReturned(t, object, block, func(attribute string) (string, tfjsonpath.Path) {
			return echo, data.AtMapKey(object).AtMapKey(attribute)
		})...)
	}
	file := filepath.Join(t.TempDir(), "url")
	config := e.provider() + objects.String() + provisionerConfig(file) + "provider \"echo\" {\n  data = {\n" + echoed.String() + "  }\n}\nresource \"echo\" \"test\" {}\n"
	const secret = `
resource "consumer_secret" "test" {
  value_wo = ephemeral.ecrlayer_download_url.test.download_url
  version  = "%s"
}
`
	var c consumer
	steps, writeOnly := []resource.TestStep{{Config: config}}, unsupported(secret) == ""
	if writeOnly {
		steps[0].Config += fmt.Sprintf(secret, "1")
		checks = append(checks, statecheck.ExpectKnownValue("consumer_secret.test", tfjsonpath.New("value_wo"), knownvalue.Null()))
		steps = append(steps, resource.TestStep{Config: config + fmt.Sprintf(secret, "2")})
	}
	steps[0].ConfigStateChecks = checks
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: map[string]func() (tfprotov6.ProviderServer, error){
			"ecrlayer": factories["ecrlayer"], "consumer": c.server(), "echo": echoprovider.NewProviderServer(),
		},
		Steps: steps,
	})
	received := c.list()
	if writeOnly && (len(received) != 2 || received[0] == received[1]) {
		t.Errorf("the resource received %d URLs, want 2 different ones", len(received))
	}
	for _, url := range append(received, readFile(t, file)) {
		if err := servesDigest(e.layers[1]).CheckValue(url); err != nil {
			t.Errorf("the provisioner or the write-only argument: %v", err)
		}
	}
}

// Every step also expects that the next plan, which opens another URL, is empty.
func TestAccStoredURLChangesWithItsVersion(t *testing.T) {
	t.Parallel()
	const stored = `
resource "terraform_data" "url" {
  store {
    input     = ephemeral.ecrlayer_download_url.test.download_url
    version   = %q
    sensitive = true
  }
}
`
	if reason := unsupported(stored); reason != "" {
		t.Skip(reason)
	}
	e := newEnv(t)
	var steps []resource.TestStep
	for _, layer := range e.layers {
		url := expectDownload("terraform_data.url", tfjsonpath.New("store").AtMapKey("sensitive_output"), layer)
		steps = append(steps, resource.TestStep{Config: e.provider() + ephemeralConfig(layer) + fmt.Sprintf(stored, layer), ConfigStateChecks: []statecheck.StateCheck{url}})
	}
	resource.Test(t, resource.TestCase{ProtoV6ProviderFactories: factories, Steps: steps})
}
