// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

// This test uses only features of Terraform 1.0 and runs on every supported version.
// Where the CLI is too old for an object, it expects the CLI's error message.
func TestAccCompatibility(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	c := newCLI(t, e)
	config := requireProvider + downloadURLConfig(e.layers[0]) + "output \"download_url\" {\n  value     = data.ecrlayer_download_url.test.download_url\n  sensitive = true\n}\n"
	calls, tooOld := 1, map[string]string{}
	if ephemeral := ephemeralConfig(e.layers[0]); unsupported(ephemeral) == "" {
		config += ephemeral
		calls++
	} else {
		tooOld[ephemeral] = "Unsupported block type"
	}
	function := "output \"repository_name\" {\n  value = provider::ecrlayer::parse_image_uri(\"" + inRegistry + ":1.0\").repository_name\n}\n"
	if unsupported(function) == "" {
		config += function
	} else {
		tooOld[function] = "provider::ecrlayer::parse_image_uri"
	}
	c.write(t, "main.tf", config+layoutConfig("test"))
	c.init(t)
	c.must(t, "validate")
	c.must(t, "apply", "-auto-approve")
	if got := len(e.CallsTo("ecr", "")); got < calls {
		t.Errorf("%d calls were made, want %d or more", got, calls)
	}
	expectContent(t, filepath.Join(c.dir, "cache"), e.image)
	outputs := c.outputs(t)
	download := fmt.Sprint(outputs["download_url"])
	if err := servesDigest(e.layers[0]).CheckValue(download); err != nil {
		t.Error(err)
	}
	if parsed, err := url.Parse(download); err != nil || !strings.Contains(parsed.RawQuery, "X-Amz-Signature=") {
		t.Errorf("download_url is not a pre-signed URL: %v", err)
	}
	if got := outputs["repository_name"]; unsupported(function) == "" && got != repository {
		t.Errorf("repository_name is %v, want %s", got, repository)
	}
	for block, want := range tooOld {
		c.write(t, "main.tf", requireProvider+block)
		c.mustFail(t, []string{"Error", want}, "init")
	}
}
