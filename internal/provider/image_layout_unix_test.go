// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package provider_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

func TestAccImageLayoutOfKilledRunIsCompleted(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	c, dir := newLayoutCLI(t, e, layoutConfig("test", `image_tag = "large"`))
	large := must[v1.Image](t)(random.Image(20<<20, 2))
	config := must[v1.Hash](t)(large.ConfigName())
	e.push(t, "large", large)
	// The third and last part of each layer.
	third := func(call ecrtest.Call) bool { return strings.HasPrefix(call.Range, "bytes=16777216-") }
	e.Inject(ecrtest.Fault{Hang: true, Match: third})

	cmd := c.command(t.Context(), "apply", "-auto-approve")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := func() bool {
		parts := 0
		for _, name := range must[[]string](t)(filepath.Glob(filepath.Join(dir, ".ecrlayer", "*.done"))) {
			if !strings.Contains(name, config.Hex) {
				parts += strings.Count(readFile(t, name), "\n")
			}
		}
		hanging := 0
		for _, call := range e.Calls() {
			if third(call) {
				hanging++
			}
		}
		_, err := os.Stat(blobIn(dir, config.String()))
		return err == nil && parts == 4 && hanging == 2
	}
	for !ready() {
		time.Sleep(10 * time.Millisecond)
	}
	// The CLI and the provider.
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	// Nobody waits for the provider, which has died when its locks are free.
	for _, name := range must[[]string](t)(filepath.Glob(filepath.Join(dir, ".ecrlayer", "*.lock"))) {
		lock := flock.New(name)
		for !must[bool](t)(lock.TryLock()) {
			time.Sleep(10 * time.Millisecond)
		}
		if err := lock.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "index.json")); err == nil {
		t.Error("index.json was written before the image is complete")
	}

	calls := len(e.Calls())
	e.ClearFaults()
	c.must(t, "apply", "-auto-approve")
	expectContent(t, dir, large)
	requested := 0
	for _, n := range e.downloads(calls) {
		requested += n
	}
	if requested != 2 {
		t.Errorf("%d parts were downloaded, want the 2 that the killed run had not finished", requested)
	}
	if left := must[[]fs.DirEntry](t)(os.ReadDir(filepath.Join(dir, ".ecrlayer"))); len(left) != 1 {
		t.Errorf("these files are left: %v", left)
	}
}
