// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// benchLatency is the minimum response time, about that of ECR within a region.
const benchLatency = 20 * time.Millisecond

// benchEnv runs commands against a local ECR with one image of 8,000 layers.
type benchEnv struct {
	dir     string
	host    string // of the endpoint
	environ []string
	layers  []string
}

func newBenchEnv(b *testing.B) *benchEnv {
	b.Helper()
	endpoint := ecrtest.New()
	e := startBench(b, endpoint)
	var descriptors []string
	for i := range 8000 {
		layer := endpoint.PutBlob(account, region, repository, fmt.Appendf(nil, "layer %d", i)).String()
		e.layers = append(e.layers, layer)
		descriptors = append(descriptors, fmt.Sprintf("{%q:%q}", "digest", layer))
	}
	endpoint.PutManifest(account, region, repository, tag, "application/vnd.oci.image.manifest.v1+json",
		[]byte(`{"layers":[`+strings.Join(descriptors, ",")+`]}`))
	endpoint.Inject(ecrtest.Fault{Delay: benchLatency})
	return e
}

// startBench serves an endpoint, and builds the provider.
func startBench(b *testing.B, endpoint *ecrtest.Endpoint) *benchEnv {
	b.Helper()
	server := httptest.NewServer(endpoint)
	b.Cleanup(server.Close)
	user := endpoint.AddUser(account)
	e := &benchEnv{dir: b.TempDir(), host: strings.TrimPrefix(server.URL, "http://")}
	config := filepath.Join(e.dir, "cli.tfrc")
	binary := filepath.ToSlash(filepath.Dir(e.build(b, "terraform-provider-ecrlayer", "../..")))
	if err := os.WriteFile(config, fmt.Appendf(nil, "provider_installation {\n  dev_overrides {\n    %q = %q\n    %q = %q\n  }\n  direct {}\n}\n",
		"registry.terraform.io/ecrlayer/ecrlayer", binary, "registry.opentofu.org/ecrlayer/ecrlayer", binary), 0o600); err != nil {
		b.Fatal(err)
	}
	e.environ = append(os.Environ(), "TF_CLI_CONFIG_FILE="+config, "CHECKPOINT_DISABLE=1", "TF_INPUT=0",
		"AWS_ENDPOINT_URL="+server.URL, "AWS_REGION="+region, "AWS_DEFAULT_REGION="+region,
		"AWS_ACCESS_KEY_ID="+user.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+user.SecretAccessKey, "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
	return e
}

// build builds a command with the flags of a release.
func (e *benchEnv) build(b *testing.B, name, source string) string {
	b.Helper()
	binary := filepath.Join(e.dir, name+".exe")
	command := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, source)
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, output)
	}
	return binary
}

// run runs a command and returns the CPU time of the process and its children.
func (e *benchEnv) run(b *testing.B, dir, path string, arguments ...string) time.Duration {
	b.Helper()
	command := exec.CommandContext(b.Context(), path, arguments...)
	command.Dir, command.Env = dir, e.environ
	if output, err := command.CombinedOutput(); err != nil {
		b.Errorf("%s: %v\n%s", path, err, output)
	}
	return command.ProcessState.UserTime() + command.ProcessState.SystemTime()
}

// apply measures "terraform apply" of a configuration that reads n layers.
func (e *benchEnv) apply(b *testing.B, n int, config string) {
	b.Helper()
	cli, err := cliPath()
	if err != nil {
		b.Skip(err)
	}
	var cpu time.Duration
	for b.Loop() {
		b.StopTimer()
		dir := b.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte(requireProvider+config), 0o600); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		cpu += e.run(b, dir, cli, "apply", "-auto-approve", "-no-color")
	}
	reportCPU(b, cpu, n)
}

// reportCPU reports the CPU time per digest.
func reportCPU(b *testing.B, cpu time.Duration, digests int) {
	b.Helper()
	b.ReportMetric(float64(cpu.Microseconds())/1000/float64(b.N)/float64(digests), "cpu-ms/digest")
}

