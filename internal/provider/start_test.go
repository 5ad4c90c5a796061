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

// Terraform starts the provider several times in a run. What runs in each of them
// before main, such as the compilation of regular expressions, has to wait until
// something needs it.
func TestAccPackageInitialization(t *testing.T) {
	t.Parallel()
	if os.Getenv("TF_ACC") == "" {
		t.Skip("acceptance tests are skipped unless TF_ACC is set")
	}
	mirror, err := mirroredProvider()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), filepath.Join(mirror, "terraform-provider-ecrlayer"), "-version")
	command.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	const most = 150 // A single regular expression takes 50 to 300.
	found := regexp.MustCompile(`(?m)^init (github\.com/ecrlayer/\S+) @.* (\d+) allocs$`).FindAllSubmatch(output, -1)
	if len(found) == 0 {
		t.Fatalf("there is no trace of this module's packages:\n%s", output)
	}
	for _, match := range found {
		if allocs, err := strconv.Atoi(string(match[2])); err != nil || allocs > most {
			t.Errorf("%s makes %s allocations when the provider starts, want at most %d", match[1], match[2], most)
		}
	}
}
