// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package provider_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// userData initializes examples/user-data with a terraform_data resource instead of
// the instance.
func userData(t *testing.T, e *env) (c *cli, directory string) {
	t.Helper()
	c = newCLI(t, e)
	c.useExample(t, "user-data")
	_, lifecycle, found := strings.Cut(readFile(t, filepath.Join(c.dir, "instance.tf")), "\n  lifecycle {")
	if !found || !strings.Contains(lifecycle, "[user_data]") {
		t.Fatal("unexpected lifecycle block of the instance")
	}
	c.write(t, "instance.tf", "resource \"terraform_data\" \"app\" {\n  input = local.user_data\n  lifecycle {"+strings.Replace(lifecycle, "[user_data]", "[input]", 1)+
		"output \"user_data\" {\n  sensitive = true\n  value = terraform_data.app.output\n}\n")
	c.write(t, "versions.tf", requireProvider)
	directory = filepath.Join(c.root, "opt", "app")
	c.environ = append(c.environ, "TF_VAR_region="+region, "TF_VAR_repository_url="+account+".dkr.ecr."+region+".amazonaws.com/"+repository, "TF_VAR_directory="+directory)
	c.init(t)
	return c, directory
}

//nolint:tparallel // The boots share an endpoint and a directory.
func TestAccUserDataExample(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	c, directory := userData(t, e)
	output := c.mustFail(t, nil, "plan", "-var", "directory=/opt/app'; reboot; '", "-var", "layer_digest=sha512:"+strings.Repeat("0", 128))
	for _, want := range []string{"The directory must be", "The digest must be"} {
		if !inOrder("Invalid value for variable", want).MatchString(output) {
			t.Errorf("the output does not contain %q:\n%s", want, output)
		}
	}
	tests := []struct {
		name   string
		style  ecrtest.URLStyle
		fault  ecrtest.Fault
		delay  time.Duration // between apply and boot
		before string        // shell commands to run before the script
		fails  string        // error message
	}{
		{name: "URL without expiry", style: ecrtest.CloudflareURLs},
		{name: "from S3"},
		{name: "network comes up", fault: ecrtest.Fault{Service: "s3", Reset: true, Times: 2}},
		{name: "S3 is busy", fault: ecrtest.Fault{Service: "s3", Status: 503, Times: 2}},
		{name: "network stays down", fault: ecrtest.Fault{Service: "s3", Reset: true}, fails: "gave up after 60 attempts"},
		{name: "denied", fault: ecrtest.Fault{Service: "s3", Status: 403, Code: "AccessDenied", Message: "\x1bno"}, fails: "HTTP 403. AccessDenied: no .*s3:GetObject"},
		{name: "wrong file", fault: ecrtest.Fault{Service: "s3", Body: []byte("another file")}, fails: "what was downloaded is sha256:"},
		{name: "not an archive", before: "tar() { return 2; };", fails: "cannot be unpacked"},
		{name: "no curl", before: "curl() { return 127; };", fails: "curl cannot run"},
		{name: "expired URL", delay: 2 * time.Hour, fails: "AccessDenied: Request has expired .*-replace=terraform_data.layer"},
	}
	for i, style := range []ecrtest.URLStyle{ecrtest.CloudflareURLs, ecrtest.S3URLs} { // The second layer replaces the first.
		layer := e.layers[i]
		e.SetURLStyle(account, region, repository, style)
		c.environ = append(c.environ, "TF_VAR_layer_digest="+layer)
		c.must(t, "plan", "-out=plan.bin")
		e.Advance(2 * time.Hour) // The URLs of the plan expire.
		c.must(t, "apply", "plan.bin")
		c.must(t, "plan", "-detailed-exitcode")
		c.write(t, "boot.sh", c.must(t, "output", "-raw", "user_data"))
		for _, test := range tests {
			if test.style != style {
				continue
			}
			t.Run(test.name, func(t *testing.T) {
				e.Advance(test.delay)
				e.ClearFaults()
				e.Inject(test.fault)
				boot := exec.CommandContext(t.Context(), "sh", "-c", "sleep() { :; }; "+test.before+" . "+c.dir+"/boot.sh")
				boot.Env = []string{"PATH=" + os.Getenv("PATH")}
				output, err := boot.CombinedOutput()
				want := layer + " is in " + directory
				if test.fails != "" {
					want = layer + ": .*" + test.fails
				}
				if (err != nil) != (test.fails != "") || !inOrder(want).Match(output) || bytes.ContainsAny(output, "?\x1b") {
					t.Errorf("%v: %s", err, output)
				}
				left, _ := filepath.Glob(directory + "*")
				if files, _ := os.ReadDir(directory); len(files) > 1 || len(left) != len(files) || (len(left) == 0) != (test.fails != "") {
					t.Errorf("left %v, with %d files of the layer", left, len(files))
				}
				if err := os.RemoveAll(directory); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
