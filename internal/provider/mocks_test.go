// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"path/filepath"
	"regexp"
	"testing"

	"github.com/hashicorp/go-version"
)

// The tests in the guide pass, and their mocked provider makes no requests.
func TestAccMocksGuide(t *testing.T) {
	t.Parallel()
	name, got := cliVersion()
	minimum := version.Must(version.NewVersion("1.7.0"))
	if name == "OpenTofu" {
		minimum = version.Must(version.NewVersion("1.8.0"))
	}
	if got != nil && got.Core().LessThan(minimum) {
		t.Skipf("%s %s does not support mocks", name, got)
	}
	e := newEnv(t)
	c := newCLI(t, e)
	guide := readFile(t, filepath.Join("..", "..", "templates", "guides", "testing-configurations.md"))
	for file, fence := range map[string]string{"main.tf": "terraform", "main.tftest.hcl": "hcl"} {
		block := regexp.MustCompile("(?s)\n```" + fence + "\n(.*?)```\n").FindStringSubmatch(guide)
		if block == nil {
			t.Fatalf("%s not found in the guide", file)
		}
		c.write(t, file, block[1])
	}
	c.init(t)
	if output := c.must(t, "test"); !regexp.MustCompile(`2 passed, 0 failed`).MatchString(output) {
		t.Errorf("the tests in the guide failed:\n%s", output)
	}
	if calls := e.operations(); len(calls) > 0 {
		t.Errorf("the mocked provider made the requests %v", calls)
	}
}
