// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

// Command pull writes an image to an OCI image layout as "crane pull --format oci" does,
// with the same library and without a configuration of its own.
package main

import (
	"errors"
	"log"
	"os"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

func main() {
	image, err := crane.Pull(os.Args[1], crane.Insecure)
	if err != nil {
		log.Fatal(err)
	}
	path, err := layout.Write(os.Args[2], empty.Index)
	if err := errors.Join(err, path.AppendImage(image)); err != nil {
		log.Fatal(err)
	}
}
