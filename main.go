// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

// Command terraform-provider-ecrlayer serves the provider to Terraform and OpenTofu.
package main

import (
	"flag"
	"log"
	"runtime"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/provider"
)

// Set by the linker.
var (
	version = "dev"
	commit  = "none"
)

func main() {
	debug := flag.Bool("debug", false, "serve for a debugger such as delve, and print how Terraform attaches to it")
	showVersion := flag.Bool("version", false, "print version and commit, and exit")
	flag.Parse()
	if *showVersion {
		log.SetFlags(0)
		log.Printf("terraform-provider-ecrlayer %s (%s)", version, commit)
		return
	}

	// A goroutine that waits for the disk keeps its processor for up to ten milliseconds:
	// with two of them, half of what hashes and writes layers stops for each sync of a file.
	runtime.GOMAXPROCS(2 * runtime.GOMAXPROCS(0))

	var options []tf6server.ServeOpt
	if *debug {
		options = append(options, tf6server.WithManagedDebug())
	}
	if err := tf6server.Serve("registry.terraform.io/ecrlayer/ecrlayer", provider.NewServer(version), options...); err != nil {
		log.Fatal(err)
	}
}
