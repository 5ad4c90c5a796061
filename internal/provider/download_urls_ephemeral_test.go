// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
)

const ephemeralURLs = "ephemeral.ecrlayer_download_urls.test"

func ephemeralURLsConfig(layers []string, arguments ...string) string {
	return strings.Replace(downloadURLsConfig(layers, arguments...), "data ", "ephemeral ", 1)
}

func TestAccEphemeralDownloadURLsInAProviderBlock(t *testing.T) {
	t.Parallel()
	needsEphemeralValues(t)
	w := newEnv(t)
	data := tfjsonpath.New("data")
	checks := []statecheck.StateCheck{
		statecheck.ExpectKnownValue(echoed, data.AtMapKey("download_urls"), oneURLEach(w.layers)),
		statecheck.ExpectKnownValue(echoed, data.AtMapKey("repository_name"), knownvalue.StringExact(repository)),
		statecheck.ExpectKnownValue(echoed, data.AtMapKey("region"), knownvalue.StringExact(region)),
		statecheck.ExpectKnownValue(echoed, data.AtMapKey("registry_id"), knownvalue.Null()),
		statecheck.ExpectKnownValue(echoed, data.AtMapKey("expires_at"), expiresIn(time.Hour)),
	}
	for _, layer := range w.layers {
		checks = append(checks, expectDownload(echoed, data.AtMapKey("download_urls").AtMapKey(layer), layer))
	}
	resource.Test(t, resource.TestCase{
		TerraformVersionChecks:   ephemeralValues,
		ProtoV6ProviderFactories: withEcho(),
		Steps: []resource.TestStep{{
			Config:            w.provider() + ephemeralURLsConfig(append(slices.Clone(w.layers), w.layers...)) + echo(ephemeralURLs),
			ConfigStateChecks: checks,
		}},
	})
	w.expectCallsOfEachRead(t, w.layers)
}
