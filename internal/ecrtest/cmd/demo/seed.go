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
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/hashicorp/go-version"
)

// The first versions that know ephemeral resources.
var (
	ephemeralTerraform = version.Must(version.NewVersion("1.10.0"))
	ephemeralOpenTofu  = version.Must(version.NewVersion("1.11.0"))
)

// cannotSeed says why examples/seed-cache cannot be shown here, nothing if it can.
func (d *demo) cannotSeed(ctx context.Context) (string, error) {
	output, err := d.command(ctx, "", "version", "-json").Output()
	if err != nil {
		return "", fmt.Errorf("%s version: %w", d.cli, err)
	}
	var answer struct {
		Version string `json:"terraform_version"`
	}
	if err := json.Unmarshal(output, &answer); err != nil {
		return "", err
	}
	got, err := version.NewVersion(answer.Version)
	if err != nil {
		return "", err
	}
	text, err := d.command(ctx, "", "version").Output()
	if err != nil {
		return "", fmt.Errorf("%s version: %w", d.cli, err)
	}
	least := ephemeralTerraform
	if strings.HasPrefix(string(text), "OpenTofu") {
		least = ephemeralOpenTofu
	}
	if got.Core().LessThan(least) {
		return "this CLI knows no ephemeral resources; Terraform 1.10 and OpenTofu 1.11 do", nil
	}
	for _, needed := range []string{"sh", "curl"} {
		if !onPath(needed) {
			return needed + " is needed to fetch with, and is not on the PATH", nil
		}
	}
	return "", nil
}

func onPath(command string) bool {
	_, err := exec.LookPath(command)
	return err == nil
}

// seedCache fetches all that the image is made of by examples/seed-cache, and
// validates what came with an independent implementation of the OCI image layout.
func (d *demo) seedCache(ctx context.Context) error {
	why, err := d.cannotSeed(ctx)
	if err != nil {
		return err
	}
	if why != "" {
		d.step("Not shown: examples/seed-cache, since %s.", why)
		return nil
	}
	dir, err := d.scenario("seed-cache")
	if err != nil {
		return err
	}
	manifest, err := d.local.image.image.Manifest()
	if err != nil {
		return err
	}
	digests := []string{manifest.Config.Digest.String()}
	for _, layer := range manifest.Layers {
		digests = append(digests, layer.Digest.String())
	}
	variables, err := json.Marshal(map[string]any{"region": region, "repository_name": repository, "layer_digests": digests})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "terraform.tfvars.json"), variables, 0o600); err != nil {
		return err
	}

	d.step("%s init and apply of examples/seed-cache for all layers and the config of the image", filepath.Base(d.cli))
	for _, arguments := range [][]string{{"init"}, {"apply", "-auto-approve"}} {
		if output, err := d.command(ctx, dir, append(arguments, "-input=false", "-no-color")...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s %s: %w\n%s", d.cli, arguments[0], err, output)
		}
	}
	d.local.endpoint.Reset()
	output, err := d.command(ctx, dir, "plan", "-input=false", "-no-color", "-detailed-exitcode").CombinedOutput()
	if err != nil {
		return fmt.Errorf("the plan after the apply is not empty: %w\n%s", err, output)
	}
	d.detail("planned again: no changes, though ECR handed out %d other URLs", len(d.local.endpoint.CallsTo("ecr", "")))

	state, err := os.ReadFile(filepath.Join(dir, "terraform.tfstate"))
	if err != nil {
		return err
	}
	if strings.Contains(string(state), "X-Amz-Signature") {
		return errors.New("there is a URL in the state")
	}
	d.detail("the state holds no URL")
	return d.validate(filepath.Join(dir, "cache"), digests)
}

// validate checks that a directory is an OCI image layout which holds the blobs
// and that, with the manifest beside them, they are the image.
func (d *demo) validate(dir string, digests []string) error {
	cache, err := layout.FromPath(dir)
	if err != nil {
		return err
	}
	for _, digest := range digests {
		want, err := v1.NewHash(digest)
		if err != nil {
			return err
		}
		blob, err := cache.Blob(want)
		if err != nil {
			return err
		}
		got, _, err := v1.SHA256(blob)
		if err := errors.Join(err, blob.Close()); err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("the blob %s holds %s", want, got)
		}
	}
	// Of the image this writes only the manifest: all else is there.
	if err := cache.AppendImage(d.local.image.image); err != nil {
		return err
	}
	index, err := cache.ImageIndex()
	if err != nil {
		return err
	}
	if err := validate.Index(index); err != nil {
		return err
	}
	d.step("Validated the cache as an OCI image layout: %d blobs, and with its manifest the whole image %s", len(digests), short(d.local.image.digest))
	return nil
}
