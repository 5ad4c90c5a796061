// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-testing/echoprovider"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
)

// withEcho are factories that serve the provider and one which keeps in state what
// its provider block is given, so that a test can look at it.
func withEcho() map[string]func() (tfprotov6.ProviderServer, error) {
	all := maps.Clone(factories)
	all["echo"] = echoprovider.NewProviderServer()
	return all
}

// echoed is what the echo provider was given.
const echoed = "echo.test"

func echo(expression string) string {
	return fmt.Sprintf("\nprovider \"echo\" {\n  data = %s\n}\nresource \"echo\" \"test\" {}\n", expression)
}

func ephemeralConfig(layer string, arguments ...string) string {
	return strings.Replace(downloadURLConfig(layer, arguments...), "data ", "ephemeral ", 1)
}

const ephemeralURL = "ephemeral.ecrlayer_download_url.test"

func TestAccEphemeralDownloadURLInProviderBlock(t *testing.T) {
	t.Parallel()
	needsEphemeralValues(t)
	e := newEnv(t)
	data := tfjsonpath.New("data")
	resource.Test(t, resource.TestCase{
		TerraformVersionChecks:   ephemeralValues,
		ProtoV6ProviderFactories: withEcho(),
		Steps: []resource.TestStep{{
			Config: e.provider() + ephemeralConfig(e.layers[1]) + echo(ephemeralURL),
			ConfigStateChecks: []statecheck.StateCheck{
				expectDownload(echoed, data.AtMapKey("download_url"), e.layers[1]),
				statecheck.ExpectKnownValue(echoed, data.AtMapKey("layer_digest"), knownvalue.StringExact(e.layers[1])),
				statecheck.ExpectKnownValue(echoed, data.AtMapKey("repository_name"), knownvalue.StringExact(repository)),
				statecheck.ExpectKnownValue(echoed, data.AtMapKey("region"), knownvalue.StringExact(region)),
				statecheck.ExpectKnownValue(echoed, data.AtMapKey("registry_id"), knownvalue.Null()),
				statecheck.ExpectKnownValue(echoed, data.AtMapKey("expires_at"), expiresIn(time.Hour)),
			},
		}},
	})
}

// provisioned returns a resource whose provisioner writes the URL to a file.
func provisioned(file string) string {
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

func TestAccEphemeralDownloadURLInProvisioner(t *testing.T) {
	t.Parallel()
	needsEphemeralValues(t)
	e := newEnv(t)
	file := filepath.Join(t.TempDir(), "url")
	resource.Test(t, resource.TestCase{
		TerraformVersionChecks:   ephemeralValues,
		ProtoV6ProviderFactories: factories,
		Steps:                    []resource.TestStep{{Config: e.provider() + ephemeralConfig(e.layers[0]) + provisioned(file)}},
	})
	if err := leadsTo(e.layers[0]).CheckValue(readFile(t, file)); err != nil {
		t.Error(err)
	}
}

func TestAccEphemeralDownloadURLInWriteOnlyArgument(t *testing.T) {
	t.Parallel()
	needsEphemeralValues(t)
	e := newEnv(t)
	var s consumer
	config := e.provider() + ephemeralConfig(e.layers[0]) + `
resource "consumer_secret" "test" {
  value_wo = ephemeral.ecrlayer_download_url.test.download_url
  version  = ephemeral_version
}
`
	resource.Test(t, resource.TestCase{
		TerraformVersionChecks:   writeOnlyArguments,
		ProtoV6ProviderFactories: s.factories(),
		Steps: []resource.TestStep{
			{
				Config: strings.Replace(config, "ephemeral_version", `"1"`, 1),
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownValue("consumer_secret.test", tfjsonpath.New("value_wo"), knownvalue.Null()),
				},
			},
			{Config: strings.Replace(config, "ephemeral_version", `"2"`, 1)},
		},
	})
	expectReceived(t, e, &s, e.layers[0])
	if received := s.all(); len(received) != 2 || received[0] == received[1] {
		t.Errorf("the resource got %d URLs, want 2 that differ", len(received))
	}
}

// expectReceived checks that a consumer got URLs of a layer, and nothing else.
func expectReceived(t *testing.T, e *env, s *consumer, layer string) {
	t.Helper()
	received := s.all()
	if len(received) == 0 {
		t.Error("no URL was received")
	}
	for _, url := range received {
		if err := leadsTo(layer).CheckValue(url); err != nil {
			t.Errorf("of %d calls of ECR: %v", len(e.CallsTo("ecr", "")), err)
		}
	}
}
