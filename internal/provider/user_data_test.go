// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package provider_test

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// machine is the scenario examples/user-data on a CLI, with a stand-in for the
// instance, which is another provider's.
type machine struct {
	*env
	*cli
	directory string // where the boot script puts the layer
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	w := newEnv(t)
	m := &machine{env: w, cli: newCLI(t, w)}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("the boot script needs curl: ", err)
	}
	m.directory = filepath.Join(m.root, "new", "app") // Neither is there at the first boot.
	m.useScenario(t, "user-data")

	// It changes, and is replaced, when the instance is.
	_, lifecycle, found := strings.Cut(readFile(t, filepath.Join(m.dir, "instance.tf")), "\n  lifecycle {")
	if !found || !strings.Contains(lifecycle, "[user_data]") {
		t.Fatal("the instance has another lifecycle")
	}
	m.write(t, "instance.tf", `
resource "terraform_data" "app" {
  input = local.user_data
  lifecycle {`+strings.Replace(lifecycle, "[user_data]", "[input]", 1)+`
output "user_data" {
  sensitive = true
  value     = terraform_data.app.output
}
`)
	m.write(t, "versions.tf", requireProvider)
	m.want(t, w.layers[0])
	m.init(t)
	return m
}

// want sets which layer the instance is to have.
func (m *machine) want(t *testing.T, layer string) {
	t.Helper()
	variables, err := json.Marshal(map[string]any{"region": region, "repository_name": repository, "layer_digest": layer, "directory": m.directory})
	if err != nil {
		t.Fatal(err)
	}
	m.write(t, "terraform.tfvars.json", string(variables))
}

// boot runs the user data as the first boot of the instance does, with commands
// in place of those of the machine, and returns what it said.
func (m *machine) boot(t *testing.T, commands map[string]string) (string, error) {
	t.Helper()
	script := filepath.Join(m.root, "boot.sh")
	writeFile(t, script, m.must(t, "output", "-raw", "user_data"))
	bin := t.TempDir()
	for name, content := range commands {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+content+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	run := exec.CommandContext(t.Context(), "sh", script)
	run.Env = []string{"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH")}
	output, err := run.CombinedOutput()
	if strings.Contains(string(output), "X-Amz-") {
		t.Errorf("it tells the URL:\n%s", output)
	}
	return string(output), err
}

// mustBoot checks that the first boot unpacks a layer.
func (m *machine) mustBoot(t *testing.T, layer string, commands map[string]string) {
	t.Helper()
	os.RemoveAll(filepath.Dir(m.directory))
	output, err := m.boot(t, commands)
	if err != nil || !strings.Contains(output, layer+" is in "+m.directory) {
		t.Fatalf("%v:\n%s", err, output)
	}
	if files, err := os.ReadDir(m.directory); err != nil || len(files) != 1 {
		t.Errorf("%d files are there (%v), want that of the layer", len(files), err)
	}
	if _, err := os.Stat(m.directory + ".layer"); err == nil {
		t.Error("the archive is left")
	}
}

func TestAccUserDataHasALiveURLWheneverAnInstanceIsMade(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	// The plan is approved when the URLs of its time have long expired.
	m.must(t, "plan", "-out=plan.bin")
	m.Advance(2 * time.Hour)
	m.must(t, "apply", "plan.bin")
	m.mustBoot(t, m.layers[0], nil)

	m.Reset()
	m.must(t, "plan", "-detailed-exitcode") // fails if anything were to change
	if calls := m.CallsTo("ecr", "GetDownloadUrlForLayer"); len(calls) != 1 {
		t.Errorf("the plan asked for %d other URLs, want 1", len(calls))
	}
	m.must(t, "apply", "-auto-approve")
	m.must(t, "plan", "-detailed-exitcode")

	m.want(t, m.layers[1])
	if plan := m.must(t, "plan", "-out=plan.bin"); !strings.Contains(plan, "terraform_data.app will be replaced due to changes in replace_triggered_by") {
		t.Errorf("another layer makes no new instance:\n%s", plan)
	}
	m.Advance(2 * time.Hour)
	m.must(t, "apply", "plan.bin")
	m.mustBoot(t, m.layers[1], nil)
}

func TestAccUserDataOnAMachineWhereSomethingIsWrong(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.must(t, "apply", "-auto-approve")
	noWait := map[string]string{"sleep": ":"}

	// The network comes up late.
	m.Inject(ecrtest.Fault{Operation: getObject, Reset: true, Times: 2})
	m.Inject(ecrtest.Fault{Operation: getObject, Status: http.StatusServiceUnavailable, Times: 1})
	m.mustBoot(t, m.layers[0], noWait)

	// Something on the way changes what is fetched.
	m.Inject(ecrtest.Fault{Operation: getObject, Rewrite: func([]byte) []byte { return []byte("another file") }, Times: 1})
	os.RemoveAll(m.directory)
	if output, err := m.boot(t, noWait); err == nil || !strings.Contains(output, "What was fetched is not "+m.layers[0]) {
		t.Errorf("%v:\n%s", err, output)
	}

	// The instance boots when the hour is over. Its clock is set by hand.
	m.Advance(2 * time.Hour)
	later := "echo " + time.Now().UTC().Add(2*time.Hour).Format(time.RFC3339)
	if output, err := m.boot(t, map[string]string{"date": later}); err == nil || !strings.Contains(output, "expired at 20") || !strings.Contains(output, "-replace=aws_instance.app") {
		t.Errorf("%v:\n%s", err, output)
	}
	if files, err := os.ReadDir(m.directory); err != nil || len(files) > 0 {
		t.Errorf("%d files were unpacked (%v)", len(files), err)
	}
}

func TestAccUserDataOnAMachineWhereCurlCannotWork(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.must(t, "apply", "-auto-approve")
	// Trying again would help neither.
	noWait := map[string]string{"sleep": "echo it waits; exit 1"}
	expectSaid := func(output string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(output, "The URL of "+m.layers[0]+" is not to blame") || strings.Contains(output, "it waits") {
			t.Errorf("%v:\n%s", err, output)
		}
	}
	if err := os.MkdirAll(m.directory+".layer", 0o700); err != nil { // in the way of the archive
		t.Fatal(err)
	}
	expectSaid(m.boot(t, noWait))
	noWait["curl"] = "exit 127"
	expectSaid(m.boot(t, noWait))
}
