// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// goBenchmarks runs the benchmarks of the client.
func (b *bench) goBenchmarks(ctx context.Context) error {
	command := exec.CommandContext(ctx, "go", "test", "-run=^$", "-bench=^BenchmarkDownloadURLs(BesideBareSDK)?$", "-benchtime=5x", "./internal/ecrlayer")
	command.Stderr = os.Stderr
	output, err := command.Output()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, output)
	}
	results := benchmarkResults(string(output))
	bare, ok := results["BesideBareSDK"]
	if !ok {
		return errors.New("no result beside the bare SDK")
	}
	b.table.add("a batch of 1,000, without Terraform: time", fmt.Sprintf("%.0f ms", bare["ms/batch"]), "bare SDK loop with as many calls at once",
		fmt.Sprintf("%.2f×", bare["x-bare-SDK"]), met(bare["x-bare-SDK"] <= 1.1, "at most 1.1×"))

	var sizes, times, peaks []string
	for _, n := range []string{"1", "10", "100", "1000", "10000"} {
		result, ok := results["/digests="+n]
		if !ok {
			return errors.New("no result for " + n + " digests")
		}
		size, _ := strconv.Atoi(n)
		sizes = append(sizes, grouped(size))
		times = append(times, fmt.Sprintf("%.2f", result["µs/digest"]/1000))
		peaks = append(peaks, fmt.Sprintf("%.1f", result["peak-B/digest"]/1024))
	}
	list := strings.Join(sizes, " / ") + " digests, without Terraform: "
	b.table.add(list+"time per digest", strings.Join(times, " / ")+" ms", "", "", "flat or falling")
	b.table.add(list+"peak of the heap per digest", strings.Join(peaks, " / ")+" KiB", "", "", "flat or falling")
	return nil
}

// benchmarkResults returns, by what follows BenchmarkDownloadURLs in its name, the
// numbers of each benchmark by their units.
func benchmarkResults(output string) map[string]map[string]float64 {
	results := map[string]map[string]float64{}
	for line := range strings.Lines(output) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "BenchmarkDownloadURLs") {
			continue
		}
		name := strings.TrimPrefix(fields[0], "BenchmarkDownloadURLs")
		if i := strings.LastIndex(name, "-"); i >= 0 {
			name = name[:i] // the number of processors
		}
		results[name] = map[string]float64{}
		for i := 2; i+1 < len(fields); i += 2 {
			if value, err := strconv.ParseFloat(fields[i], 64); err == nil {
				results[name][fields[i+1]] = value
			}
		}
	}
	return results
}
