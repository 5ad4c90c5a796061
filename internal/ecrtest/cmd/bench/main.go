// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

// Command bench measures what the provider costs beside what it replaces, on the
// local endpoint, and prints a Markdown table of ratios. tools/bench.sh builds what
// it needs and runs it.
//
// Everything it compares runs on this machine in the same run, the endpoint
// included, and each number is the best of several attempts: what else the machine
// does makes things slower, never faster.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// latency is how long the endpoint takes for every answer: about what a call of
// ECR takes within a region.
const latency = 20 * time.Millisecond

func main() {
	if provider := os.Getenv(wrappedVariable); provider != "" && strings.HasPrefix(filepath.Base(os.Args[0]), "terraform-provider-") {
		os.Exit(wrap(provider))
	}
	b := &bench{}
	flag.StringVar(&b.cli, "cli", "", "path of terraform or tofu")
	flag.StringVar(&b.aws, "aws", "", "path of the AWS CLI; without it, nothing is compared with the AWS CLI")
	flag.StringVar(&b.provider, "provider", "", "path of the provider's binary")
	flag.StringVar(&b.lean, "lean", "", "path of the binary of testdata/lean")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := b.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type bench struct {
	cli, aws, provider, lean string

	work  string
	local *local
	table table

	batch  map[int]cost  // of an apply with a batch, by its size
	awsCPU time.Duration // of the most runs of the AWS CLI
	starts int           // of the provider in an apply
}

func (b *bench) run(ctx context.Context) error {
	work, err := os.MkdirTemp("", "ecrlayer-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	b.work = work
	for _, path := range []*string{&b.cli, &b.provider, &b.lean} {
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	b.local, err = start(ctx)
	if err != nil {
		return err
	}
	defer b.local.server.Close()

	machine, err := b.machine(ctx)
	if err != nil {
		return err
	}
	for _, part := range []struct {
		what string
		run  func(context.Context) error
	}{
		{"starting the provider", b.startUp},
		{"Terraform with the provider", b.reads},
		{"the AWS CLI", b.awsCLI},
		{"for_each", b.forEach},
		{"the provider's process", b.process},
		{"Go benchmarks", b.goBenchmarks},
	} {
		fmt.Fprintf(os.Stderr, "bench: %s …\n", part.what)
		begin := time.Now()
		if err := part.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.what, errors.Join(err, ctx.Err()))
		}
		fmt.Fprintf(os.Stderr, "bench: %s took %s\n", part.what, time.Since(begin).Round(time.Second))
	}
	fmt.Println(b.table.String())
	fmt.Println(machine)
	return nil
}
