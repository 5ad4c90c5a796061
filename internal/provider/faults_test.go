// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// What happens to a read on its way through a real CLI and a provider in a process
// of its own.

// oddURL has everything that some layer of JSON, HCL, HTML or percent-encoding
// could take for its own.
const oddURL = "HTTPS://b.s3.amazonaws.com:443/./a%2Fb//%2e%2E/%e2%82%AC/~!*'();:@+$,[]?q=<&>'|^`{}\"\\n\\u0041&t=${x}%{if}%%25&&=&X-Amz-Signature=a%2Bb%3d+%20#f%23"

func TestAccAURLComesThroughTheCLIByteForByte(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	c := newCLI(t, w)
	body, err := json.Marshal(map[string]string{"downloadUrl": oddURL, "layerDigest": w.layers[0]})
	if err != nil {
		t.Fatal(err)
	}
	w.Inject(ecrtest.Fault{Service: "ecr", Body: body, ContentType: "application/x-amz-json-1.1"})
	c.write(t, "main.tf", requireProvider+downloadURLConfig(w.layers[0])+downloadURLsConfig(w.layers[:1])+`
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
		t.Errorf("output -json has\n%q, want\n%q", got, oddURL)
	}
	if got := outputs["many"].(map[string]any)[w.layers[0]]; got != oddURL {
		t.Errorf("of the map, output -json has\n%q, want\n%q", got, oddURL)
	}
	if got := c.must(t, "output", "-raw", "one"); got != oddURL {
		t.Errorf("output -raw has\n%q, want\n%q", got, oddURL)
	}
	var state struct {
		Values struct {
			RootModule struct {
				Resources []struct {
					Type   string
					Values struct {
						DownloadURL  string            `json:"download_url"`
						DownloadURLs map[string]string `json:"download_urls"`
					}
				}
			} `json:"root_module"`
		}
	}
	if err := json.Unmarshal([]byte(c.must(t, "show", "-json")), &state); err != nil {
		t.Fatal(err)
	}
	if resources := state.Values.RootModule.Resources; len(resources) != 2 {
		t.Fatalf("show -json has %d data sources", len(resources))
	}
	for _, r := range state.Values.RootModule.Resources {
		if got := r.Values.DownloadURL + r.Values.DownloadURLs[w.layers[0]]; got != oddURL {
			t.Errorf("of %s, show -json has\n%q, want\n%q", r.Type, got, oddURL)
		}
	}
}

func TestAccHundredsOfDataSourcesTenAtATime(t *testing.T) {
	t.Parallel()
	const n, parallelism = 300, 10
	w := newEnv(t)
	layers := w.pushLayers(t, n)
	var (
		mu            sync.Mutex
		running, most int
	)
	counting := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		running++
		most = max(most, running)
		mu.Unlock()
		defer func() {
			mu.Lock()
			defer mu.Unlock()
			running--
		}()
		w.ServeHTTP(rw, r)
	}))
	t.Cleanup(counting.Close)

	c := newCLI(t, w)
	c.environ = append(c.environ, "AWS_ENDPOINT_URL="+counting.URL)
	quoted, err := json.Marshal(layers)
	if err != nil {
		t.Fatal(err)
	}
	c.write(t, "main.tf", requireProvider+fmt.Sprintf(`
data "ecrlayer_download_url" "test" {
  for_each        = toset(%s)
  repository_name = %q
  layer_digest    = each.key
}

output "digests" {
  value = [for layer in data.ecrlayer_download_url.test : layer.layer_digest]
}
`, quoted, repository))
	c.init(t)
	c.must(t, "apply", "-auto-approve", fmt.Sprint("-parallelism=", parallelism))
	if got := c.outputs(t)["digests"].([]any); len(got) != n {
		t.Errorf("%d data sources were read, want %d", len(got), n)
	}
	w.expectCallsOfEachRead(t, layers)
	if calls := len(w.Calls()); calls != n {
		t.Errorf("there were %d requests, want %d", calls, n)
	}
	mu.Lock()
	defer mu.Unlock()
	if most > parallelism || most < 2 {
		t.Errorf("there were %d requests at once, want up to %d", most, parallelism)
	}
}

func TestAccTwoRunsAtOnceInOneDirectory(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	c := newCLI(t, w)
	c.write(t, "main.tf", requireProvider+downloadURLConfig(w.layers[0])+downloadURLsConfig(w.layers)+`
output "url" {
  value     = data.ecrlayer_download_url.test.download_url
  sensitive = true
}
`)
	c.init(t)
	pairs := [][2][]string{
		{{"plan", "-lock=false"}, {"plan", "-lock=false"}},
		{{"apply", "-auto-approve"}, {"plan", "-lock=false"}},
	}
	// OpenTofu may give up although it is to wait: it reads who has the lock just when
	// that is removed.
	if name, _ := cliVersion(); name != "OpenTofu" {
		pairs = append(pairs, [2][]string{{"apply", "-auto-approve", "-lock-timeout=1m"}, {"apply", "-auto-approve", "-lock-timeout=1m"}})
	}
	for _, commands := range pairs {
		w.Reset()
		var runs sync.WaitGroup
		for _, command := range commands {
			runs.Go(func() {
				if output, err := c.run(t, command[0], command[1:]...); err != nil {
					t.Errorf("%s beside %s: %v\n%s", commands[0], commands[1], err, output)
				}
			})
		}
		runs.Wait()
		if calls := len(w.Calls()); calls != 2*(1+len(w.layers)) {
			t.Errorf("%s beside %s: there were %d requests", commands[0], commands[1], calls)
		}
	}
	if err := leadsTo(w.layers[0]).CheckValue(c.outputs(t)["url"]); err != nil {
		t.Error(err)
	}
}

func TestAccAReadCanBeInterrupted(t *testing.T) {
	t.Parallel()
	needsInterrupts(t)
	faults := map[string]ecrtest.Fault{
		"waiting for an answer":       {Hang: true},
		"in the middle of the answer": {Truncate: 20, Stall: true},
		"between attempts":            {Service: "ecr", Code: "ThrottlingException", Message: "Rate exceeded"},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newEnv(t)
			w.Inject(fault)
			seen := w.watch()
			seen.add("secret key", w.user.SecretAccessKey)
			c := newCLI(t, w)
			c.write(t, "main.tf", requireProvider+"provider \"ecrlayer\" {\n  max_retries = 1000\n}\n"+downloadURLConfig(w.layers[0])+downloadURLsConfig(w.layers))
			c.init(t)
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			plan := c.command(ctx, "plan")
			var output strings.Builder
			plan.Stdout, plan.Stderr = &output, &output
			if err := plan.Start(); err != nil {
				t.Fatal(err)
			}
			// Each call has been made once, and some are being repeated.
			waitFor(t, "the reads", func() bool { return len(w.Calls()) >= 1+len(w.layers) })
			interrupted := time.Now()
			interrupt()
			err := plan.Wait()
			if took := time.Since(interrupted); took > 5*time.Second { // The CLI's own end included.
				t.Errorf("the plan went on for %s", took)
			}
			if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) && !errors.Is(err, context.Canceled) {
				t.Errorf("the plan ended with %v", err)
			}
			if got := strings.Count(output.String(), "Error: Interrupted"); got != 2 {
				t.Errorf("%d of 2 data sources say that they were interrupted:\n%s", got, output.String())
			}
			seen.expectNotWritten(t, c, output.String())
		})
	}
}

func TestAccATimeoutOfAMillisecond(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	c := newCLI(t, w)
	w.Inject(ecrtest.Fault{Delay: time.Minute})
	timeout := "timeouts {\n    read = \"1ms\"\n  }"
	c.write(t, "main.tf", requireProvider+downloadURLConfig(w.layers[0], timeout)+downloadURLsConfig(w.layers, timeout))
	c.init(t)
	output := c.mustFail(t, []string{"Error: Timeout", "timeouts.read"}, "plan")
	if got := strings.Count(output, "Error: Timeout"); got != 2 || strings.Count(output, "Error: ") != 2 {
		t.Errorf("%d of 2 data sources timed out:\n%s", got, output)
	}
}
