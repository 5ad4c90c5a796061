// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

// Command terraform-provider-ecrlayer serves the provider to Terraform and OpenTofu.
package main

import (
	"context"
	"flag"
	"log"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"

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

	err := providerserver.Serve(context.Background(), provider.New(version), providerserver.ServeOpts{
		Address: "registry.terraform.io/ecrlayer/ecrlayer",
		Debug:   *debug,
	})
	if err != nil {
		log.Fatal(err)
	}
}
