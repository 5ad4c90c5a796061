// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The tests in the guide pass and make no requests.
func TestAccMocksGuide(t *testing.T) {
	t.Parallel()
	guide := readFile(t, filepath.Join(checkout, "templates", "guides", "testing-configurations.md"))
	blocks := regexp.MustCompile("(?s)\n```(?:terraform|hcl)\n(.*?)```\n").FindAllStringSubmatch(guide, -1)
	if len(blocks) != 5 {
		t.Fatalf("found %d files in the guide, want 5", len(blocks))
	}
	for name, test := range map[string]struct {
		files  map[string]string
		passed string
	}{
		"mock_provider":   {map[string]string{"main.tf": blocks[0][1], "main.tftest.hcl": blocks[1][1]}, "2 passed, 0 failed"},
		"override_module": {map[string]string{"layers/main.tf": blocks[2][1], "main.tf": blocks[3][1], "main.tftest.hcl": blocks[4][1]}, "1 passed, 0 failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if reason := unsupported(strings.Join(slices.Collect(maps.Values(test.files)), "\n")); reason != "" {
				t.Skip(reason)
			}
			e := newEnv(t)
			c := newCLI(t, e)
			for file, content := range test.files {
				if err := os.MkdirAll(filepath.Join(c.dir, filepath.Dir(file)), 0o700); err != nil {
					t.Fatal(err)
				}
				c.write(t, file, content)
			}
			c.init(t)
			if output := c.must(t, "test"); !strings.Contains(output, test.passed) {
				t.Errorf("the tests in the guide failed:\n%s", output)
			}
			if calls := e.operations(); len(calls) > 0 {
				t.Errorf("the tests made the requests %v", calls)
			}
		})
	}
}
