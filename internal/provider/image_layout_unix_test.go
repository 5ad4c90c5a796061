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
)

func TestAccImageLayoutOfKilledRunIsCompleted(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	large := must[v1.Image](t)(random.Image(50<<20, 2))
	e.push(t, account, region, repository, "large", large)
	e.SetRate(8 << 20) // A part takes a second.
	c, dir := newLayoutCLI(t, e, layoutConfig("test", `image_tag = "large"`))

	cmd := c.command(t.Context(), "apply", "-auto-approve")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	finished := func() (parts int) {
		for _, name := range must[[]string](t)(filepath.Glob(filepath.Join(dir, ".ecrlayer", "*.done"))) {
			parts += strings.Count(readFile(t, name), "\n")
		}
		return parts
	}
	before := 0
	for ; before < 3; before = finished() {
		time.Sleep(10 * time.Millisecond)
	}
	// The CLI and the provider.
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	before = finished()
	if _, err := os.Stat(filepath.Join(dir, "index.json")); err == nil {
		t.Error("index.json was written before the image is complete")
	}
	blobs := 0
	if _, err := os.Stat(filepath.Join(dir, "blobs", "sha256")); err == nil {
		blobs = len(blobsOf(t, dir))
	}

	calls := len(e.Calls())
	e.SetRate(0)
	c.must(t, "apply", "-auto-approve")
	expectContent(t, dir, large)
	requested := 0
	for _, n := range e.downloads(calls) {
		requested += n
	}
	if all := 2*7 + 1; requested > all-before { // Two layers of seven parts, and the config.
		t.Errorf("%d parts were downloaded, of %d of which the killed run had finished %d, and %d blobs", requested, all, before, blobs)
	}
	c.expectEmptyPlan(t)
	if left := must[[]fs.DirEntry](t)(os.ReadDir(filepath.Join(dir, ".ecrlayer"))); len(left) != 1 {
		t.Errorf("these files are left: %v", left)
	}
}
