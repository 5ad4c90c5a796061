// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// These tests run the CLI, which decides when to configure a provider, and which
// provider an object uses.

func TestAccProviderAliases(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	c := newCLI(t, e)
	staging := e.AddUser("210987654321")
	e.pushTo(t, "210987654321", "eu-central-1", tag, e.image)
	e.pushTo(t, "210987654321", "ap-east-1", tag, e.image)
	e.AddRole(ecrtest.Role{ARN: "arn:aws:iam::333333333333:role/puller", TrustedAccounts: []string{"210987654321"}})
	e.pushTo(t, "333333333333", "us-west-2", tag, e.image)
	c.write(t, "main.tf", requireProvider+fmt.Sprintf(`
provider "ecrlayer" {
  allowed_account_ids = ["123456789012"]
}

provider "ecrlayer" {
  alias               = "staging"
  region              = "eu-central-1"
  access_key          = %[1]q
  secret_key          = %[2]q
  allowed_account_ids = ["210987654321"]
}

provider "ecrlayer" {
  alias      = "tools"
  region     = "us-west-2"
  access_key = %[1]q
  secret_key = %[2]q
  assume_role {
    role_arn = "arn:aws:iam::333333333333:role/puller"
  }
}

data "ecrlayer_download_url" "production" {
  %[3]s
}

data "ecrlayer_download_url" "staging" {
  provider = ecrlayer.staging
  %[3]s
}

data "ecrlayer_download_url" "other_region" {
  provider = ecrlayer.staging
  region   = "ap-east-1"
  %[3]s
}

data "ecrlayer_download_url" "tools" {
  provider = ecrlayer.tools
  %[3]s
}
`, staging.AccessKeyID, staging.SecretAccessKey, e.read()))
	c.init(t)
	c.must(t, "plan")

	var got []string
	for _, call := range e.CallsTo("ecr", "") {
		got = append(got, call.AccountID+" in "+call.Region)
	}
	slices.Sort(got)
	want := []string{"123456789012 in us-east-1", "210987654321 in ap-east-1", "210987654321 in eu-central-1", "333333333333 in us-west-2"}
	if !slices.Equal(got, want) {
		t.Errorf("the requests come from %v, want %v", got, want)
	}
	if n := len(e.CallsTo("sts", "GetCallerIdentity")); n != 2 {
		t.Errorf("%d calls to GetCallerIdentity, want one per provider that restricts accounts", n)
	}
}

func TestAccNoRequestsWithoutObjects(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	c := newCLI(t, e)
	url, requested := instanceMetadata(t, region, func() ecrtest.Credentials { return e.user })
	c.environ = append(c.environ, "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_EC2_METADATA_DISABLED=", "AWS_EC2_METADATA_SERVICE_ENDPOINT="+url)
	c.write(t, "main.tf", requireProvider+`
provider "ecrlayer" {
  profile                     = "none"
  custom_ca_bundle            = "none.pem"
  skip_credentials_validation = false
  allowed_account_ids         = ["123456789012"]
  assume_role {
    role_arn = "arn:aws:iam::123456789012:role/a"
  }
}

resource "terraform_data" "other" {
  input = "x"
}
`)
	c.init(t)
	c.must(t, "apply", "-auto-approve")

	// Validation of an object makes no requests either.
	c.write(t, "data.tf", "data \"ecrlayer_download_url\" \"test\" {\n"+e.read()+"\n}\n")
	c.must(t, "validate")
	e.expectCalls(t)
	if got := requested.list(); len(got) > 0 {
		t.Errorf("unexpected requests to the instance metadata service: %v", got)
	}
}

func TestAccUnknownProviderArgument(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	c := newCLI(t, e)
	c.write(t, "main.tf", requireProvider+fmt.Sprintf(`
resource "terraform_data" "region" {
  input = "us-east-1"
}

provider "ecrlayer" {
  region = terraform_data.region.output
}

data "ecrlayer_download_url" "test" {
  %s
}
`, e.read()))
	c.init(t)
	c.mustFail(t, []string{"Unknown provider argument", "region = terraform_data", "region", "known only after apply", "-target"}, "plan")
	e.expectCalls(t)
	c.must(t, "apply", "-auto-approve", "-target=terraform_data.region")
	c.must(t, "apply", "-auto-approve")
	e.expectSignedBy(t, e.user)
}

func TestAccInvalidProviderArguments(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	c := newCLI(t, e)
	c.write(t, "main.tf", requireProvider)
	c.init(t)
	for command, errs := range map[string]map[string][]string{ // parts of the message by arguments
		"validate": {
			"default_tags {\n tags = {}\n }":            {"Unsupported block type", "default_tags"},
			"max_retries = 0":                           {"Invalid number", "max_retries = 0", "first attempt counts"},
			"assume_role {\n role_arn = \"puller\"\n }": {"Invalid role ARN", `role_arn = "puller"`, "arn:aws:iam::123456789012:role/name"},
		},
		"plan": {
			"profile = \"none\"":              {"Profile not found", `profile = "none"`, "shared_config_files"},
			"custom_ca_bundle = \"none.pem\"": {"Invalid CA bundle", `custom_ca_bundle = "none.pem"`, "no such file"},
			"assume_role {\n role_arn = \"arn:aws:iam::123456789012:role/a\"\n }": {"Cannot assume role: access denied", `role_arn = "arn:aws:iam::123456789012:role/a"`, "trust policy"},
		},
	} {
		var config strings.Builder
		n := 0
		for arguments := range errs {
			n++
			fmt.Fprintf(&config, "provider \"ecrlayer\" {\n  alias = \"p%d\"\n  %s\n}\n", n, arguments)
			config.WriteString(namedBlock("data", fmt.Sprintf("d%d", n), fmt.Sprintf("p%d", n), e.layers[0]))
		}
		c.write(t, "main.tf", requireProvider+config.String())
		output := c.mustFail(t, nil, command)
		for arguments, want := range errs {
			if !inOrder(slices.Clone(want)...).MatchString(output) {
				t.Errorf("%s of %s: the output does not contain %q:\n%s", command, arguments, want, output)
			}
		}
		if got := strings.Count(output, "\nError: "); got != len(errs) {
			t.Errorf("%s reports %d errors, want %d:\n%s", command, got, len(errs), output)
		}
	}
	if calls := e.CallsTo("ecr", ""); len(calls) > 0 {
		t.Errorf("unexpected requests to ECR: %v", e.operations())
	}
}

func TestAccAuthenticationInterrupted(t *testing.T) {
	t.Parallel()
	skipWithoutInterrupts(t)
	if name, _ := cliVersion(); name == "OpenTofu" {
		t.Skip("OpenTofu cannot stop a provider during its configuration")
	}
	e := newEnv(t)
	c := newCLI(t, e)
	e.Inject(ecrtest.Fault{Service: "sts", Hang: true})
	c.write(t, "main.tf", requireProvider+"\nprovider \"ecrlayer\" {\nskip_credentials_validation = false\n}\n\ndata \"ecrlayer_download_url\" \"test\" {\n"+e.read()+"\n}\n")
	c.init(t)
	c.interrupt(t, func() bool { return len(e.CallsTo("sts", "")) > 0 }, "plan")
	e.expectCalls(t, "sts:GetCallerIdentity")
}
