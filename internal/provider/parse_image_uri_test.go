// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfversion"
)

// providerFunctions skips a test of terraform-plugin-testing on a Terraform that
// knows no functions of providers. OpenTofu has them since 1.7, which counts as an
// older Terraform there: it runs such a test from 1.8 on.
var providerFunctions = []tfversion.TerraformVersionCheck{tfversion.SkipBelow(tfversion.Version1_8_0)}

func parsed(uri string) string {
	return fmt.Sprintf("\noutput \"parsed\" {\n  value = provider::ecrlayer::parse_image_uri(%q)\n}\n", uri)
}

func TestAccParseImageURITakesApart(t *testing.T) {
	t.Parallel()
	const digest = "sha256:9d3c2c0a0a5a3c0e5c1d0c2f5c4a0c1d9b8a7f6e5d4c3b2a1908f7e6d5c4b3a2"
	tests := map[string]struct {
		uri, region, suffix, repository, tag, digest string
	}{
		"a repository":               {"123456789012.dkr.ecr.us-east-1.amazonaws.com/app", "us-east-1", "amazonaws.com", "app", "", ""},
		"a tag":                      {"123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:1.0", "us-east-1", "amazonaws.com", "team/app", "1.0", ""},
		"a digest":                   {"123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app@" + digest, "us-east-1", "amazonaws.com", "team/app", "", digest},
		"tag and digest":             {"123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:1.0@" + digest, "us-east-1", "amazonaws.com", "team/app", "1.0", digest},
		"a nested repository":        {"123456789012.dkr.ecr.us-east-1.amazonaws.com/a/b/c/d-e.f__g:v1", "us-east-1", "amazonaws.com", "a/b/c/d-e.f__g", "v1", ""},
		"FIPS":                       {"123456789012.dkr.ecr-fips.us-west-2.amazonaws.com/app", "us-west-2", "amazonaws.com", "app", "", ""},
		"dual-stack":                 {"123456789012.dkr-ecr.eu-west-1.on.aws/app", "eu-west-1", "on.aws", "app", "", ""},
		"dual-stack and FIPS":        {"123456789012.dkr-ecr-fips.us-east-2.on.aws/app", "us-east-2", "on.aws", "app", "", ""},
		"China":                      {"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/app", "cn-north-1", "amazonaws.com.cn", "app", "", ""},
		"GovCloud":                   {"123456789012.dkr.ecr.us-gov-west-1.amazonaws.com/app", "us-gov-west-1", "amazonaws.com", "app", "", ""},
		"ISO":                        {"123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov/app", "us-iso-east-1", "c2s.ic.gov", "app", "", ""},
		"ISOB":                       {"123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov/app", "us-isob-east-1", "sc2s.sgov.gov", "app", "", ""},
		"a region that is yet to be": {"123456789012.dkr.ecr.xx-newplace-1.amazonaws.com/app", "xx-newplace-1", "amazonaws.com", "app", "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: factories,
				TerraformVersionChecks:   providerFunctions,
				Steps: []resource.TestStep{{
					Config: parsed(test.uri),
					ConfigStateChecks: []statecheck.StateCheck{statecheck.ExpectKnownOutputValue("parsed", knownvalue.ObjectExact(map[string]knownvalue.Check{
						"registry_id":     knownvalue.StringExact(account),
						"region":          knownvalue.StringExact(test.region),
						"dns_suffix":      knownvalue.StringExact(test.suffix),
						"repository_name": knownvalue.StringExact(test.repository),
						"image_tag":       exactOrNull(test.tag),
						"image_digest":    exactOrNull(test.digest),
					}))},
				}},
			})
		})
	}
}

func TestAccParseImageURISaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		uri  string
		want []string
	}{
		"ECR Public":               {"public.ecr.aws/docker/library/busybox:1", []string{"public.ecr.aws is Amazon ECR Public", "GetDownloadUrlForLayer", "private registry"}},
		"a scheme":                 {"https://123456789012.dkr.ecr.us-east-1.amazonaws.com/app", []string{"not have a scheme", "https://"}},
		"no host":                  {"team/app:1.0", []string{"must begin with a registry host", "repository_url"}},
		"another registry":         {"docker.io/library/busybox", []string{"docker.io", "not the host of a private ECR registry"}},
		"no repository":            {"123456789012.dkr.ecr.us-east-1.amazonaws.com", []string{"no repository name"}},
		"a short account":          {"12345.dkr.ecr.us-east-1.amazonaws.com/app", []string{"12 digits", "12345"}},
		"a suffix of elsewhere":    {"123456789012.dkr.ecr.us-east-1.amazonaws.com.cn/app", []string{"us-east-1", "end in amazonaws.com"}},
		"a region that is none":    {"123456789012.dkr.ecr.virginia.amazonaws.com/app", []string{"virginia", "not a region"}},
		"repository in upper case": {"123456789012.dkr.ecr.us-east-1.amazonaws.com/App", []string{"App", "not a repository name", "lowercase"}},
		"an empty tag":             {"123456789012.dkr.ecr.us-east-1.amazonaws.com/app:", []string{"not a tag", "1 to 128"}},
		"a short digest":           {"123456789012.dkr.ecr.us-east-1.amazonaws.com/app@sha256:abc", []string{"sha256:abc", "not a digest", "64 hexadecimal digits"}},
		"nothing":                  {"", []string{"must begin with a registry host"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: factories,
				TerraformVersionChecks:   providerFunctions,
				Steps: []resource.TestStep{{
					Config:      parsed(test.uri),
					ExpectError: inOrder(slices.Concat([]string{`Invalid value for "uri" parameter:`}, test.want)...),
				}},
			})
		})
	}
}

// As aws_ecr_repository has it: not known before apply, and with nothing to cut off.
func TestAccParseImageURITakesARepositoryURLThatIsUnknown(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		TerraformVersionChecks:   providerFunctions,
		Steps: []resource.TestStep{{
			Config: w.provider() + fmt.Sprintf(`
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
				statecheck.ExpectKnownOutputValue("uri", knownvalue.StringExact(fmt.Sprintf("%s.dkr.ecr.%s.amazonaws.com/%s@%s", account, region, repository, w.view(t, tag, "").imageDigest))),
			},
		}},
	})
	w.expectEachRead(t, oneManifest)
}
