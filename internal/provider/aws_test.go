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

// Tests on AWS verify that ECR responds as the local endpoint does. They read an
// existing image and modify nothing.
const (
	awsRepositoryVariable = "ECRLAYER_AWS_REPOSITORY"
	awsTagVariable        = "ECRLAYER_AWS_TAG"
	awsPlatformVariable   = "ECRLAYER_AWS_PLATFORM"
)

// awsEnvironment holds the caller's AWS variables, which TestMain unsets.
var awsEnvironment []string

// newAWSCLI returns a CLI with the caller's AWS environment. It skips the test
// unless an image in ECR is configured.
func newAWSCLI(t *testing.T) *cli {
	t.Helper()
	if os.Getenv(awsRepositoryVariable) == "" || os.Getenv(awsTagVariable) == "" {
		t.Skipf("requires AWS: set %s and %s to an image in ECR, with credentials and a region in the environment; "+
			"for a multi-platform index, also set %s", awsRepositoryVariable, awsTagVariable, awsPlatformVariable)
	}
	c := newCLI(t, newEnv(t))
	c.environ = slices.DeleteFunc(c.environ, func(variable string) bool {
		return strings.HasPrefix(variable, "AWS_") || strings.HasPrefix(variable, "HOME=")
	})
	c.environ = append(append(c.environ, "HOME="+os.Getenv("HOME")), awsEnvironment...)
	return c
}

// awsImageConfig returns a configuration that reads the image as data.ecrlayer_image.test.
func awsImageConfig() string {
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

data "ecrlayer_image" "test" {
  repository_name = local.repository
  image_tag       = local.tag
  platform        = local.platform
}
`, os.Getenv(awsRepositoryVariable), os.Getenv(awsTagVariable), platform)
}

func TestAccOnAWSImage(t *testing.T) {
	t.Parallel()
	c := newAWSCLI(t)
	c.write(t, "main.tf", awsImageConfig()+`
data "ecrlayer_image_config" "test" {
  repository_name = local.repository
  image_digest    = data.ecrlayer_image.test.manifest_digest
}

data "ecrlayer_download_urls" "test" {
  repository_name = local.repository
  layer_digests   = concat([data.ecrlayer_image.test.config.digest], data.ecrlayer_image.test.layers[*].digest)
}

data "ecrlayer_image_referrers" "test" {
  repository_name = local.repository
  image_digest    = data.ecrlayer_image.test.image_digest
}

data "ecrlayer_blob" "test" {
  repository_name = local.repository
  digest          = data.ecrlayer_image.test.config.digest
}

output "test" {
  sensitive = true
  value = {
    statuses   = data.ecrlayer_image_referrers.test.referrers[*].status
    size       = data.ecrlayer_blob.test.size
    sizes      = { for blob in concat([data.ecrlayer_image.test.config], data.ecrlayer_image.test.layers) : blob.digest => blob.size... }
    config     = data.ecrlayer_image.test.config.digest
    read       = data.ecrlayer_image_config.test.config_digest
    urls       = data.ecrlayer_download_urls.test.download_urls
    expires_at = data.ecrlayer_download_urls.test.expires_at
  }
}
`)
	c.init(t)
	c.must(t, "apply", "-auto-approve")
	var output struct {
		Statuses  []string           `json:"statuses"`
		Size      int64              `json:"size"`
		Sizes     map[string][]int64 `json:"sizes"`
		Config    string             `json:"config"`
		Read      string             `json:"read"`
		URLs      map[string]string  `json:"urls"`
		ExpiresAt time.Time          `json:"expires_at"`
	}
	if err := json.Unmarshal([]byte(c.must(t, "output", "-json", "test")), &output); err != nil {
		t.Fatal(err)
	}
	if output.Config != output.Read {
		t.Errorf("the config digest of the image is %s, but %s was read", output.Config, output.Read)
	}
	if want := output.Sizes[output.Config]; len(want) == 0 || output.Size != want[0] || slices.Contains(output.Statuses, "") {
		t.Errorf("the config has %d bytes, want %v; the referrers have the statuses %q", output.Size, want, output.Statuses)
	}
	if left := time.Until(output.ExpiresAt); left <= 0 || left > 12*time.Hour {
		t.Errorf("the URLs expire in %s", left)
	}
	for blob, sizes := range output.Sizes {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, output.URLs[blob], http.NoBody)
		if err != nil {
			t.Fatalf("%s has no URL", blob)
		}
		request.Header.Set("Range", "bytes=0-0")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatalf("download of %s failed", blob) // The error contains the URL.
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
		"layer not found": {
			fmt.Sprintf("data \"ecrlayer_download_url\" \"test\" {\n  repository_name = local.repository\n  layer_digest    = %q\n}\n", digest.FromString("absent layer")),
			[]string{"Layer not found", "LayersNotFoundException"},
		},
		"repository not found": {
			fmt.Sprintf("data \"ecrlayer_download_url\" \"test\" {\n  repository_name = \"${local.repository}-does-not-exist\"\n  layer_digest    = %q\n}\n", digest.FromString("layer")),
			[]string{"Repository not found", "RepositoryNotFoundException"},
		},
		"tag not found": {
			"data \"ecrlayer_image\" \"absent\" {\n  repository_name = local.repository\n  image_tag       = \"${local.tag}-does-not-exist\"\n}\n",
			[]string{"Image not found", "ImageNotFound"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newAWSCLI(t)
			c.write(t, "main.tf", awsImageConfig()+test.config)
			c.init(t)
			c.mustFail(t, test.want, "plan")
		})
	}
}
