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
	e.Inject(ecrtest.Fault{Hang: true, Match: func(call ecrtest.Call) bool { return strings.HasPrefix(call.Range, "bytes=16777216-") }})

	cmd := c.command(t.Context(), "apply", "-auto-approve")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	finished := func() (parts int) {
		for _, name := range must[[]string](t)(filepath.Glob(filepath.Join(dir, ".ecrlayer", "*.done"))) {
			if !strings.Contains(name, config.Hex) {
				parts += strings.Count(readFile(t, name), "\n")
			}
		}
		return parts
	}
	for _, err := os.Stat(blobIn(dir, config.String())); err != nil || finished() < 4; _, err = os.Stat(blobIn(dir, config.String())) {
		time.Sleep(10 * time.Millisecond)
	}
	// The CLI and the provider.
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
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
