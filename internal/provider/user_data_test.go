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
	c.environ = append(c.environ, "TF_VAR_region="+region, "TF_VAR_repository_url="+account+".dkr.ecr."+region+".amazonaws.com/"+repository, "TF_VAR_directory="+directory, "TF_VAR_layer_digest="+e.layers[0])
	c.init(t)
	return c, directory
}

func TestAccUserDataExampleReplacement(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	c, _ := userData(t, e)
	for _, layer := range e.layers[:2] {
		c.environ = append(c.environ, "TF_VAR_layer_digest="+layer)
		c.must(t, "plan", "-out=plan.bin")
		e.Advance(2 * time.Hour) // The URLs of the plan expire.
		c.must(t, "apply", "plan.bin")
		c.must(t, "plan", "-detailed-exitcode")
		_, url, _ := strings.Cut(c.must(t, "output", "-raw", "user_data"), `url = "`)
		url, _, _ = strings.Cut(url, `"`)
		if err := servesDigest(layer).CheckValue(url); err != nil {
			t.Error(err)
		}
	}
}

func TestAccUserDataExampleInvalidVariables(t *testing.T) {
	t.Parallel()
	c, _ := userData(t, newEnv(t))
	for variable, value := range map[string]string{"directory": "/opt/app'; reboot; '", "layer_digest": "sha512:" + strings.Repeat("0", 128)} {
		c.mustFail(t, []string{"Invalid value for variable", "must be"}, "plan", "-var", variable+"="+value)
	}
}

func TestAccUserDataExampleBoot(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		style  ecrtest.URLStyle
		fault  ecrtest.Fault
		delay  time.Duration // between apply and boot
		before string        // shell commands to run before the script
		fails  string        // error message
	}{
		"from S3":            {},
		"URL without expiry": {style: ecrtest.CloudflareURLs},
		"network comes up":   {fault: ecrtest.Fault{Service: "s3", Reset: true, Times: 2}},
		"S3 is busy":         {fault: ecrtest.Fault{Service: "s3", Status: 503, Times: 2}},
		"network stays down": {fault: ecrtest.Fault{Service: "s3", Reset: true}, fails: "gave up after 60 attempts"},
		"denied":             {fault: ecrtest.Fault{Service: "s3", Status: 403, Code: "AccessDenied", Message: "\x1bno"}, fails: "HTTP 403. AccessDenied: no .*s3:GetObject"},
		"expired URL":        {delay: 2 * time.Hour, fails: "AccessDenied: Request has expired .*-replace=terraform_data.layer"},
		"wrong file":         {fault: ecrtest.Fault{Service: "s3", Body: []byte("another file")}, fails: "what was downloaded is sha256:"},
		"not an archive":     {before: "tar() { return 2; };", fails: "cannot be unpacked"},
		"no curl":            {before: "curl() { return 127; };", fails: "curl cannot run"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.SetURLStyle(account, region, repository, test.style)
			c, directory := userData(t, e)
			c.must(t, "apply", "-auto-approve")
			c.write(t, "boot.sh", c.must(t, "output", "-raw", "user_data"))
			e.Advance(test.delay)
			e.Inject(test.fault)
			boot := exec.CommandContext(t.Context(), "sh", "-c", "sleep() { :; }; "+test.before+" . "+c.dir+"/boot.sh")
			boot.Env = []string{"PATH=" + os.Getenv("PATH")}
			output, err := boot.CombinedOutput()
			want := e.layers[0] + " is in " + directory
			if test.fails != "" {
				want = e.layers[0] + ": .*" + test.fails
			}
			if (err != nil) != (test.fails != "") || !inOrder(want).Match(output) || bytes.ContainsAny(output, "?\x1b") {
				t.Errorf("%v: %s", err, output)
			}
			left, _ := filepath.Glob(directory + "*")
			if files, _ := os.ReadDir(directory); len(files) > 1 || len(left) != len(files) || (len(left) == 0) != (test.fails != "") {
				t.Errorf("left %v, with %d files of the layer", left, len(files))
			}
		})
	}
}
