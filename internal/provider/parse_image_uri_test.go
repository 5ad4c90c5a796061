// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfversion"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/provider"
)

// providerFunctions skips a test of terraform-plugin-testing on a Terraform without
// provider-defined functions. It also skips OpenTofu 1.7, which has them but counts as
// Terraform 1.7.
var providerFunctions = []tfversion.TerraformVersionCheck{tfversion.SkipBelow(tfversion.Version1_8_0)}

// parseImageURI calls the function over the plugin protocol and returns its result and
// its error message.
func parseImageURI(t *testing.T, uri string) (map[string]tftypes.Value, string) {
	t.Helper()
	server := provider.NewServer("test")()
	argument := must[tfprotov6.DynamicValue](t)(tfprotov6.NewDynamicValue(tftypes.String, tftypes.NewValue(tftypes.String, uri)))
	response, err := server.CallFunction(t.Context(), &tfprotov6.CallFunctionRequest{Name: "parse_image_uri", Arguments: []*tfprotov6.DynamicValue{&argument}})
	switch {
	case err != nil:
		t.Fatal(err)
	case response.Error != nil:
		if at := response.Error.FunctionArgument; at == nil || *at != 0 {
			t.Errorf("the error refers to argument %v, want 0", at)
		}
		return nil, response.Error.Text
	}
	functions := must[*tfprotov6.GetFunctionsResponse](t)(server.GetFunctions(t.Context(), &tfprotov6.GetFunctionsRequest{}))
	var result map[string]tftypes.Value
	if err := must[tftypes.Value](t)(response.Result.Unmarshal(functions.Functions["parse_image_uri"].Return.Type)).As(&result); err != nil {
		t.Fatal(err)
	}
	return result, ""
}

// Tests of the parser are in package ecrlayer.
func TestParseImageURI(t *testing.T) {
	t.Parallel()
	const host = "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn"
	for uri, parts := range map[string]struct{ tag, digest any }{
		host + "/team/app":                     {nil, nil},
		host + "/team/app:1.0":                 {"1.0", nil},
		host + "/team/app@" + absentDigest:     {nil, absentDigest},
		host + "/team/app:1.0@" + absentDigest: {"1.0", absentDigest},
	} {
		got, message := parseImageURI(t, uri)
		for name, value := range map[string]any{
			"registry_id": account, "region": "cn-north-1", "dns_suffix": "amazonaws.com.cn", "repository_name": repository,
			"image_tag": parts.tag, "image_digest": parts.digest,
		} {
			if want := tftypes.NewValue(tftypes.String, value); !got[name].Equal(want) {
				t.Errorf("%s of %s is %s, want %s (%s)", name, uri, got[name], want, message)
			}
		}
	}
	for uri, want := range map[string][]string{
		"public.ecr.aws/docker/library/busybox:1": {"public.ecr.aws is Amazon ECR Public", "GetDownloadUrlForLayer", "private registry"},
		"https://" + host + "/app":                {"not have a scheme", host + "/app"},
		"team/app:1.0":                            {"must begin with a registry host", "repository_url"},
	} {
		if _, message := parseImageURI(t, uri); !inOrder(want...).MatchString(message) {
			t.Errorf("the error of %s is %q, want %q", uri, message, want)
		}
	}
}

func TestAccParseImageURIError(t *testing.T) {
	t.Parallel()
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		TerraformVersionChecks:   providerFunctions,
		Steps: []resource.TestStep{{
			Config:      "output \"parsed\" {\n  value = provider::ecrlayer::parse_image_uri(\"docker.io/library/busybox\")\n}\n",
			ExpectError: inOrder(`Invalid value for "uri" parameter:`, "docker.io", "not the host of a private ECR registry"),
		}},
	})
}

// The repository_url of an aws_ecr_repository is known after apply.
func TestAccParseImageURIUnknownRepositoryURL(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		TerraformVersionChecks:   providerFunctions,
		Steps: []resource.TestStep{{
			Config: e.provider() + fmt.Sprintf(`
resource "terraform_data" "repository" {
  input = { repository_url = "%s.dkr.ecr.%s.amazonaws.com/%s" }
}
locals {
  repository = provider::ecrlayer::parse_image_uri(terraform_data.repository.output.repository_url)
}
data "ecrlayer_image" "test" {
  registry_id     = local.repository.registry_id
  region          = local.repository.region
  repository_name = local.repository.repository_name
  image_tag       = coalesce(local.repository.image_tag, %q)
}
output "uri" {
  value = data.ecrlayer_image.test.image_uri
}
`, account, region, repository, tag),
			ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectUnknownOutputValue("uri")}},
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownOutputValue("uri", knownvalue.StringExact(fmt.Sprintf("%s.dkr.ecr.%s.amazonaws.com/%s@%s", account, region, repository, e.pull(t, tag, "").imageDigest))),
			},
		}},
	})
	e.expectCallsPerRead(t, oneManifest)
}
