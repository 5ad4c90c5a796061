// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/terraform-plugin-testing/tfversion"
)

// Tests that look at all a user gets to see, the files and the log included, run
// Terraform or OpenTofu as a user does, and the provider as it is released: a
// binary that the CLI installs from a mirror and starts.

// cli is such a CLI in a directory of its own. What it is told of AWS is in its
// environment.
type cli struct {
	path string
	// root holds all that the CLI, the provider and what they start can write:
	// home, temporary files, and dir.
	root string
	// dir is where the configuration is.
	dir string
	// environ is the whole environment. What is appended wins.
	environ []string
}

// newCLI returns a CLI that reaches w as its user. It skips the test where
// acceptance tests are not wanted.
func newCLI(t *testing.T, e *env) *cli {
	t.Helper()
	if os.Getenv("TF_ACC") == "" {
		t.Skip("acceptance tests are skipped unless TF_ACC is set")
	}
	path, err := cliPath()
	if err != nil {
		t.Skip(err)
	}
	mirror, err := mirroredProvider()
	if err != nil {
		t.Fatal(err)
	}

	c := &cli{path: path, root: t.TempDir()}
	c.dir = filepath.Join(c.root, "work")
	temporary, home := filepath.Join(c.root, "tmp"), filepath.Join(c.root, "home")
	for _, dir := range []string{c.dir, temporary, home} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(home, "cli.tfrc")
	writeFile(t, config, fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", filepath.ToSlash(mirror)))
	c.environ = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + temporary,
		"TF_CLI_CONFIG_FILE=" + config, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "TF_INPUT=0",
		"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ENDPOINT_URL=" + e.server.URL, "AWS_REGION=" + region,
		"AWS_ACCESS_KEY_ID=" + e.user.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + e.user.SecretAccessKey,
	}
	return c
}

// useScenario makes a copy of examples/<name> the configuration.
func (c *cli) useScenario(t *testing.T, name string) {
	t.Helper()
	if err := os.CopyFS(c.dir, os.DirFS(filepath.Join("..", "..", "examples", name))); err != nil {
		t.Fatal(err)
	}
}

// write makes a file in the directory of the configuration.
func (c *cli) write(t *testing.T, name, content string) {
	t.Helper()
	writeFile(t, filepath.Join(c.dir, name), content)
}

// init installs the provider.
func (c *cli) init(t *testing.T) {
	t.Helper()
	c.must(t, "init")
}

// must runs a command that has to succeed, and returns what it printed.
func (c *cli) must(t *testing.T, command string, arguments ...string) string {
	t.Helper()
	output, err := c.run(t, command, arguments...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", command, strings.Join(arguments, " "), err, output)
	}
	return output
}

// mustFail runs a command that has to fail, with all parts in this order in what
// it prints, and returns that.
func (c *cli) mustFail(t *testing.T, parts []string, command string, arguments ...string) string {
	t.Helper()
	output, err := c.run(t, command, arguments...)
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
		t.Fatalf("%s %s did not fail: %v\n%s", command, strings.Join(arguments, " "), err, output)
	}
	if !inOrder(slices.Clone(parts)...).MatchString(output) {
		t.Fatalf("%s does not say %q:\n%s", command, parts, output)
	}
	return output
}

// run runs a command and returns what it printed, on standard output and error.
func (c *cli) run(t *testing.T, command string, arguments ...string) (string, error) {
	t.Helper()
	output, err := c.command(t.Context(), command, arguments...).CombinedOutput()
	return string(output), err
}

// command returns a command that is yet to be run.
func (c *cli) command(ctx context.Context, command string, arguments ...string) *exec.Cmd {
	run := exec.CommandContext(ctx, c.path, append([]string{command, "-no-color"}, arguments...)...)
	run.Dir, run.Env = c.dir, c.environ
	run.Cancel = func() error { return run.Process.Signal(os.Interrupt) }
	run.WaitDelay = time.Minute
	return run
}

// requireProvider is the beginning of a configuration.
const requireProvider = `
terraform {
  required_providers {
    ecrlayer = {
      source = "ecrlayer/ecrlayer"
    }
  }
}
`