func (e *benchEnv) layerList(n int) string {
	return `["` + strings.Join(e.layers[:n], `", "`) + `"]`
}

func (e *benchEnv) downloadURLs(n int) string {
	return fmt.Sprintf("data \"ecrlayer_download_urls\" \"all\" {\n  repository_name = %q\n  layer_digests = %s\n}\n", repository, e.layerList(n))
}

// BenchmarkLayers compares one apply with one AWS CLI call per layer, ten at a
// time. The cost per digest must not grow from 1,000 to 8,000 layers.
func BenchmarkLayers(b *testing.B) {
	e := newBenchEnv(b)
	for _, n := range []int{1, 10, 100, 1000, 8000} {
		b.Run(fmt.Sprintf("n=%d/tool=provider", n), func(b *testing.B) { e.apply(b, n, e.downloadURLs(n)) })
	}
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("n=%d/tool=aws", n), func(b *testing.B) {
			aws, err := exec.LookPath("aws")
			if err != nil {
				b.Skip(err)
			}
			// Bypass pyenv's shim, whose time would count as the AWS CLI's.
			if path, err := exec.CommandContext(b.Context(), "pyenv", "which", "aws").Output(); err == nil {
				aws = strings.TrimSpace(string(path))
			}
			var (
				wait  sync.WaitGroup
				mu    sync.Mutex
				cpu   time.Duration
				slots = make(chan struct{}, 10)
			)
			for b.Loop() {
				for _, layer := range e.layers[:n] {
					slots <- struct{}{}
					wait.Go(func() {
						took := e.run(b, e.dir, aws, "ecr", "get-download-url-for-layer", "--repository-name", repository, "--layer-digest", layer)
						mu.Lock()
						cpu += took
						mu.Unlock()
						<-slots
					})
				}
				wait.Wait()
			}
			reportCPU(b, cpu, n)
		})
	}
}

// BenchmarkDataSource compares one batch with one data source per layer. It uses
// count because the CLI itself is several times slower with for_each over a set of
// 1,000.
func BenchmarkDataSource(b *testing.B) {
	e := newBenchEnv(b)
	const n = 1000
	b.Run("type=download_urls", func(b *testing.B) { e.apply(b, n, e.downloadURLs(n)) })
	b.Run("type=download_url", func(b *testing.B) {
		e.apply(b, n, fmt.Sprintf("locals {\n  layers = %s\n}\n\ndata \"ecrlayer_download_url\" \"each\" {\n  count = %d\n  repository_name = %q\n  layer_digest = local.layers[count.index]\n}\n", e.layerList(n), n, repository))
	})
}

// BenchmarkStart measures the time from launch until the provider returns its
// schema, compared with a minimal provider. The difference is the package
// initialization of the AWS SDK.
func BenchmarkStart(b *testing.B) {
	e := &benchEnv{dir: b.TempDir()}
	for name, source := range map[string]string{"ecrlayer": "../..", "lean": "./testdata/lean"} {
		binary := e.build(b, name, source)
		b.Run("provider="+name, func(b *testing.B) {
			for b.Loop() {
				client := plugin.NewClient(&plugin.ClientConfig{
					HandshakeConfig: plugin.HandshakeConfig{
						MagicCookieKey:   "TF_PLUGIN_MAGIC_COOKIE",
						MagicCookieValue: "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2",
					},
					VersionedPlugins: map[int]plugin.PluginSet{6: {}},
					AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
					AutoMTLS:         true,
					Cmd:              exec.CommandContext(b.Context(), binary),
					Logger:           hclog.NewNullLogger(),
				})
				protocol, err := client.Client()
				if err != nil {
					b.Fatal(err)
				}
				// Any message decodes as Empty.
				err = protocol.(*plugin.GRPCClient).Conn.Invoke(b.Context(), "/tfplugin6.Provider/GetProviderSchema", &emptypb.Empty{}, &emptypb.Empty{})
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				client.Kill()
				b.StartTimer()
			}
		})
	}
}
