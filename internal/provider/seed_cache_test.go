// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package provider_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	v1types "github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

func TestAccSeedCacheExample(t *testing.T) {
	t.Parallel()
	skipWithoutEphemeralValues(t)
	foreign := mutate.Addendum{Layer: static.NewLayer([]byte("windows"), v1types.DockerForeignLayer), URLs: []string{"https://example.com/"}}
	for name, test := range map[string]struct {
		push   remote.Taggable // nil for the image of newEnv
		values string          // additional variables
		style  ecrtest.URLStyle
		lacks  string // digest that is missing from the layout
		damage string // command that corrupts the cache
	}{
		"image":                {damage: "rm -r cache"},
		"index":                {push: newMultiArchIndex(t), values: `platform = "linux/arm64"`, damage: "rm cache/index.json"},
		"image without layers": {push: toOCI(empty.Image), damage: "echo >>cache/oci-layout"},
		"duplicate layer":      {push: newDuplicateLayerImage(t), damage: "for f in cache/blobs/sha256/*; do rm $f; mkfifo $f; break; done"},
		"foreign layer":        {push: must[v1.Image](t)(mutate.Append(newImage(t, 1, "windows/amd64"), foreign)), lacks: digest.FromString("windows").Encoded(), damage: "rm cache/blobs/sha256/*"},
		"from CloudFront":      {style: ecrtest.CloudFrontURLs, damage: "for f in cache/blobs/sha256/*; do echo >>$f; done"},
		"from Cloudflare":      {style: ecrtest.CloudflareURLs, damage: "for f in cache/blobs/sha256/*; do rm $f; break; done"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			if e.SetURLStyle(account, region, repository, test.style); test.push != nil {
				e.pushAny(t, tag, test.push)
			}
			c, secrets := newCLI(t, e), e.collectSecrets()
			c.useExample(t, "seed-cache")
			c.write(t, "terraform.tfvars", fmt.Sprintf("region = %q\nrepository_name = %q\nimage_tag = %q\n%s\n", region, repository, tag, test.values))
			c.init(t)
			output := c.must(t, "apply", "-auto-approve") + c.must(t, "plan", "-detailed-exitcode", "-out=plan.bin")
			damage := exec.CommandContext(t.Context(), "sh", "-c", test.damage)
			damage.Dir = c.dir
			must[[]byte](t)(damage.Output())
			const repair = "-replace=terraform_data.cache"
			output += c.mustFail(t, []string{"missing or corrupt", "terraform apply " + repair}, "plan")
			output += c.must(t, "apply", "-auto-approve", repair) + c.must(t, "plan", "-detailed-exitcode")
			secrets.expectNoLeaks(t, c, output)
			index := must[v1.ImageIndex](t)(must[layout.Path](t)(layout.FromPath(filepath.Join(c.dir, "cache"))).ImageIndex())
			if err := validate.Index(index); (err == nil) != (test.lacks == "") || err != nil && !strings.Contains(err.Error(), test.lacks) {
				t.Errorf("validation of the layout: %v", err)
			}
			if images := must[*v1.IndexManifest](t)(index.IndexManifest()).Manifests; len(images) != 1 || images[0].Annotations["org.opencontainers.image.ref.name"] != tag {
				t.Errorf("index.json lists %+v", images)
			}
		})
	}
}

func TestSeedCacheScript(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("layer ", 200)
	layer, script := digest.FromString(content), must[string](t)(filepath.Abs("../../examples/seed-cache/fetch.sh"))
	for name, test := range map[string]struct {
		before string // shell commands that prepare the cache
		fault  ecrtest.Fault
		fails  string // error message
		ranges string // Range headers of the requests
	}{
		"empty cache":        {ranges: "-"},
		"intact blob":        {before: `cat layer >"$blob"`},
		"corrupt blob":       {before: `echo >"$blob"`, ranges: "-"},
		"blob is a symlink":  {before: `ln -s /dev/null "$blob"`, ranges: "-"},
		"partial blob":       {before: `head -c 99 layer >"$part"`, ranges: "bytes=99--"},
		"corrupt part":       {before: `echo >"$part"`, ranges: "bytes=1--", fails: "another digest"},
		"part is a FIFO":     {before: `mkfifo "$part"`, ranges: "-"},
		"part is a symlink":  {before: `ln -s /dev/null "$part"`, ranges: "-"},
		"connection breaks":  {fault: ecrtest.Fault{Service: "s3", Truncate: 99, Times: 1}, ranges: "--"},
		"response too large": {fault: ecrtest.Fault{Service: "s3", Body: make([]byte, 9999)}, ranges: "--bytes=0-0-", fails: "Maximum file size exceeded"},
		"denied":             {fault: ecrtest.Fault{Service: "s3", Status: 403, Code: "AccessDenied", Message: "\x1bno"}, ranges: "--bytes=0-0-", fails: "HTTP 403 from 127.*AccessDenied: no .*s3:GetObject"},
	} {
		for _, shell := range []string{"dash", "bash", "mksh", "busybox sh"} {
			t.Run(shell+"/"+name, func(t *testing.T) {
				t.Parallel()
				if _, err := exec.LookPath(strings.Fields(shell)[0]); err != nil {
					t.Skip(err)
				}
				e, dir := newEnv(t), t.TempDir()
				e.pushAny(t, tag, must[v1.Image](t)(mutate.AppendLayers(empty.Image, static.NewLayer([]byte(content), v1types.DockerLayer))))
				client := ecrlayer.NewClient(aws.Config{Region: region, BaseEndpoint: &e.server.URL, Credentials: credentials.NewStaticCredentialsProvider(e.user.AccessKeyID, e.user.SecretAccessKey, "")}, nil)
				url := must[ecrlayer.DownloadURL](t)(client.DownloadURL(t.Context(), ecrlayer.Repository{Name: repository}, layer)).URL
				e.Inject(test.fault)
				writeFile(t, filepath.Join(dir, "layer"), content)
				writeFile(t, filepath.Join(dir, "curl"), "#!/bin/sh\nPATH=${PATH#*:} exec curl \"$@\" --retry 1\n") // instead of --retry 3
				run := exec.CommandContext(t.Context(), "sh", "-c", `umask 027; chmod +x curl; mkdir -p "${blob%/*}" "${part%/*}"; `+test.before+"\nexec "+shell+" "+script)
				run.Dir, run.Env = dir, []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "CACHE_DIR=c d", "LAYER_DIGEST=" + layer.String(), "LAYER_SIZE=1200", "LAYER_URL=" + url,
					"blob=c d/blobs/sha256/" + layer.Encoded(), "part=c d/.partial/" + layer.Encoded()}
				output, err := run.CombinedOutput()
				if (err != nil) != (test.fails != "") || !inOrder(test.fails).Match(output) || bytes.ContainsAny(output, "?\x1b") {
					t.Errorf("%v: %s", err, output)
				}
				ranges, blob := []string{}, filepath.Join(dir, "c d", "blobs", "sha256", layer.Encoded())
				for _, call := range e.CallsTo("s3", "") {
					ranges = append(ranges, call.Range+"-")
				}
				info, _ := os.Lstat(blob)
				if got, _ := os.ReadFile(blob); strings.Join(ranges, "") != test.ranges || (string(got) == content) == (test.fails != "") || info != nil && info.Mode() != 0o640 {
					t.Errorf("the ranges are %q, want %s; the blob is %v", ranges, test.ranges, info)
				}
			})
		}
	}
}
