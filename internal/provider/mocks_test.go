// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"path/filepath"
	"regexp"
	"testing"

	"github.com/hashicorp/go-version"
)

// The configuration and the test file of the guide pass with a mocked provider, which
// makes no calls.
func TestAccMocksGuide(t *testing.T) {
	t.Parallel()
	name, got := cliVersion()
	least := version.Must(version.NewVersion("1.7.0"))
	if name == "OpenTofu" {
		least = version.Must(version.NewVersion("1.8.0"))
	}
	if got != nil && got.Core().LessThan(least) {
		t.Skipf("%s %s has no mocks", name, got)
	}
	e := newEnv(t)
	c := newCLI(t, e)
	guide := readFile(t, filepath.Join("..", "..", "templates", "guides", "testing-configurations.md"))
	for file, fence := range map[string]string{"main.tf": "terraform", "main.tftest.hcl": "hcl"} {
		block := regexp.MustCompile("(?s)\n```" + fence + "\n(.*?)```\n").FindStringSubmatch(guide)
		if block == nil {
			t.Fatalf("the guide has no %s", file)
		}
		c.write(t, file, block[1])
	}
	c.init(t)
	if output := c.must(t, "test"); !regexp.MustCompile(`2 passed, 0 failed`).MatchString(output) {
		t.Errorf("the tests of the guide did not pass:\n%s", output)
	}
	if calls := e.operations(); len(calls) > 0 {
		t.Errorf("a mocked provider made the calls %v", calls)
	}
}
