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
)

// cli runs Terraform or OpenTofu in its own directory. The CLI installs the provider
// from a mirror and starts it, so that tests can check all output, files and logs.
// The AWS configuration is in its environment.
type cli struct {
	path string
	// root contains every directory to which the CLI and the provider write: home,
	// temporary files, and dir.
	root string
	// dir is the working directory, with the configuration.
	dir string
	// environ is the entire environment. The last value of a variable wins.
	environ []string
}

// newCLI returns a CLI that calls the endpoint as its user. It skips the test unless
// TF_ACC is set.
func newCLI(t *testing.T, e *env) *cli {
	t.Helper()
	if os.Getenv("TF_ACC") == "" {
		t.Skip("acceptance tests are skipped unless TF_ACC is set")
	}
	path, err := cliPath()
	if err != nil {
		t.Skip(err)
	}
	mirror := must[string](t)(buildMirror())

	c := &cli{path: path, root: t.TempDir()}
	c.dir = filepath.Join(c.root, "work")
	tmp, home := filepath.Join(c.root, "tmp"), filepath.Join(c.root, "home")
	for _, dir := range []string{c.dir, tmp, home} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(home, "cli.tfrc")
	writeFile(t, config, fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", filepath.ToSlash(mirror)))
	c.environ = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + tmp,
		"TF_CLI_CONFIG_FILE=" + config, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "TF_INPUT=0",
		"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ENDPOINT_URL=" + e.server.URL, "AWS_REGION=" + region,
		"AWS_ACCESS_KEY_ID=" + e.user.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + e.user.SecretAccessKey,
	}
	return c
}

// useExample copies examples/<name> to the working directory.
func (c *cli) useExample(t *testing.T, name string) {
	t.Helper()
	if err := os.CopyFS(c.dir, os.DirFS(filepath.Join("..", "..", "examples", name))); err != nil {
		t.Fatal(err)
	}
}

// example is one case of an example: the tag of the image that it is about, which no
// other case has, and parts of the error message, nil if the case succeeds.
type example struct {
	tag   string
	fails []string
}

// applyExamples applies an example once, as a module per case that succeeds, and returns
// what it prints and an expression of each module, %[1]s in it, by tag. It plans the
// others, and fails the test unless each fails as expected.
func (c *cli) applyExamples(t *testing.T, name, expression, arguments string, cases []example) (text string, values map[string]any) {
	t.Helper()
	if err := os.CopyFS(filepath.Join(c.dir, "example"), os.DirFS(filepath.Join("..", "..", "examples", name))); err != nil {
		t.Fatal(err)
	}
	write := func(wanted func(example) bool) {
		var config, outputs strings.Builder
		for _, example := range cases {
			if wanted(example) {
				fmt.Fprintf(&config, "module %q {\n  source = \"./example\"\n  image = %q\n  %s\n}\n", example.tag, inRegistry+":"+example.tag, arguments)
				outputs.WriteString("    " + example.tag + " = " + fmt.Sprintf(expression, "module."+example.tag) + "\n")
			}
		}
		c.write(t, "main.tf", requireProvider+config.String()+"output \"all\" {\n  sensitive = true\n  value = {\n"+outputs.String()+"  }\n}\n")
	}
	write(func(example) bool { return true })
	c.init(t)
	write(func(e example) bool { return e.fails != nil })
	failed := c.mustFail(t, nil, "plan")
	for _, example := range cases {
		if example.fails != nil && !inOrder(slices.Clone(example.fails)...).MatchString(failed) {
			t.Errorf("%s does not fail with %q:\n%s", example.tag, example.fails, failed)
		}
	}
	write(func(e example) bool { return e.fails == nil })
	text = c.must(t, "apply", "-auto-approve")
	values, _ = c.outputs(t)["all"].(map[string]any)
	return text, values
}

// write writes a file in the working directory.
func (c *cli) write(t *testing.T, name, content string) {
	t.Helper()
	writeFile(t, filepath.Join(c.dir, name), content)
}

