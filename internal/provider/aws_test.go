// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
)

// What only AWS can show: that ECR responds as the local endpoint does. These tests
// read an image that is there, and change nothing.
const (
	awsRepositoryVariable = "ECRLAYER_AWS_REPOSITORY"
	awsTagVariable        = "ECRLAYER_AWS_TAG"
	awsPlatformVariable   = "ECRLAYER_AWS_PLATFORM"
)

// awsEnvironment is what TestMain takes away: AWS's variables of the caller.
var awsEnvironment []string

// newAWSCLI returns a CLI that reaches AWS as the caller of the tests does, and
// skips the test where that is not wanted.
func newAWSCLI(t *testing.T) *cli {
	t.Helper()
	if os.Getenv(awsRepositoryVariable) == "" || os.Getenv(awsTagVariable) == "" {
		t.Skipf("needs AWS: %s and %s name no image in ECR, which the usual credentials and region lead to; "+
			"for an index of several platforms, %s says which", awsRepositoryVariable, awsTagVariable, awsPlatformVariable)
	}
	c := newCLI(t, newEnv(t))
	c.environ = slices.DeleteFunc(c.environ, func(variable string) bool {
		return strings.HasPrefix(variable, "AWS_") || strings.HasPrefix(variable, "HOME=")
	})
	c.environ = append(append(c.environ, "HOME="+os.Getenv("HOME")), awsEnvironment...)
	return c
}

// awsImage is the configuration of the image as data.ecrlayer_image.it.
func awsImage() string {
	platform := "null"
	if platformName := os.Getenv(awsPlatformVariable); platformName != "" {
		platform = fmt.Sprintf("%q", platformName)
	}
	return requireProvider + fmt.Sprintf(`
locals {
  repository = %q
  tag        = %q
  platform   = %s
}

data "ecrlayer_image" "it" {
  repository_name = local.repository
  image_tag       = local.tag
  platform        = local.platform
}
`, os.Getenv(awsRepositoryVariable), os.Getenv(awsTagVariable), platform)
}

func TestAccOnAWSImage(t *testing.T) {
	t.Parallel()
	c := newAWSCLI(t)
	c.write(t, "main.tf", awsImage()+`
data "ecrlayer_image_config" "it" {
  repository_name = local.repository
  image_digest    = data.ecrlayer_image.it.manifest_digest
}

data "ecrlayer_download_urls" "it" {
  repository_name = local.repository
  layer_digests   = concat([data.ecrlayer_image.it.config.digest], data.ecrlayer_image.it.layers[*].digest)
}

output "it" {
  sensitive = true
  value = {
    sizes      = { for blob in concat([data.ecrlayer_image.it.config], data.ecrlayer_image.it.layers) : blob.digest => blob.size... }
    config     = data.ecrlayer_image.it.config.digest
    read       = data.ecrlayer_image_config.it.config_digest
    urls       = data.ecrlayer_download_urls.it.download_urls
    expires_at = data.ecrlayer_download_urls.it.expires_at
  }
}
`)
	c.init(t)
	c.must(t, "apply", "-auto-approve")
	var it struct {
		Sizes     map[string][]int64 `json:"sizes"`
		Config    string             `json:"config"`
		Read      string             `json:"read"`
		URLs      map[string]string  `json:"urls"`
		ExpiresAt time.Time          `json:"expires_at"`
	}
	if err := json.Unmarshal([]byte(c.must(t, "output", "-json", "it")), &it); err != nil {
		t.Fatal(err)
	}
	if it.Config != it.Read {
		t.Errorf("the config is %s, and %s was read", it.Config, it.Read)
	}
	if left := time.Until(it.ExpiresAt); left <= 0 || left > 12*time.Hour {
		t.Errorf("the URLs expire in %s", left)
	}
	for blob, sizes := range it.Sizes {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, it.URLs[blob], http.NoBody)
		if err != nil {
			t.Fatalf("%s has no URL", blob)
		}
		request.Header.Set("Range", "bytes=0-0")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatalf("%s cannot be downloaded", blob) // The error has the URL.
		}
		response.Body.Close()
		if want := fmt.Sprintf("bytes 0-0/%d", sizes[0]); response.StatusCode != http.StatusPartialContent || response.Header.Get("Content-Range") != want {
			t.Errorf("%s: %s, Content-Range %q, want %q", blob, response.Status, response.Header.Get("Content-Range"), want)
		}
	}
}

func TestAccOnAWSErrors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config string
		want   []string
	}{
		"no such layer": {
			fmt.Sprintf("data \"ecrlayer_download_url\" \"it\" {\n  repository_name = local.repository\n  layer_digest    = %q\n}\n", digest.FromString("no layer of any image")),
			[]string{"Layer not found", "LayersNotFoundException"},
		},
		"no such repository": {
			fmt.Sprintf("data \"ecrlayer_download_url\" \"it\" {\n  repository_name = \"${local.repository}-is-not-there\"\n  layer_digest    = %q\n}\n", digest.FromString("layer")),
			[]string{"Repository not found", "RepositoryNotFoundException"},
		},
		"no such tag": {
			"data \"ecrlayer_image\" \"none\" {\n  repository_name = local.repository\n  image_tag       = \"${local.tag}-is-not-there\"\n}\n",
			[]string{"Image not found", "ImageNotFound"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newAWSCLI(t)
			c.write(t, "main.tf", awsImage()+test.config)
			c.init(t)
			c.mustFail(t, test.want, "plan")
		})
	}
}
