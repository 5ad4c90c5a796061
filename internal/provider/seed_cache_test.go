// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"path/filepath"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func TestAccSeedCacheExample(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	index := newMultiArchIndex(t)
	e.push(t, "all", index)
	c := newCLI(t, e)
	c.useExample(t, "seed-cache")
	c.write(t, "terraform.tfvars", fmt.Sprintf("image = \"%s.dkr.ecr.%s.amazonaws.com/%s:all\"\n", account, region, repository))
	c.init(t)
	c.must(t, "apply", "-auto-approve")
	c.expectEmptyPlan(t)
	manifests := must[*v1.IndexManifest](t)(index.IndexManifest()).Manifests
	for i, directory := range []string{"linux-amd64", "linux-arm64"} {
		image := must[v1.Image](t)(index.Image(manifests[2*i].Digest)) // An attestation follows each.
		expectContent(t, filepath.Join(c.dir, "cache", directory), image)
	}
}
