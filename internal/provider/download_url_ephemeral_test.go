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

// echoFactories returns factories for the provider and for the echo provider, which
// stores the data of its provider block in state.
func echoFactories() map[string]func() (tfprotov6.ProviderServer, error) {
	all := maps.Clone(factories)
	all["echo"] = echoprovider.NewProviderServer()
	return all
}

// echoResource is the resource with the data of the echo provider.
const echoResource = "echo.test"

func echoConfig(expression string) string {
	return fmt.Sprintf("\nprovider \"echo\" {\n  data = %s\n}\nresource \"echo\" \"test\" {}\n", expression)
}

func ephemeralConfig(layer string, arguments ...string) string {
	return strings.Replace(downloadURLConfig(layer, arguments...), "data ", "ephemeral ", 1)
}

const ephemeralURL = "ephemeral.ecrlayer_download_url.test"

func TestAccEphemeralDownloadURLInProviderBlock(t *testing.T) {
	t.Parallel()
	skipWithoutEphemeralValues(t)
	e := newEnv(t)
	data := tfjsonpath.New("data")
	resource.Test(t, resource.TestCase{
		TerraformVersionChecks:   ephemeralValues,
		ProtoV6ProviderFactories: echoFactories(),
		Steps: []resource.TestStep{{
			Config: e.provider() + ephemeralConfig(e.layers[1]) + echoConfig(ephemeralURL),
			ConfigStateChecks: []statecheck.StateCheck{
				expectDownload(echoResource, data.AtMapKey("download_url"), e.layers[1]),
				statecheck.ExpectKnownValue(echoResource, data.AtMapKey("layer_digest"), knownvalue.StringExact(e.layers[1])),
				statecheck.ExpectKnownValue(echoResource, data.AtMapKey("repository_name"), knownvalue.StringExact(repository)),
				statecheck.ExpectKnownValue(echoResource, data.AtMapKey("region"), knownvalue.StringExact(region)),
				statecheck.ExpectKnownValue(echoResource, data.AtMapKey("registry_id"), knownvalue.Null()),
				statecheck.ExpectKnownValue(echoResource, data.AtMapKey("expires_at"), expiresIn(time.Hour)),
			},
		}},
	})
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

func TestAccEphemeralDownloadURLInProvisioner(t *testing.T) {
	t.Parallel()
	skipWithoutEphemeralValues(t)
	e := newEnv(t)
	file := filepath.Join(t.TempDir(), "url")
	resource.Test(t, resource.TestCase{
		TerraformVersionChecks:   ephemeralValues,
		ProtoV6ProviderFactories: factories,
		Steps:                    []resource.TestStep{{Config: e.provider() + ephemeralConfig(e.layers[0]) + provisionerConfig(file)}},
	})
	if err := servesDigest(e.layers[0]).CheckValue(readFile(t, file)); err != nil {
		t.Error(err)
	}
}

func TestAccEphemeralDownloadURLInWriteOnlyArgument(t *testing.T) {
	t.Parallel()
	skipWithoutEphemeralValues(t)
	e := newEnv(t)
	var c consumer
	config := e.provider() + ephemeralConfig(e.layers[0]) + `
resource "consumer_secret" "test" {
  value_wo = ephemeral.ecrlayer_download_url.test.download_url
  version  = ephemeral_version
}
`
	resource.Test(t, resource.TestCase{
		TerraformVersionChecks:   writeOnlyArguments,
		ProtoV6ProviderFactories: c.factories(),
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
	expectReceived(t, e, &c, e.layers[0])
	if received := c.list(); len(received) != 2 || received[0] == received[1] {
		t.Errorf("the resource received %d URLs, want 2 different ones", len(received))
	}
}

// expectReceived checks that a consumer received only URLs of a layer.
func expectReceived(t *testing.T, e *env, c *consumer, layer string) {
	t.Helper()
	received := c.list()
	if len(received) == 0 {
		t.Error("the consumer received no URL")
	}
	for _, url := range received {
		if err := servesDigest(layer).CheckValue(url); err != nil {
			t.Errorf("after %d calls to ECR: %v", len(e.CallsTo("ecr", "")), err)
		}
	}
}
