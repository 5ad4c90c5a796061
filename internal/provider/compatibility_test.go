// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/terraform-plugin-testing/tfversion"
)

// These tests use only features of Terraform 1.0 and run on every supported version.
// Where the CLI is too old for an object, they expect its error message.

// cliSupports reports whether the CLI is at least at the version for it.
func cliSupports(t *testing.T, terraform, openTofu *version.Version) bool {
	t.Helper()
	name, got := cliVersion()
	if got == nil {
		t.Skip(name)
	}
	if name == "OpenTofu" {
		return got.Core().GreaterThanOrEqual(openTofu)
	}
	return got.Core().GreaterThanOrEqual(terraform)
}

// outputs returns the values of all outputs.
func (c *cli) outputs(t *testing.T) map[string]any {
	t.Helper()
	var outputs map[string]struct{ Value any }
	if err := json.Unmarshal([]byte(c.must(t, "output", "-json")), &outputs); err != nil {
		t.Fatal(err)
	}
	values := map[string]any{}
	for name, output := range outputs {
		values[name] = output.Value
	}
	return values
}

func TestCompatibilityDataSources(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	c := newCLI(t, e)
	c.write(t, "main.tf", requireProvider+fmt.Sprintf(`
data "ecrlayer_download_url" "test" {
  repository_name = %q
  layer_digest    = %q
}

output "download_url" {
  value     = data.ecrlayer_download_url.test.download_url
  sensitive = true
}
`, repository, e.layers[0]))
	c.init(t)
	c.must(t, "validate")
	c.must(t, "plan")
	c.must(t, "apply", "-auto-approve")
	download := fmt.Sprint(c.outputs(t)["download_url"])
	if err := servesDigest(e.layers[0]).CheckValue(download); err != nil {
		t.Error(err)
	}
	if parsed, err := url.Parse(download); err != nil || !strings.Contains(parsed.RawQuery, "X-Amz-Signature=") {
		t.Errorf("download_url is not a pre-signed URL: %v", err)
	}
}

func TestCompatibilityFunctions(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	c := newCLI(t, e)
	c.write(t, "main.tf", requireProvider+`
output "repository_name" {
  value = provider::ecrlayer::parse_image_uri("123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:1.0").repository_name
}
`)
	if !cliSupports(t, tfversion.Version1_8_0, tfversion.Version1_7_0) {
		c.mustFail(t, []string{"Error", "provider::ecrlayer::parse_image_uri"}, "init")
		return
	}
	c.init(t)
	c.must(t, "apply", "-auto-approve")
	if got := c.outputs(t)["repository_name"]; got != repository {
		t.Errorf("repository_name is %v, want %s", got, repository)
	}
}

func TestCompatibilityEphemeralResources(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	c := newCLI(t, e)
	c.write(t, "main.tf", requireProvider+fmt.Sprintf(`
ephemeral "ecrlayer_download_url" "test" {
  repository_name = %q
  layer_digest    = %q
}
`, repository, e.layers[0]))
	if !cliSupports(t, tfversion.Version1_10_0, tfversion.Version1_11_0) {
		c.mustFail(t, []string{"Unsupported block type", "ephemeral"}, "init")
		return
	}
	c.init(t)
	c.must(t, "apply", "-auto-approve")
	if calls := e.operations(); len(calls) == 0 {
		t.Error("the ephemeral resource was not opened")
	}
}
