// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// What follows runs the CLI: it decides when a provider is configured at all, and
// which provider an object has.

func TestAccProviderAliases(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	c := newCLI(t, w)
	staging := w.AddUser("210987654321")
	w.push(t, "210987654321", "eu-central-1", repository, tag, w.image)
	w.push(t, "210987654321", "ap-east-1", repository, tag, w.image)
	w.AddRole(ecrtest.Role{ARN: "arn:aws:iam::333333333333:role/puller", TrustedAccounts: []string{"210987654321"}})
	w.push(t, "333333333333", "us-west-2", repository, tag, w.image)
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

data "ecrlayer_download_url" "elsewhere" {
  provider = ecrlayer.staging
  region   = "ap-east-1"
  %[3]s
}

data "ecrlayer_download_url" "tools" {
  provider = ecrlayer.tools
  %[3]s
}
`, staging.AccessKeyID, staging.SecretAccessKey, w.read()))
	c.init(t)
	c.must(t, "plan")

	var got []string
	for _, call := range w.CallsTo("ecr", "") {
		got = append(got, call.AccountID+" in "+call.Region)
	}
	slices.Sort(got)
	want := []string{"123456789012 in us-east-1", "210987654321 in ap-east-1", "210987654321 in eu-central-1", "333333333333 in us-west-2"}
	if !slices.Equal(got, want) {
		t.Errorf("called as %v, want %v", got, want)
	}
	if n := len(w.CallsTo("sts", "GetCallerIdentity")); n != 2 {
		t.Errorf("%d calls of GetCallerIdentity, want one for each provider that restricts accounts", n)
	}
}

func TestAccNoRequestsWithoutObjects(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	c := newCLI(t, w)
	url, requested := instanceMetadata(t, region, func() ecrtest.Credentials { return w.user })
	c.environ = append(c.environ, "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_EC2_METADATA_DISABLED=", "AWS_EC2_METADATA_SERVICE_ENDPOINT="+url)
	c.write(t, "main.tf", requireProvider+`
provider "ecrlayer" {
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
	c.must(t, "validate")
	c.must(t, "plan")
	c.must(t, "apply", "-auto-approve")
	w.expectCalls(t)
	if got := requested.all(); len(got) > 0 {
		t.Errorf("there were requests to the instance metadata service: %v", got)
	}

	// With one, validation makes no request either.
	c.write(t, "data.tf", "data \"ecrlayer_download_url\" \"test\" {\n"+w.read()+"\n}\n")
	c.must(t, "validate")
	w.expectCalls(t)
	if got := requested.all(); len(got) > 0 {
		t.Errorf("there were requests to the instance metadata service: %v", got)
	}
}

func TestAccUnknownProviderArgument(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	c := newCLI(t, w)
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
`, w.read()))
	c.init(t)
	c.must(t, "validate")
	c.mustFail(t, []string{"Unknown provider argument", "region = terraform_data", "region", "known only after apply", "-target"}, "plan")
	w.expectCalls(t)
	c.must(t, "apply", "-auto-approve", "-target=terraform_data.region")
	c.must(t, "apply", "-auto-approve")
	w.signedBy(t, w.user)
}

func TestAccInvalidProviderArguments(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	c := newCLI(t, w)
	write := func(block string) {
		c.write(t, "main.tf", requireProvider+"\nprovider \"ecrlayer\" {\n"+block+"\n}\n\ndata \"ecrlayer_download_url\" \"test\" {\n"+w.read()+"\n}\n")
	}
	write("")
	c.init(t)
	for _, test := range []struct {
		command, block string
		says           []string
	}{
		{"validate", "max_retries = 0", []string{"Invalid number", "max_retries = 0", "first attempt counts"}},
		{"validate", "assume_role {\n role_arn = \"puller\"\n }", []string{"Invalid role ARN", `role_arn = "puller"`, "arn:aws:iam::123456789012:role/name"}},
		{"validate", "default_tags {\n tags = {}\n }", []string{"Unsupported block type", "default_tags"}},
		{"plan", "profile = \"none\"", []string{"Profile not found", `profile = "none"`, "shared_config_files"}},
		{"plan", "custom_ca_bundle = \"none.pem\"", []string{"Invalid CA bundle", `custom_ca_bundle = "none.pem"`, "no such file"}},
		{"plan", "assume_role {\n role_arn = \"arn:aws:iam::123456789012:role/a\"\n }", []string{"Cannot assume role: access denied", `role_arn = "arn:aws:iam::123456789012:role/a"`, "trust policy"}},
	} {
		write(test.block)
		c.mustFail(t, test.says, test.command)
	}
	if calls := w.CallsTo("ecr", ""); len(calls) > 0 {
		t.Errorf("there were requests to ECR: %v", w.operations())
	}
}

func TestAccAuthenticationInterrupted(t *testing.T) {
	t.Parallel()
	needsInterrupts(t)
	if name, _ := cliVersion(); name == "OpenTofu" {
		t.Skip("OpenTofu holds the lock that it needs to stop a provider while that is being configured")
	}
	w := newEnv(t)
	c := newCLI(t, w)
	w.Inject(ecrtest.Fault{Service: "sts", Hang: true})
	c.write(t, "main.tf", requireProvider+"\nprovider \"ecrlayer\" {\nskip_credentials_validation = false\n}\n\ndata \"ecrlayer_download_url\" \"test\" {\n"+w.read()+"\n}\n")
	c.init(t)
	c.interrupt(t, func() bool { return len(w.CallsTo("sts", "")) > 0 }, "plan")
	w.expectCalls(t, "sts:GetCallerIdentity")
}
