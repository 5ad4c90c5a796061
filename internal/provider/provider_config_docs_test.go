// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// providerArguments returns the description of every argument of the provider
// block, by its name, such as "region" or "assume_role.role_arn", and the names of
// the blocks.
func providerArguments(t *testing.T) (descriptions map[string]string, blocks []string) {
	t.Helper()
	server, err := factories["ecrlayer"]()
	if err != nil {
		t.Fatal(err)
	}
	schemas, err := server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	descriptions = map[string]string{}
	var add func(prefix string, block *tfprotov6.SchemaBlock)
	add = func(prefix string, block *tfprotov6.SchemaBlock) {
		for _, a := range block.Attributes {
			descriptions[prefix+a.Name] = a.Description
		}
		for _, b := range block.BlockTypes {
			blocks = append(blocks, prefix+b.TypeName)
			add(prefix+b.TypeName+".", b.Block)
		}
	}
	add("", schemas.Provider.Block)
	return descriptions, blocks
}

// row is a row of a table of the provider's page, its cells as they are written.
type row struct{ environment, config, fallback string }

var (
	blockHeading = regexp.MustCompile("^### `(\\w+)`")
	heading      = regexp.MustCompile("^#+ ")
	inQuotes     = regexp.MustCompile("`([^`]+)`")

	inEnvironment  = regexp.MustCompile("((?:`\\w+`(?: or )?)+) environment variable")
	inSharedConfig = regexp.MustCompile("`(\\w+)` in the shared config file")
	byDefault      = regexp.MustCompile("Default (`[^`]+`|15 minutes|one hour)")
)

// documentedArguments returns the rows of the tables of the provider's page.
func documentedArguments(t *testing.T) map[string]row {
	t.Helper()
	rows := map[string]row{}
	prefix := ""
	for line := range strings.Lines(readFile(t, filepath.Join(checkout, "templates", "index.md.tmpl"))) {
		if match := blockHeading.FindStringSubmatch(line); match != nil {
			prefix = match[1] + "."
		} else if heading.MatchString(line) {
			prefix = ""
		}
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 6 || !strings.HasPrefix(cells[1], " `") {
			continue
		}
		name := prefix + strings.Trim(cells[1], " `")
		if _, twice := rows[name]; twice {
			t.Errorf("%s is there twice", name)
		}
		rows[name] = row{cells[2], cells[3], strings.TrimSpace(cells[4])}
	}
	return rows
}

// quoted returns what is in backquotes, sorted.
func quoted(s string) []string {
	var names []string
	for _, match := range inQuotes.FindAllStringSubmatch(s, -1) {
		names = append(names, match[1])
	}
	slices.Sort(names)
	return names
}

func TestProviderPageHasEveryArgumentAsTheSchemaDescribesIt(t *testing.T) {
	t.Parallel()
	descriptions, _ := providerArguments(t)
	rows := documentedArguments(t)
	if got, want := slices.Sorted(maps.Keys(rows)), slices.Sorted(maps.Keys(descriptions)); !slices.Equal(got, want) {
		t.Fatalf("the tables have\n%v\nand the schema\n%v", got, want)
	}
	for name, description := range descriptions {
		of := rows[name]
		var variables []string
		for _, match := range inEnvironment.FindAllStringSubmatch(description, -1) {
			variables = append(variables, quoted(match[1])...)
		}
		slices.Sort(variables)
		if !slices.Equal(variables, quoted(of.environment)) && !strings.Contains(of.environment, "without the block") {
			t.Errorf("%s: environment variables %v in the table, %v in the description", name, quoted(of.environment), variables)
		}
		for _, match := range inSharedConfig.FindAllStringSubmatch(description, -1) {
			if !slices.Contains(quoted(of.config), match[1]) {
				t.Errorf("%s: %q of the shared config file is not in the table", name, match[1])
			}
		}
		if match := byDefault.FindStringSubmatch(description); match != nil && of.fallback != match[1] {
			t.Errorf("%s: the default is %s in the table, %s in the description", name, of.fallback, match[1])
		}
	}
}

func TestEveryArgumentOfTheAWSProviderIsThereOrInTheGuide(t *testing.T) {
	t.Parallel()
	// Those of version 6 of the AWS provider.
	blocks := []string{"assume_role", "assume_role_with_web_identity", "default_tags", "endpoints", "ignore_tags"}
	arguments := []string{
		"access_key", "allowed_account_ids", "custom_ca_bundle", "ec2_metadata_service_endpoint", "ec2_metadata_service_endpoint_mode",
		"forbidden_account_ids", "http_proxy", "https_proxy", "insecure", "max_retries", "no_proxy", "profile", "region", "retry_mode",
		"s3_use_path_style", "s3_us_east_1_regional_endpoint", "secret_key", "shared_config_files", "shared_credentials_files",
		"skip_credentials_validation", "skip_metadata_api_check", "skip_region_validation", "skip_requesting_account_id", "sts_region",
		"tag_policy_compliance", "token", "token_bucket_rate_limiter_capacity", "use_dualstack_endpoint", "use_fips_endpoint", "user_agent",
		"assume_role.duration", "assume_role.external_id", "assume_role.policy", "assume_role.policy_arns", "assume_role.role_arn",
		"assume_role.session_name", "assume_role.source_identity", "assume_role.tags", "assume_role.transitive_tag_keys",
		"assume_role_with_web_identity.duration", "assume_role_with_web_identity.policy", "assume_role_with_web_identity.policy_arns",
		"assume_role_with_web_identity.role_arn", "assume_role_with_web_identity.session_name",
		"assume_role_with_web_identity.web_identity_token", "assume_role_with_web_identity.web_identity_token_file",
		"endpoints.ecr", "endpoints.sso", "endpoints.sts",
	}
	descriptions, ours := providerArguments(t)
	guide := readFile(t, filepath.Join(checkout, "templates", "guides", "from-the-aws-provider.md"))
	theirs := append(slices.Clone(arguments), blocks...)
	for _, name := range theirs {
		_, there := descriptions[name]
		there = there || slices.Contains(ours, name)
		if removed := strings.Contains(guide, "\n| `"+name+"` |"); there == removed {
			t.Errorf("%s: there is one: %t, the guide says to remove it: %t", name, there, removed)
		}
	}
	for name := range descriptions {
		if !slices.Contains(theirs, name) {
			t.Errorf("%s is no argument of the AWS provider", name)
		}
	}
}
