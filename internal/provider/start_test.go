// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// Terraform starts the provider several times per run, so expensive package
// initialization, such as compiling regular expressions, must be lazy.
func TestPackageInitialization(t *testing.T) {
	t.Parallel()
	if os.Getenv("TF_ACC") == "" {
		t.Skip("acceptance tests are skipped unless TF_ACC is set")
	}
	mirror := must[string](t)(buildMirror())
	command := exec.CommandContext(t.Context(), filepath.Join(mirror, "terraform-provider-ecrlayer"), "-version")
	command.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	const maxAllocs = 150 // Compiling a regular expression makes 50 to 300.
	matches := regexp.MustCompile(`(?m)^init (github\.com/ecrlayer/\S+) @.* (\d+) allocs$`).FindAllSubmatch(output, -1)
	if len(matches) == 0 {
		t.Fatalf("found no packages of this module in the trace:\n%s", output)
	}
	for _, match := range matches {
		if allocs, err := strconv.Atoi(string(match[2])); err != nil || allocs > maxAllocs {
			t.Errorf("the initialization of %s makes %s allocations, want at most %d", match[1], match[2], maxAllocs)
		}
	}
}
