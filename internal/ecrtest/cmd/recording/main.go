// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

// Command recording runs a command in a terminal's stead and draws what it prints,
// as it printed it, as an SVG: the picture in the README.
//
//	recording -o assets/demo.svg -- make demo
//
// The lines appear one after the other, once. Where a viewer animates nothing, all
// of them are there.
package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"time"
)

func main() {
	output := flag.String("o", "", "file to write; standard output if empty")
	as := flag.String("as", "", "what to show as the command; the command itself if empty")
	columns := flag.Int("columns", 126, "columns of the terminal; longer lines are wrapped")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *output, *as, *columns, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "recording:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, output, as string, columns int, command []string) error {
	if len(command) == 0 {
		return errors.New("no command to run")
	}
	lines, err := record(ctx, command)
	if err != nil {
		return err
	}
	svg, err := draw(cmp.Or(as, strings.Join(command, " ")), lines, columns)
	if err != nil {
		return err
	}
	if output == "" {
		_, err := os.Stdout.Write(svg)
		return err
	}
	return os.WriteFile(output, svg, 0o644)
}

// line is a line that the command printed, and how long after its start.
type line struct {
	text string
	at   time.Duration
}

// record runs the command and returns what it printed, which it shows meanwhile.
func record(ctx context.Context, command []string) ([]line, error) {
	reader, writer := io.Pipe()
	run := exec.CommandContext(ctx, command[0], command[1:]...)
	run.Stdout, run.Stderr = writer, writer
	start := time.Now()
	if err := run.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() {
		err := run.Wait()
		writer.Close()
		ended <- err
	}()

	var lines []line
	scanner := bufio.NewScanner(reader)
	for scanner.Scan() {
		fmt.Fprintln(os.Stderr, scanner.Text())
		lines = append(lines, line{text: scanner.Text(), at: time.Since(start)})
	}
	if err := scanner.Err(); err != nil {
		return nil, err
	}
	return lines, <-ended
}
