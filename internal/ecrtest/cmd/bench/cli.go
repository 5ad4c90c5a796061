// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// cost is what a run took.
type cost struct {
	wall, cpu time.Duration
}

// best returns the least of each.
func best(costs []cost) cost {
	least := costs[0]
	for _, c := range costs[1:] {
		least.wall, least.cpu = min(least.wall, c.wall), min(least.cpu, c.cpu)
	}
	return least
}

func (b *bench) cliConfig() string {
	return filepath.Join(b.work, "cli.tfrc")
}

// useProvider makes the CLI start a binary as the provider.
func (b *bench) useProvider(binary string) error {
	var overrides strings.Builder
	for _, host := range []string{"registry.terraform.io", "registry.opentofu.org"} {
		fmt.Fprintf(&overrides, "    %q = %q\n", host+"/ecrlayer/ecrlayer", filepath.Dir(binary))
	}
	return os.WriteFile(b.cliConfig(), fmt.Appendf(nil, "provider_installation {\n  dev_overrides {\n%s  }\n  direct {}\n}\n", overrides.String()), 0o600)
}

const requirement = "terraform {\n  required_providers {\n    ecrlayer = {\n      source = \"ecrlayer/ecrlayer\"\n    }\n  }\n}\n"

// batchConfig reads n layers at once; none at all for 0.
func (b *bench) batchConfig(n int) string {
	if n == 0 {
		return requirement + "provider \"ecrlayer\" {}\n"
	}
	return requirement + fmt.Sprintf("data \"ecrlayer_download_urls\" \"all\" {\n  repository_name = %q\n  layer_digests   = [\n%s  ]\n}\n", repository, b.quoted(n))
}

// forEachConfig reads n layers one by one.
func (b *bench) forEachConfig(n int) string {
	return requirement + fmt.Sprintf("data \"ecrlayer_download_url\" \"each\" {\n  for_each        = toset([\n%s  ])\n  repository_name = %q\n  layer_digest    = each.value\n}\n", b.quoted(n), repository)
}

func (b *bench) quoted(n int) string {
	var list strings.Builder
	for _, layer := range b.local.layers[:n] {
		fmt.Fprintf(&list, "    %q,\n", layer)
	}
	return list.String()
}

// apply runs "terraform apply" of a configuration, without any state from before.
func (b *bench) apply(ctx context.Context, config string) (cost, error) {
	dir, err := os.MkdirTemp(b.work, "apply-")
	if err != nil {
		return cost{}, err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte(config), 0o600); err != nil {
		return cost{}, err
	}
	b.local.reset()
	command := b.command(ctx, dir, b.cli, "apply", "-auto-approve", "-input=false", "-no-color")
	begin := time.Now()
	output, err := command.CombinedOutput()
	wall := time.Since(begin)
	if err != nil {
		return cost{}, fmt.Errorf("%s apply: %w\n%s", b.cli, err, output)
	}
	return cost{wall, command.ProcessState.UserTime() + command.ProcessState.SystemTime()}, nil
}

// applyOften returns the best of several runs.
func (b *bench) applyOften(ctx context.Context, config string, runs int) (cost, error) {
	costs := make([]cost, runs)
	for i := range costs {
		var err error
		if costs[i], err = b.apply(ctx, config); err != nil {
			return cost{}, err
		}
	}
	return best(costs), nil
}

// The numbers of layers that runs of the CLI are compared at.
var sizes = []int{1, 10, 100}

