// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package provider_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	v1types "github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// The function in the guide does with every curl what the guide says.
func TestSeedCacheRecipe(t *testing.T) {
	t.Parallel()
	recipe := regexp.MustCompile("(?s)```shell\n(# fetch .*?\n})\n```").FindStringSubmatch(readFile(t, filepath.Join(checkout, "templates", "guides", "seeding-a-cache.md.tmpl")))
	if recipe == nil {
		t.Fatal("the guide has no recipe")
	}
	content := strings.Repeat("layer ", 200)
	layer := digest.FromString(content)
	tests := map[string]struct {
		before string // content of the file
		fault  ecrtest.Fault
		fails  bool
		ranges string // of the requests
	}{
		"nothing there":      {ranges: "-"},
		"a part":             {before: content[:99], ranges: "bytes=99--"},
		"a complete file":    {before: content, ranges: "bytes=1200--"},
		"a wrong part":       {before: "x", ranges: "bytes=1--" + "-"},
		"a file too large":   {before: content + "x", ranges: "bytes=1201--" + "-"},
		"connections break":  {fault: ecrtest.Fault{Service: "s3", Truncate: 500, Times: 2}, ranges: "-bytes=500--bytes=1000--"},
		"ranges are ignored": {before: content[:99], fault: ecrtest.Fault{Service: "s3", IgnoreRange: true}, ranges: "bytes=99--" + "-"},
		"denied":             {before: content[:99], fault: ecrtest.Fault{Service: "s3", Status: 403}, fails: true, ranges: strings.Repeat("bytes=99--", 5)},
		"wrong content":      {fault: ecrtest.Fault{Service: "s3", Body: []byte("another file")}, fails: true, ranges: "-----"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, dir := newEnv(t), t.TempDir()
			e.push(t, tag, must[v1.Image](t)(mutate.AppendLayers(empty.Image, static.NewLayer([]byte(content), v1types.DockerLayer))))
			client := ecrlayer.NewClient(aws.Config{Region: region, BaseEndpoint: &e.server.URL, Credentials: credentials.NewStaticCredentialsProvider(e.user.AccessKeyID, e.user.SecretAccessKey, "")}, nil)
			url := must[ecrlayer.DownloadURL](t)(client.DownloadURL(t.Context(), ecrlayer.Repository{Name: repository}, layer)).URL
			e.Inject(test.fault)
			file := filepath.Join(dir, "layer")
			if test.before != "" {
				writeFile(t, file, test.before)
			}
			run := exec.CommandContext(t.Context(), "sh", "-c", "sleep() { :; }\n"+recipe[1]+"\nfetch "+layer.String()+" "+file)
			run.Stdin, run.Env = strings.NewReader(url), []string{"PATH=" + os.Getenv("PATH")}
			output, err := run.CombinedOutput()
			var all strings.Builder
			for _, call := range e.CallsTo("s3", "") {
				all.WriteString(call.Range + "-")
			}
			ranges := all.String()
			got, _ := os.ReadFile(file)
			if (err != nil) != test.fails || (string(got) == content) == test.fails || ranges != test.ranges || strings.Contains(string(output), "X-Amz") {
				t.Errorf("%v: the ranges are %q, want %q; the file has %d bytes: %s", err, ranges, test.ranges, len(got), output)
			}
		})
	}
}
