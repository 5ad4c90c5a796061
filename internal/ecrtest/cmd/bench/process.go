// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

const (
	// wrappedVariable names the provider that this command runs in its place, to
	// see what that process takes.
	wrappedVariable = "ECRLAYER_BENCH_PROVIDER"
	recordsVariable = "ECRLAYER_BENCH_RECORDS"
)

// usage is what a process took.
type usage struct {
	CPU  time.Duration
	Peak int64 // bytes of resident memory, 0 where that is not known
}

// wrap runs the provider as it was run itself, leaves a record of what it took,
// and returns its exit code.
func wrap(provider string) int {
	command := exec.CommandContext(context.Background(), provider, os.Args[1:]...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := command.Run()
	state := command.ProcessState
	if state == nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	record, err := json.Marshal(usage{CPU: state.UserTime() + state.SystemTime(), Peak: peakMemory(state)})
	if err == nil {
		err = os.WriteFile(filepath.Join(os.Getenv(recordsVariable), strconv.Itoa(os.Getpid())), record, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return state.ExitCode()
}

// processes returns what the provider's processes of one apply take: the CPU time
// of all, and the peak of the largest.
func (b *bench) processes(ctx context.Context, n int) (usage, error) {
	records, err := os.MkdirTemp(b.work, "records-")
	if err != nil {
		return usage{}, err
	}
	if err := errors.Join(os.Setenv(wrappedVariable, b.provider), os.Setenv(recordsVariable, records)); err != nil {
		return usage{}, err
	}
	defer os.Unsetenv(wrappedVariable)
	if _, err := b.apply(ctx, b.batchConfig(n)); err != nil {
		return usage{}, err
	}
	names, err := filepath.Glob(filepath.Join(records, "*"))
	if err != nil {
		return usage{}, err
	}
	var all usage
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			return usage{}, err
		}
		var one usage
		if err := json.Unmarshal(content, &one); err != nil {
			return usage{}, err
		}
		all.CPU += one.CPU
		all.Peak = max(all.Peak, one.Peak)
	}
	if len(names) == 0 {
		return usage{}, errors.New("no process left a record")
	}
	b.starts = len(names)
	return all, nil
}

// process measures the provider's process apart from the CLI.
func (b *bench) process(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	wrapper := filepath.Join(b.work, "wrapper", filepath.Base(b.provider))
	if err := os.Mkdir(filepath.Dir(wrapper), 0o755); err != nil {
		return err
	}
	if err := os.Symlink(self, wrapper); err != nil {
		return err
	}
	if err := b.useProvider(wrapper); err != nil {
		return err
	}
	for _, n := range []int{100, 1000, 10_000} {
		var all []cost
		var peak int64
		for range max(1, min(3, 3000/n)) {
			used, err := b.processes(ctx, n)
			if err != nil {
				return err
			}
			all = append(all, cost{cpu: used.CPU})
			peak = max(peak, used.Peak)
		}
		if n == 100 && b.awsCPU > 0 {
			cpu, text := times(best(all).cpu, b.awsCPU)
			b.table.add(fmt.Sprintf("100 layers, the provider's %d processes of one `apply`: CPU", b.starts), show(best(all).cpu), "100 × `aws ecr get-download-url-for-layer`: "+show(b.awsCPU), text, met(cpu >= 100, "100× less"))
		}
		target := ""
		if n == 1000 {
			target = met(peak > 0 && peak < 80e6, "below 80 MB")
		}
		b.table.add(layers(n)+": the provider's peak memory (RSS)", fmt.Sprintf("%.0f MB", float64(peak)/1e6), "", "", target)
	}
	return nil
}
