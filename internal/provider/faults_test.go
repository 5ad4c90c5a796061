// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// oddURL contains characters that JSON, HCL, HTML or percent-encoding could alter.
const oddURL = "HTTPS://b.s3.amazonaws.com:443/./a%2Fb//%2e%2E/%e2%82%AC/~!*'();:@+$,[]?q=<&>'|^`{}\"\\n\\u0041&t=${x}%{if}%%25&&=&X-Amz-Signature=a%2Bb%3d+%20#f%23"

func TestAccURLIsPreserved(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	c := newCLI(t, e)
	body := must[[]byte](t)(json.Marshal(map[string]string{"downloadUrl": oddURL, "layerDigest": e.layers[0]}))
	e.Inject(ecrtest.Fault{Service: "ecr", Body: body, ContentType: "application/x-amz-json-1.1"})
	c.write(t, "main.tf", requireProvider+downloadURLConfig(e.layers[0])+downloadURLsConfig(e.layers[:1])+`
output "one" {
  value     = data.ecrlayer_download_url.test.download_url
  sensitive = true
}

output "many" {
  value     = data.ecrlayer_download_urls.test.download_urls
  sensitive = true
}
`)
	c.init(t)
	c.must(t, "apply", "-auto-approve")

	outputs := c.outputs(t)
	if got := outputs["one"]; got != oddURL {
		t.Errorf("output -json returned\n%q, want\n%q", got, oddURL)
	}
	if got := outputs["many"].(map[string]any)[e.layers[0]]; got != oddURL {
		t.Errorf("output -json of the map returned\n%q, want\n%q", got, oddURL)
	}
	if got := c.must(t, "output", "-raw", "one"); got != oddURL {
		t.Errorf("output -raw returned\n%q, want\n%q", got, oddURL)
	}
	state := c.attributes(t)
	if got := state["data.ecrlayer_download_url.test"]["download_url"]; got != oddURL {
		t.Errorf("show -json returned\n%q, want\n%q", got, oddURL)
	}
	if got := state["data.ecrlayer_download_urls.test"]["download_urls"].(map[string]any)[e.layers[0]]; got != oddURL {
		t.Errorf("show -json of the map returned\n%q, want\n%q", got, oddURL)
	}
}

func TestAccReadInterrupted(t *testing.T) {
	t.Parallel()
	skipWithoutInterrupts(t)
	e := newEnv(t)
	e.Inject(ecrtest.Fault{Hang: true, Match: e.matchLayer(e.layers[0])})
	e.Inject(ecrtest.Fault{Service: "ecr", Code: "ThrottlingException", Message: "Rate exceeded"})
	c := newCLI(t, e)
	c.write(t, "main.tf", requireProvider+"provider \"ecrlayer\" {\n  max_retries = 1000\n}\n"+downloadURLConfig(e.layers[0])+downloadURLsConfig(e.layers[1:]))
	c.init(t)
	output := c.interrupt(t, func() bool {
		requested := map[string]bool{}
		for _, call := range e.Calls() {
			requested[strings.Join(call.References, "")] = true
		}
		return len(requested) >= len(e.layers)
	}, "plan")
	if got := strings.Count(output, "Error: Interrupted"); got != 2 {
		t.Errorf("%d of 2 data sources reported the interrupt:\n%s", got, output)
	}
}

// interrupt interrupts a command when ready returns true. The command must fail.
func (c *cli) interrupt(t *testing.T, ready func() bool, command string, arguments ...string) string {
	t.Helper()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	cmd := c.command(ctx, command, arguments...)
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for !ready() {
		select {
		case err := <-ended:
			t.Fatalf("%s ended before it could be interrupted (%v):\n%s", command, err, output.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
	interrupt()
	if err := <-ended; err == nil {
		t.Errorf("%s succeeded:\n%s", command, output.String())
	}
	return output.String()
}
