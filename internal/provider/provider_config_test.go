// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"slices"
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
