// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

const megabyte = 1_000_000

// putLayers stores an image of random layers with these sizes.
func putLayers(b *testing.B, endpoint *ecrtest.Endpoint, tag string, sizes ...int) {
	b.Helper()
	random := rand.NewChaCha8([32]byte([]byte(fmt.Sprintf("%-32s", tag))))
	describe := func(mediaType string, content []byte) ocispec.Descriptor {
		return ocispec.Descriptor{MediaType: mediaType, Digest: endpoint.PutBlob(account, region, repository, content), Size: int64(len(content))}
	}
	manifest := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: describe(ocispec.MediaTypeImageConfig, []byte(`{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[]}}`))}
	manifest.SchemaVersion = 2
	for _, size := range sizes {
		content := make([]byte, size)
		_, _ = random.Read(content)
		manifest.Layers = append(manifest.Layers, describe(ocispec.MediaTypeImageLayer, content))
	}
	raw, err := json.Marshal(manifest)
	if err != nil {
		b.Fatal(err)
	}
	endpoint.PutManifest(account, region, repository, tag, ocispec.MediaTypeImageManifest, raw)
}

// BenchmarkImageLayout compares "terraform apply" of ecrlayer_image_layout with the
// library behind "crane pull". The apply of 16 MB is the CLI's own time.
func BenchmarkImageLayout(b *testing.B) {
	cli, err := cliPath()
	if err != nil {
		b.Skip(err)
	}
	endpoint := ecrtest.New()
	e := startBench(b, endpoint)
	peer := e.build(b, "pull", "./testdata/pull")
	small := func(n, size int) []int {
		sizes := make([]int, n)
		for i := range sizes {
			sizes[i] = size
		}
		return sizes
	}
	images := []struct {
		name  string
		sizes []int
	}{
		{"16MB", small(2, 8*megabyte)},
		{"100x1MB", small(100, megabyte)},
		{"480MB", append(small(10, 8*megabyte), 400*megabyte)},
		{"2GB", []int{2000 * megabyte, 8 * megabyte}},
	}
	for _, image := range images {
		putLayers(b, endpoint, image.name, image.sizes...)
		for _, rate := range []int{40, 0} {
			if rate > 0 && image.name != "480MB" {
				continue // Only the time of large layers depends on the rate.
			}
			name := fmt.Sprintf("image=%s/MBps=%d", image.name, rate)
			b.Run(name+"/tool=provider", func(b *testing.B) {
				endpoint.SetRate(rate * megabyte)
				e.pull(b, func(dir string) time.Duration {
					config := requireProvider + layoutConfig("bench", fmt.Sprintf("image_tag = %q", image.name))
					if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte(config), 0o600); err != nil {
						b.Fatal(err)
					}
					return e.run(b, dir, cli, "apply", "-auto-approve", "-no-color")
				})
			})
			b.Run(name+"/tool=crane", func(b *testing.B) {
				endpoint.SetRate(rate * megabyte)
				e.pull(b, func(dir string) time.Duration {
					return e.run(b, dir, peer, endpoint.Reference(e.host, account, region, repository)+":"+image.name, filepath.Join(dir, "cache"))
				})
			})
		}
	}
}

// pull measures a download to a new directory, with the most memory that a provider had.
func (e *benchEnv) pull(b *testing.B, download func(dir string) time.Duration) {
	b.Helper()
	var cpu time.Duration
	var peak int64
	for b.Loop() {
		b.StopTimer()
		dir, err := os.MkdirTemp(e.dir, "run-") //nolint:usetesting // On the disk of e, one per run.
		if err != nil {
			b.Fatal(err)
		}
		warm(b, filepath.Join(dir, "warm"))
		ctx, cancel := context.WithCancel(b.Context())
		memory := make(chan int64)
		go func() { memory <- e.watchMemory(ctx) }()
		b.StartTimer()
		cpu += download(dir)
		b.StopTimer()
		cancel()
		peak = max(peak, <-memory)
		// What is left of a run must not slow down the next one.
		os.RemoveAll(dir)
		_ = exec.CommandContext(b.Context(), "sync").Run()
		b.StartTimer()
	}
	b.ReportMetric(float64(cpu.Milliseconds())/float64(b.N), "cpu-ms/op")
	if peak > 0 {
		b.ReportMetric(float64(peak)/megabyte, "peak-MB")
	}
}

// warm writes and removes a file, so that the page cache of the next run has memory. A
// virtual machine gives its host what has been free for two seconds (free page reporting
// of Linux), and getting it back can take as long as the download.
func warm(b *testing.B, path string) {
	b.Helper()
	time.Sleep(3 * time.Second) // Nothing is given back during the run.
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer os.Remove(path)
	defer file.Close()
	block := make([]byte, 256<<10) // what the tools write at once
	for range 2400 {
		if _, err := file.Write(block); err != nil {
			b.Fatal(err)
		}
	}
}

var residentPeak = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// watchMemory returns the most bytes that a process of the provider has used when ctx
// ends. It needs Linux.
func (e *benchEnv) watchMemory(ctx context.Context) (peak int64) {
	for ; ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		processes, _ := filepath.Glob("/proc/[0-9]*")
		for _, process := range processes {
			if command, _ := os.ReadFile(process + "/cmdline"); !bytes.HasPrefix(command, []byte(filepath.Join(e.dir, "terraform-provider-ecrlayer"))) {
				continue
			}
			status, _ := os.ReadFile(process + "/status")
			if found := residentPeak.FindSubmatch(status); found != nil {
				kilobytes, _ := strconv.ParseInt(string(found[1]), 10, 64)
				peak = max(peak, kilobytes<<10)
			}
		}
	}
	return peak
}
