// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// newDemo returns the demo on the CLI of the acceptance tests, with a provider
// built from this checkout, in a temporary folder of its own.
func newDemo(t *testing.T) *demo {
	t.Helper()
	cli := os.Getenv("TF_ACC_TERRAFORM_PATH")
	if os.Getenv("TF_ACC") == "" || cli == "" {
		t.Skip("TF_ACC and TF_ACC_TERRAFORM_PATH are not set: no CLI to show the provider with")
	}
	t.Chdir(filepath.Join("..", "..", "..", ".."))
	provider := filepath.Join(t.TempDir(), "terraform-provider-ecrlayer")
	if runtime.GOOS == "windows" {
		provider += ".exe"
	}
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", provider, ".").CombinedOutput(); err != nil {
		t.Fatalf("building the provider: %v\n%s", err, output)
	}
	t.Setenv("TMPDIR", t.TempDir())
	for _, proxy := range []string{"http_proxy", "https_proxy", "all_proxy"} {
		t.Setenv(proxy, "http://127.0.0.1:1") // Nothing goes through it.
	}
	return &demo{cli: cli, provider: provider, examples: "examples"}
}

func TestTheDemoFetchesALayerAndLeavesNothing(t *testing.T) {
	d := newDemo(t)
	if err := d.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	expectNothingLeft(t, d)
}

func TestTheDemoStopsWhenItIsInterrupted(t *testing.T) {
	d := newDemo(t)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	// Once the provider waits for an answer that never comes.
	d.started = func(l *local) {
		l.endpoint.Inject(ecrtest.Fault{Service: "ecr", Hang: true})
		go func() {
			for len(l.endpoint.Calls()) == 0 && ctx.Err() == nil {
				time.Sleep(10 * time.Millisecond)
			}
			interrupt()
		}()
	}
	stopped := make(chan error, 1)
	go func() { stopped <- d.run(ctx) }()
	<-ctx.Done()
	select {
	case err := <-stopped:
		if err == nil {
			t.Error("the interrupted demo ended as if it had not been")
		}
	case <-time.After(stopTimeout):
		t.Fatal(errors.New("the demo goes on after it was interrupted"))
	}
	expectNothingLeft(t, d)
}

func expectNothingLeft(t *testing.T, d *demo) {
	t.Helper()
	if _, err := os.Stat(d.work); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", d.work, err)
	}
}
