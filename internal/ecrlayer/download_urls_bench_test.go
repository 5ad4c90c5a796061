// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer_test

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

const (
	// benchLatency is how long every answer takes at least: about what a call of
	// ECR takes within a region.
	benchLatency = 20 * time.Millisecond

	benchEndpointVariable = "ECRLAYER_BENCH_ENDPOINT"
)

// TestServeBenchEndpoint is no test: a benchmark runs it in a process of its
// own, so that the endpoint's memory is not taken for the client's.
func TestServeBenchEndpoint(t *testing.T) {
	if os.Getenv(benchEndpointVariable) == "" {
		t.Skip("serves the benchmarks")
	}
	endpoint := ecrtest.New()
	pushLayers(t, endpoint, 10_000)
	endpoint.Inject(ecrtest.Fault{Delay: benchLatency})

	server := httptest.NewServer(endpoint)
	defer server.Close()
	user := endpoint.AddUser(testAccount)
	fmt.Println(server.URL, user.AccessKeyID, user.SecretAccessKey)
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // until the benchmark closes its end
}

// startBenchEndpoint returns the configuration of a client of the endpoint.
func startBenchEndpoint(b *testing.B) aws.Config {
	b.Helper()
	command := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^TestServeBenchEndpoint$")
	command.Env = append(os.Environ(), benchEndpointVariable+"=1")
	command.Stderr = os.Stderr
	input, err := command.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = input.Close()
		_ = command.Wait()
	})
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	parts := strings.Fields(line)
	return aws.Config{
		Region:       testRegion,
		BaseEndpoint: aws.String(parts[0]),
		Credentials:  credentials.NewStaticCredentialsProvider(parts[1], parts[2], ""),
		HTTPClient:   awshttp.NewBuildableClient(),
		Retryer:      func() aws.Retryer { return retry.NewStandard() },
	}
}

// bareSDK asks for the layers as one would without this package.
func bareSDK(b *testing.B, client *ecr.Client, layers []digest.Digest) {
	var (
		group errgroup.Group
		mu    sync.Mutex
		urls  = map[string]string{}
	)
	group.SetLimit(ecrlayer.MaxConcurrentCalls)
	for _, layer := range layers {
		group.Go(func() error {
			output, err := client.GetDownloadUrlForLayer(b.Context(), &ecr.GetDownloadUrlForLayerInput{
				RepositoryName: aws.String(testRepository),
				LayerDigest:    aws.String(layer.String()),
			})
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			urls[layer.String()] = *output.DownloadUrl
			return nil
		})
	}
	if err := group.Wait(); err != nil || len(urls) != len(layers) {
		b.Fatalf("%d URLs, %v", len(urls), err)
	}
}

func batchOf(b *testing.B, client *ecrlayer.Client, layers []digest.Digest) {
	urls, err := client.DownloadURLs(b.Context(), inTestRepository, layers)
	if err != nil || len(urls) != len(layers) {
		b.Fatalf("%d URLs, %v", len(urls), err)
	}
}

func timeOf(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

// BenchmarkDownloadURLsBesideBareSDK compares a batch of 1,000 with a plain loop
// over the SDK, which makes as many calls at once and keeps as many connections.
// x-bare-SDK is the ratio of the best times.
func BenchmarkDownloadURLsBesideBareSDK(b *testing.B) {
	cfg := startBenchEndpoint(b)
	layers := layerDigests(1000)
	batch := ecrlayer.NewClient(cfg, nil)
	cfg.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.MaxIdleConnsPerHost = ecrlayer.MaxConcurrentCalls })
	bare := ecr.NewFromConfig(cfg)
	var batches, bares []time.Duration
	for b.Loop() {
		batches = append(batches, timeOf(func() { batchOf(b, batch, layers) }))
		bares = append(bares, timeOf(func() { bareSDK(b, bare, layers) }))
	}
	b.ReportMetric(float64(slices.Min(batches))/float64(slices.Min(bares)), "x-bare-SDK")
	b.ReportMetric(float64(slices.Min(batches).Microseconds())/1000, "ms/batch")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkDownloadURLs shows what a batch costs as it grows: a digest of a
// larger one must not cost more.
func BenchmarkDownloadURLs(b *testing.B) {
	cfg := startBenchEndpoint(b)
	for _, n := range []int{1, 10, 100, 1000, 10_000} {
		b.Run(fmt.Sprintf("digests=%d", n), func(b *testing.B) {
			client := ecrlayer.NewClient(cfg, nil)
			layers := layerDigests(n)
			batchOf(b, client, layers[:1]) // The first call has to find the credentials and the endpoint.
			var times []time.Duration
			var peak uint64
			b.ReportAllocs()
			for b.Loop() {
				used := peakHeap(func() { times = append(times, timeOf(func() { batchOf(b, client, layers) })) })
				peak = max(peak, used)
			}
			b.ReportMetric(float64(slices.Min(times).Microseconds())/float64(n), "µs/digest")
			b.ReportMetric(float64(peak)/float64(n), "peak-B/digest")
			b.ReportMetric(float64(peak)/(1<<20), "peak-MB")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkDownloadURLsConcurrency is what maxConcurrentCalls was chosen by.
func BenchmarkDownloadURLsConcurrency(b *testing.B) {
	cfg := startBenchEndpoint(b)
	layers := layerDigests(1000)
	for _, n := range []int64{10, 20, 30, 40, 50, 60, 80, 100, 150, 200} {
		b.Run(fmt.Sprintf("calls=%d", n), func(b *testing.B) {
			cfg := cfg
			cfg.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.MaxIdleConns, t.MaxIdleConnsPerHost = int(n), int(n) }).Freeze()
			client := ecrlayer.NewClient(cfg, nil)
			ecrlayer.SetConcurrency(client, n)
			var times []time.Duration
			for b.Loop() {
				times = append(times, timeOf(func() { batchOf(b, client, layers) }))
			}
			best := slices.Min(times)
			b.ReportMetric(float64(best.Microseconds())/1000, "ms/batch")
			b.ReportMetric(float64(len(layers))/best.Seconds(), "calls/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// peakHeap returns by how many bytes the heap grew at most while f ran, garbage
// that was not collected yet included.
func peakHeap(f func()) uint64 {
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	runtime.GC()
	metrics.Read(heap)
	before := heap[0].Value.Uint64()
	done, result := make(chan struct{}), make(chan uint64)
	go func() {
		var peak uint64
		ticker := time.NewTicker(time.Millisecond)
		defer ticker.Stop()
		for {
			metrics.Read(heap)
			peak = max(peak, heap[0].Value.Uint64())
			select {
			case <-ticker.C:
			case <-done:
				result <- peak
				return
			}
		}
	}()
	f()
	close(done)
	peak := <-result
	return peak - min(peak, before)
}
