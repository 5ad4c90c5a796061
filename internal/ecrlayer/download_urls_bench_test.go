// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"golang.org/x/sync/errgroup"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/transport"
)

// BenchmarkBatch compares a batch of 1,000 layers with a loop over the SDK that has the
// same limits of concurrent requests and idle connections. A response takes 20 ms, about
// as long as ECR's within a region.
func BenchmarkBatch(b *testing.B) {
	endpoint := ecrtest.New()
	layers := layerDigests(1000)
	pushLayers(b, endpoint, len(layers))
	endpoint.Inject(ecrtest.Fault{Delay: 20 * time.Millisecond})
	server := httptest.NewServer(endpoint)
	defer server.Close()
	cfg := newConfig(server.URL, endpoint.AddUser(testAccount), 3)

	b.Run("client=ecrlayer", func(b *testing.B) {
		client := ecrlayer.NewClient(cfg, nil)
		for b.Loop() {
			if urls, err := client.DownloadURLs(b.Context(), inTestRepository, layers); err != nil || len(urls) != len(layers) {
				b.Fatalf("got %d URLs, error %v", len(urls), err)
			}
		}
	})
	b.Run("client=sdk", func(b *testing.B) {
		cfg := cfg
		cfg.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.MaxIdleConnsPerHost = ecrlayer.MaxConcurrentCalls })
		client := ecr.NewFromConfig(cfg)
		for b.Loop() {
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
				b.Fatalf("got %d URLs, error %v", len(urls), err)
			}
		}
	})
}

// BenchmarkThrottledBatch reads 1,000 layers, with the settings that people run, from
// an endpoint that throttles to 200 requests per second, with a token bucket of a tenth
// of a second. The ideal is 5 s; the metric is how many times that it takes.
func BenchmarkThrottledBatch(b *testing.B) {
	const perSecond = 200
	endpoint := ecrtest.New()
	layers := layerDigests(1000)
	pushLayers(b, endpoint, len(layers))
	server := httptest.NewServer(endpoint)
	defer server.Close()
	cfg := newConfig(server.URL, endpoint.AddUser(testAccount), 25)
	cfg.Retryer = func() aws.Retryer { return transport.NewRetryer(aws.RetryModeStandard, 25, 0) }
	client := ecrlayer.NewClient(cfg, nil)
	for b.Loop() {
		endpoint.Throttle(perSecond, perSecond/10)
		start := time.Now()
		if urls, err := client.DownloadURLs(b.Context(), inTestRepository, layers); err != nil || len(urls) != len(layers) {
			b.Fatalf("got %d URLs, error %v", len(urls), err)
		}
		b.ReportMetric(time.Since(start).Seconds()*perSecond/float64(len(layers)), "times-ideal")
		endpoint.Reset()
	}
}