// reads measures whole runs of the CLI.
func (b *bench) reads(ctx context.Context) error {
	if err := b.useProvider(b.provider); err != nil {
		return err
	}
	b.batch = map[int]cost{}
	for _, n := range append([]int{0, 1000}, sizes...) {
		var err error
		if b.batch[n], err = b.applyOften(ctx, b.batchConfig(n), 5); err != nil {
			return err
		}
		if n != 1000 {
			continue
		}
		calls, others := 0, 0
		for _, call := range b.local.endpoint.Calls() {
			if call.Operation == "GetDownloadUrlForLayer" {
				calls++
			} else {
				others++
			}
		}
		connections := b.local.connections.Load()
		b.table.add("1,000 layers, one `apply`: calls", fmt.Sprintf("%s of ECR, %d others (STS, …), %d connections", grouped(calls), others, connections), "", "",
			met(calls == n && others == 0, "1,000 of ECR, no other"))
	}
	b.table.add("`apply` of nothing: what the CLI itself takes", fmt.Sprintf("%s, CPU %s", show(b.batch[0].wall), show(b.batch[0].cpu)), "", "", "")
	b.table.add("`apply` with 1,000 layers", fmt.Sprintf("%s, CPU %s", show(b.batch[1000].wall), show(b.batch[1000].cpu)), "", "", "")
	return nil
}

// awsCLI compares runs of the CLI with as many runs of the AWS CLI.
func (b *bench) awsCLI(ctx context.Context) error {
	if b.aws == "" {
		b.table.note("The AWS CLI is not installed, so nothing is compared with it.")
		return nil
	}
	if _, err := b.awsRuns(ctx, 1); err != nil { // Python compiles its modules at the first.
		return err
	}
	for _, n := range sizes {
		attempts := max(1, 5/n)
		costs := make([]cost, attempts)
		for i := range costs {
			var err error
			if costs[i], err = b.awsRuns(ctx, n); err != nil {
				return err
			}
		}
		ours, theirs := b.batch[n], best(costs)
		b.awsCPU = theirs.cpu
		runs := "`aws ecr get-download-url-for-layer`: "
		if n > 1 {
			runs = fmt.Sprintf("%d × `aws ecr get-download-url-for-layer`, 10 at a time: ", n)
		}
		wall, wallText := times(ours.wall, theirs.wall)
		cpu, cpuText := times(ours.cpu, theirs.cpu)
		wallTarget, cpuTarget := "", ""
		if n == 100 {
			wallTarget, cpuTarget = met(wall >= 60, "60× less"), met(cpu >= 100, "100× less")
		}
		b.table.add(layers(n)+", one `apply`: time", show(ours.wall), runs+show(theirs.wall), wallText, wallTarget)
		b.table.add(layers(n)+", one `apply`: CPU", show(ours.cpu), runs+show(theirs.cpu), cpuText, cpuTarget)
	}
	return nil
}

// awsRuns asks for n layers with n runs of the AWS CLI, ten at a time.
func (b *bench) awsRuns(ctx context.Context, n int) (cost, error) {
	const atOnce = 10
	var (
		wait  sync.WaitGroup
		mu    sync.Mutex
		cpu   time.Duration
		first error
		slots = make(chan struct{}, atOnce)
	)
	begin := time.Now()
	for _, layer := range b.local.layers[:n] {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			command := b.command(ctx, b.work, b.aws, "ecr", "get-download-url-for-layer", "--repository-name", repository, "--layer-digest", layer, "--output", "json")
			output, err := command.CombinedOutput()
			mu.Lock()
			defer mu.Unlock()
			if err != nil && first == nil {
				first = fmt.Errorf("%s: %w\n%s", b.aws, err, output)
			}
			cpu += command.ProcessState.UserTime() + command.ProcessState.SystemTime()
		})
	}
	wait.Wait()
	return cost{time.Since(begin), cpu}, first
}

// forEach compares a batch with for_each over the singular data source.
func (b *bench) forEach(ctx context.Context) error {
	for _, n := range []int{100, 1000} {
		theirs, err := b.applyOften(ctx, b.forEachConfig(n), max(1, 300/n))
		if err != nil {
			return err
		}
		ours := b.batch[n]
		wall, wallText := times(ours.wall, theirs.wall)
		_, cpuText := times(ours.cpu, theirs.cpu)
		b.table.add(layers(n)+", one `apply`: time", show(ours.wall), "`for_each` over `ecrlayer_download_url`: "+show(theirs.wall), wallText, met(wall > 1, "faster"))
		b.table.add(layers(n)+", one `apply`: CPU", show(ours.cpu), "`for_each` over `ecrlayer_download_url`: "+show(theirs.cpu), cpuText, "")
	}
	return nil
}