// cliPath finds the CLI where terraform-plugin-testing looks for it.
func cliPath() (string, error) {
	if path := os.Getenv("TF_ACC_TERRAFORM_PATH"); path != "" {
		return path, nil
	}
	path, err := exec.LookPath("terraform")
	if err != nil {
		return "", fmt.Errorf("no CLI: TF_ACC_TERRAFORM_PATH names none, and %w", err)
	}
	return path, nil
}

// cliVersion returns what the CLI is called and its version.
var cliVersion = sync.OnceValues(func() (string, *version.Version) {
	path, err := cliPath()
	if err != nil {
		return err.Error(), nil
	}
	run := func(arguments ...string) []byte {
		command := exec.CommandContext(context.Background(), path, arguments...)
		command.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE=")
		output, _ := command.Output()
		return output
	}
	var reported struct {
		Version string `json:"terraform_version"`
	}
	if err := json.Unmarshal(run("version", "-json"), &reported); err != nil {
		return path + " is not Terraform or OpenTofu", nil
	}
	name, _, _ := strings.Cut(string(run("version")), " ")
	parsed, _ := version.NewVersion(reported.Version)
	return name, parsed
})

// ephemeralValues skips a test of terraform-plugin-testing on a Terraform that
// knows no ephemeral values.
var ephemeralValues = []tfversion.TerraformVersionCheck{tfversion.SkipBelow(tfversion.Version1_10_0)}

// writeOnlyArguments does so on one that knows no write-only arguments.
var writeOnlyArguments = []tfversion.TerraformVersionCheck{tfversion.SkipBelow(tfversion.Version1_11_0)}

// needsEphemeralValues skips the test on a CLI that knows no ephemeral values. For
// terraform-plugin-testing every CLI is Terraform, so its checks cannot identify an
// OpenTofu that is too old.
func needsEphemeralValues(t *testing.T) {
	t.Helper()
	name, got := cliVersion()
	least := tfversion.Version1_10_0
	if name == "OpenTofu" {
		least = tfversion.Version1_11_0
	}
	if got != nil && got.Core().LessThan(least) {
		t.Skipf("%s %s knows no ephemeral values: they came with Terraform 1.10 and OpenTofu 1.11", name, got)
	}
}

// needsInterrupts skips the test where no process can interrupt another.
func needsInterrupts(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows knows no signal that interrupts another process")
	}
}

// mirroredProvider builds the provider and returns a mirror to install it from.
// removeMirroredProvider undoes that.
var mirroredProvider = sync.OnceValues(func() (string, error) {
	mirror, err := os.MkdirTemp("", "ecrlayer-test-mirror-")
	if err != nil {
		return "", err
	}
	mirrorOfThisRun = mirror
	const release = "0.1.0"
	binary := filepath.Join(mirror, "terraform-provider-ecrlayer")
	build := exec.CommandContext(context.Background(), "go", "build", "-o", binary, "-ldflags", "-X main.version="+release, "../..")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the provider: %w\n%s", err, output)
	}
	// Each CLI takes the address for one of its own registry's.
	for _, host := range []string{"registry.terraform.io", "registry.opentofu.org"} {
		dir := filepath.Join(mirror, host, "ecrlayer", "ecrlayer", release, runtime.GOOS+"_"+runtime.GOARCH)
		name := "terraform-provider-ecrlayer_v" + release
		if runtime.GOOS == "windows" {
			name += ".exe"
		}
		if err := errors.Join(os.MkdirAll(dir, 0o755), os.Link(binary, filepath.Join(dir, name))); err != nil {
			return "", err
		}
	}
	return mirror, nil
})

var mirrorOfThisRun string

// removeMirroredProvider is called when all tests have ended.
func removeMirroredProvider() {
	if mirrorOfThisRun != "" {
		os.RemoveAll(mirrorOfThisRun)
	}
}

func writeFile(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// waitFor returns when something has happened, and fails where it does not.
func waitFor(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !happened(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain for ", what)
		}
	}
}
