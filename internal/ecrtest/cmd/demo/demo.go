// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

const (
	readHeaderTimeout = 10 * time.Second
	// How long an interrupted terraform may take to stop its provider.
	stopTimeout = 10 * time.Second
	// The version under which the provider is put into the mirror; any will do.
	mirrorVersion = "0.1.0"
)

type demo struct {
	cli      string
	provider string
	examples string

	work    string
	local   *local
	started func(*local) // if set, is told when the endpoint is up
	steps   int
}

func (d *demo) run(ctx context.Context) error {
	work, err := os.MkdirTemp("", "ecrlayer-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	d.work = work
	if err := d.mirror(); err != nil {
		return err
	}

	version, err := d.command(ctx, "", "version").Output()
	if err != nil {
		return fmt.Errorf("running %s: %w", d.cli, err)
	}
	d.step("CLI: %s", strings.SplitN(string(version), "\n", 2)[0])

	d.local, err = start(ctx, []string{"LICENSE", d.examples, d.provider})
	if err != nil {
		return err
	}
	defer d.local.server.Close()
	if d.started != nil {
		d.started(d.local)
	}
	d.step("Local ECR at %s; pushed %s:%s with %d layers:", d.local.url, repository, tag, len(d.local.image.layers))
	for _, l := range d.local.image.layers {
		d.detail("%s  %9d bytes  %s", l.digest, l.size, l.file)
	}
	if err := d.downloadLayer(ctx); err != nil {
		return err
	}
	return d.seedCache(ctx)
}

// downloadLayer gets the URL of the biggest layer and fetches it.
func (d *demo) downloadLayer(ctx context.Context) error {
	dir, err := d.scenario("download-layer")
	if err != nil {
		return err
	}
	wanted := d.local.image.layers[len(d.local.image.layers)-1]
	vars := []string{"-var=region=" + region, "-var=repository_name=" + repository, "-var=layer_digest=" + wanted.digest}
	d.step("%s init, plan and apply of examples/download-layer for %s", filepath.Base(d.cli), short(wanted.digest))
	d.local.endpoint.Reset()
	for _, arguments := range [][]string{
		{"init", "-input=false", "-no-color"},
		append([]string{"plan", "-input=false", "-no-color", "-out=plan.bin"}, vars...),
		{"apply", "-input=false", "-no-color", "plan.bin"},
	} {
		if output, err := d.command(ctx, dir, arguments...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s %s: %w\n%s", d.cli, arguments[0], err, output)
		}
		if arguments[0] == "plan" {
			calls := operations(d.local.endpoint.Calls())
			if calls != "ecr:GetDownloadUrlForLayer" {
				return fmt.Errorf("the plan asked for more or less than one URL: %s", calls)
			}
			d.detail("the plan made one request: %s", calls)
		}
	}

	output, err := d.command(ctx, dir, "output", "-json").Output()
	if err != nil {
		return fmt.Errorf("%s output: %w", d.cli, err)
	}
	var outputs map[string]struct{ Value string }
	if err := json.Unmarshal(output, &outputs); err != nil {
		return err
	}
	url := outputs["download_url"].Value
	d.detail("download_url: %s?… (the rest is a credential)", strings.SplitN(url, "?", 2)[0])
	d.detail("expires_at:   %s", outputs["expires_at"].Value)

	size, sum, err := fetch(ctx, url)
	if err != nil {
		return err
	}
	if sum != wanted.digest {
		return fmt.Errorf("fetched %s, wanted %s", sum, wanted.digest)
	}
	d.step("Fetched %d bytes with a plain HTTP client; SHA-256 is the layer's digest: %s", size, sum)
	return nil
}

// mirror puts the provider where the CLI's configuration says that it is.
func (d *demo) mirror() error {
	binary, err := os.ReadFile(d.provider)
	if err != nil {
		return err
	}
	for _, host := range []string{"registry.terraform.io", "registry.opentofu.org"} {
		dir := filepath.Join(d.work, "mirror", host, "ecrlayer", "ecrlayer", mirrorVersion, runtime.GOOS+"_"+runtime.GOARCH)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "terraform-provider-ecrlayer_v"+mirrorVersion+filepath.Ext(d.provider)), binary, 0o755); err != nil {
			return err
		}
	}
	config := fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", filepath.Join(d.work, "mirror"))
	return os.WriteFile(d.cliConfig(), []byte(config), 0o600)
}

func (d *demo) cliConfig() string {
	return filepath.Join(d.work, "cli.tfrc")
}

// scenario copies an example to the work folder, so that nothing is left in the
// checkout, and returns where it is.
func (d *demo) scenario(name string) (string, error) {
	dir := filepath.Join(d.work, name)
	return dir, os.CopyFS(dir, os.DirFS(filepath.Join(d.examples, name)))
}

// command returns a run of the CLI that reaches the local endpoint and nothing
// else of the user's, and that is interrupted, not killed, when ctx ends.
func (d *demo) command(ctx context.Context, dir string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, d.cli, arguments...)
	command.Dir = dir
	for _, variable := range os.Environ() {
		// No proxy either: what is asked is on this machine.
		if name, _, _ := strings.Cut(variable, "="); !strings.HasPrefix(name, "AWS_") && !strings.HasPrefix(name, "TF_") && !strings.HasSuffix(strings.ToLower(name), "_proxy") {
			command.Env = append(command.Env, variable)
		}
	}
	command.Env = append(command.Env, "CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE="+d.cliConfig(), "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
	if d.local != nil {
		command.Env = append(command.Env, d.local.environment()...)
	}
	ownProcessGroup(command)
	command.Cancel = func() error { return interrupt(command.Process) }
	command.WaitDelay = stopTimeout
	return command
}

// fetch downloads url and returns the size and the digest of what came.
func fetch(ctx context.Context, url string) (int64, string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, "", errors.New("download_url is no URL")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", errors.New("the download failed")
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		reason, _ := io.ReadAll(io.LimitReader(response.Body, 500))
		return 0, "", fmt.Errorf("the download was answered %s: %s", response.Status, reason)
	}
	hash := sha256.New()
	size, err := io.Copy(hash, response.Body)
	if err != nil {
		return 0, "", fmt.Errorf("the download broke off: %w", err)
	}
	return size, "sha256:" + hex.EncodeToString(hash.Sum(nil)), nil
}

func (d *demo) step(format string, arguments ...any) {
	d.steps++
	fmt.Printf("%d. %s\n", d.steps, fmt.Sprintf(format, arguments...))
}

func (d *demo) detail(format string, arguments ...any) {
	fmt.Printf("     %s\n", fmt.Sprintf(format, arguments...))
}

// operations returns all that the endpoint was asked for.
func operations(calls []ecrtest.Call) string {
	var names []string
	for _, call := range calls {
		names = append(names, call.Service+":"+call.Operation)
	}
	return strings.Join(names, ", ")
}

func short(digest string) string {
	return digest[:len("sha256:")+12] + "…"
}
