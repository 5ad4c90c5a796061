// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// row is a line of the table.
type row struct {
	what, ours, theirs, ratio, target string
}

// table is what was measured so far.
type table struct {
	rows  []row
	notes []string
}

func (t *table) add(what, ours, theirs, ratio, target string) {
	t.rows = append(t.rows, row{what, ours, theirs, ratio, target})
}

func (t *table) note(format string, arguments ...any) {
	t.notes = append(t.notes, fmt.Sprintf(format, arguments...))
}

// String returns the table in Markdown.
func (t *table) String() string {
	var text strings.Builder
	text.WriteString("| What | This provider | Beside | Ratio | Target |\n|---|---|---|---|---|\n")
	for _, r := range t.rows {
		fmt.Fprintf(&text, "| %s | %s | %s | %s | %s |\n", r.what, r.ours, r.theirs, r.ratio, r.target)
	}
	for _, note := range t.notes {
		fmt.Fprintf(&text, "\n%s\n", note)
	}
	return text.String()
}

// grouped returns a number with a comma between thousands.
func grouped(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%s,%03d", grouped(n/1000), n%1000)
}

// layers returns a number of layers in words.
func layers(n int) string {
	if n == 1 {
		return "1 layer"
	}
	return grouped(n) + " layers"
}

// times says by how much ours is less than theirs.
func times(ours, theirs time.Duration) (float64, string) {
	factor := float64(theirs) / float64(ours)
	if factor >= 10 {
		return factor, fmt.Sprintf("%.0f× less", factor)
	}
	if factor >= 1 {
		return factor, fmt.Sprintf("%.1f× less", factor)
	}
	return factor, fmt.Sprintf("%.1f× more", 1/factor)
}

// met says whether a target is met.
func met(ok bool, target string) string {
	if ok {
		return target + ": met"
	}
	return target + ": **missed**"
}

func show(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	default:
		return fmt.Sprintf("%.0f ms", float64(d)/float64(time.Millisecond))
	}
}

var cpuModel = regexp.MustCompile(`(?m)^model name\s*:\s*(.*)$`)

// machine names the machine, and what was measured on it.
func (b *bench) machine(ctx context.Context) (string, error) {
	version, err := b.command(ctx, b.work, b.cli, "version").Output()
	if err != nil {
		return "", fmt.Errorf("running %s: %w", b.cli, err)
	}
	parts := []string{firstLine(version)}
	if b.aws != "" {
		version, err := b.command(ctx, b.work, b.aws, "--version").CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("running %s: %w", b.aws, err)
		}
		parts = append(parts, "AWS CLI "+strings.TrimPrefix(strings.Fields(string(version))[0], "aws-cli/"))
	}
	parts = append(parts, runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH, fmt.Sprintf("%d cores", runtime.NumCPU()))
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if model := cpuModel.FindSubmatch(info); model != nil {
			parts = append(parts, strings.TrimSpace(string(model[1])))
		}
	} else if model, err := exec.CommandContext(ctx, "sysctl", "-n", "machdep.cpu.brand_string").Output(); err == nil {
		parts = append(parts, firstLine(model))
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		parts = append(parts, "load "+strings.Fields(string(load))[0]+" before")
	}
	return fmt.Sprintf("Measured by `make bench` on %s; the endpoint is on the same machine and answers after %s; best of several attempts.",
		strings.Join(parts, ", "), latency), nil
}

func firstLine(output []byte) string {
	line, _, _ := strings.Cut(string(output), "\n")
	return strings.TrimSpace(line)
}