// init installs the provider.
func (c *cli) init(t *testing.T) {
	t.Helper()
	c.must(t, "init")
}

// must runs a command that must succeed, and returns its output.
func (c *cli) must(t *testing.T, command string, arguments ...string) string {
	t.Helper()
	output, err := c.run(t, command, arguments...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", command, strings.Join(arguments, " "), err, output)
	}
	return output
}

// mustFail runs a command that must fail with output that contains all parts in
// this order, and returns the output.
func (c *cli) mustFail(t *testing.T, parts []string, command string, arguments ...string) string {
	t.Helper()
	output, err := c.run(t, command, arguments...)
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
		t.Fatalf("%s %s did not fail: %v\n%s", command, strings.Join(arguments, " "), err, output)
	}
	if !inOrder(slices.Clone(parts)...).MatchString(output) {
		t.Fatalf("the output of %s does not contain %q:\n%s", command, parts, output)
	}
	return output
}

// run runs a command and returns its standard output and error.
func (c *cli) run(t *testing.T, command string, arguments ...string) (string, error) {
	t.Helper()
	output, err := c.command(t.Context(), command, arguments...).CombinedOutput()
	return string(output), err
}

// outputs returns the values of all outputs.
func (c *cli) outputs(t *testing.T) map[string]any {
	t.Helper()
	var outputs map[string]struct{ Value any }
	if err := json.Unmarshal([]byte(c.must(t, "output", "-json")), &outputs); err != nil {
		t.Fatal(err)
	}
	values := map[string]any{}
	for name, output := range outputs {
		values[name] = output.Value
	}
	return values
}

// command returns a command that has not been started.
func (c *cli) command(ctx context.Context, command string, arguments ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.path, append([]string{command, "-no-color"}, arguments...)...)
	cmd.Dir, cmd.Env = c.dir, c.environ
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = time.Minute
	return cmd
}

// requireProvider is the terraform block of a configuration.
const requireProvider = `
terraform {
  required_providers {
    ecrlayer = {
      source = "ecrlayer/ecrlayer"
    }
  }
}
`

// cliPath finds the CLI as terraform-plugin-testing does.
func cliPath() (string, error) {
	if path := os.Getenv("TF_ACC_TERRAFORM_PATH"); path != "" {
		return path, nil
	}
	path, err := exec.LookPath("terraform")
	if err != nil {
		return "", fmt.Errorf("no CLI: TF_ACC_TERRAFORM_PATH is not set, and %w", err)
	}
	return path, nil
}

// cliVersion returns the name and the version of the CLI.
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

// skipWithoutEphemeralValues skips the test on a CLI without ephemeral values.
func skipWithoutEphemeralValues(t *testing.T) {
	t.Helper()
	if reason := unsupported(`ephemeral "`); reason != "" {
		t.Skip(reason)
	}
}

// skipWithoutInterrupts skips the test on systems without interrupt signals.
func skipWithoutInterrupts(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no signal that interrupts another process")
	}
}

// buildMirror builds the provider once and returns a filesystem mirror with it.
// removeMirror removes it.
var buildMirror = sync.OnceValues(func() (string, error) {
	mirror, err := os.MkdirTemp("", "ecrlayer-test-mirror-")
	if err != nil {
		return "", err
	}
	mirrorDir = mirror
	const release = "0.1.0"
	binary := filepath.Join(mirror, "terraform-provider-ecrlayer")
	build := exec.CommandContext(context.Background(), "go", "build", "-o", binary, "-ldflags", "-s -w -X main.version="+release, "../..")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the provider: %w\n%s", err, output)
	}
	// Each CLI resolves the source address to its own registry host.
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

var mirrorDir string

// removeMirror is called after all tests.
func removeMirror() {
	if mirrorDir != "" {
		os.RemoveAll(mirrorDir)
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
	content := must[[]byte](t)(os.ReadFile(name))
	return string(content)
}
