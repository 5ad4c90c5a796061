// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// layerDigests are the digests of n layers, always the same.
func layerDigests(n int) []digest.Digest {
	layers := make([]digest.Digest, n)
	for i := range layers {
		layers[i] = digest.FromBytes(layerContent(i))
	}
	return layers
}

func layerContent(i int) []byte {
	return fmt.Appendf(nil, "layer %d", i)
}

// pushLayers puts images into the test repository that have these n layers.
func pushLayers(tb testing.TB, endpoint *ecrtest.Endpoint, n int) {
	tb.Helper()
	const perImage = 100
	config := endpoint.PutBlob(testAccount, testRegion, testRepository, []byte("{}"))
	for first := 0; first < n; first += perImage {
		var layers []map[string]any
		for i := first; i < min(first+perImage, n); i++ {
			content := layerContent(i)
			layers = append(layers, map[string]any{
				"mediaType": "application/vnd.oci.image.layer.v1.tar",
				"digest":    endpoint.PutBlob(testAccount, testRegion, testRepository, content),
				"size":      len(content),
			})
		}
		raw, err := json.Marshal(map[string]any{
			"schemaVersion": 2,
			"mediaType":     "application/vnd.oci.image.manifest.v1+json",
			"config":        map[string]any{"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 2},
			"layers":        layers,
		})
		if err != nil {
			tb.Fatal(err)
		}
		endpoint.PutManifest(testAccount, testRegion, testRepository, fmt.Sprintf("v%d", first), "application/vnd.oci.image.manifest.v1+json", raw)
	}
}

// layersOf is a local ECR with layers, which counts concurrent requests.
type layersOf struct {
	*ecrtest.Endpoint
	digests []digest.Digest
	user    ecrtest.Credentials
	cfg     aws.Config

	// full, if set, is closed once as many requests run as a client sends at once.
	// No request gets a response before.
	full chan struct{}

	mu          sync.Mutex
	connections int
	running     int
	most        int // running at once
}

func newLayers(t *testing.T, n int) *layersOf {
	t.Helper()
	l := &layersOf{Endpoint: ecrtest.New(), digests: layerDigests(n)}
	pushLayers(t, l.Endpoint, n)
	server := httptest.NewUnstartedServer(l)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.connections++
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	l.user = l.AddUser(testAccount)
	l.cfg = aws.Config{
		Region:       testRegion,
		BaseEndpoint: aws.String(server.URL),
		Credentials:  credentials.NewStaticCredentialsProvider(l.user.AccessKeyID, l.user.SecretAccessKey, ""),
		HTTPClient:   awshttp.NewBuildableClient(),
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts = 25
				o.RateLimiter = ratelimit.None
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return time.Millisecond, nil })
			})
		},
	}
	return l
}

func (l *layersOf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	l.running++
	l.most = max(l.most, l.running)
	if l.full != nil && l.running == ecrlayer.MaxConcurrentCalls {
		close(l.full)
		l.full = nil
	}
	full := l.full
	l.mu.Unlock()
	if full != nil {
		select {
		case <-full:
		case <-time.After(time.Minute): // The test fails.
		}
	}
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.running--
	}()
	l.Endpoint.ServeHTTP(w, r)
}

// callsByDigest returns how often each digest was requested, and fails for calls
// of any other kind.
func (l *layersOf) callsByDigest(t *testing.T) map[digest.Digest]int {
	t.Helper()
	calls := map[digest.Digest]int{}
	for _, call := range l.Calls() {
		if call.Service != "ecr" || call.Operation != "GetDownloadUrlForLayer" {
			t.Errorf("there was a call of %s of %s", call.Operation, call.Service)
			continue
		}
		calls[digest.Digest(call.References[0])]++
	}
	return calls
}

func batchError(t *testing.T, err error) *ecrlayer.BatchError {
	t.Helper()
	var batch *ecrlayer.BatchError
	if !errors.As(err, &batch) {
		t.Fatalf("the error is %v, want a BatchError", err)
	}
	return batch
}

func TestABatchMakesOneCallForEachDistinctDigest(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 1000} {
		l := newLayers(t, n)
		requested := append(slices.Clone(l.digests), l.digests...) // each twice
		urls, err := ecrlayer.NewClient(l.cfg, nil).DownloadURLs(t.Context(), inTestRepository, requested)
		if err != nil {
			t.Fatal(err)
		}
		if len(urls) != n {
			t.Errorf("there are %d URLs, want %d", len(urls), n)
		}
		calls := l.callsByDigest(t)
		for _, d := range l.digests {
			if urls[d].LayerDigest != d || !strings.Contains(urls[d].URL, "X-Amz-Signature=") || urls[d].ExpiresAt.IsZero() {
				t.Fatalf("the URL of %s is %v", d, urls[d])
			}
			if calls[d] != 1 {
				t.Errorf("%s was requested %d times", d, calls[d])
			}
		}
		if len(calls) != n {
			t.Errorf("%d digests were requested, want %d", len(calls), n)
		}
	}
}

func TestABatchReportsEveryFailureInOrderAndKeepsWhatItGot(t *testing.T) {
	t.Parallel()
	l := newLayers(t, 30)
	inaccessible := l.PutBlob(testAccount, testRegion, testRepository, []byte("a layer without an image"))
	wrong := []string{inaccessible.String()}
	requested := append(slices.Clone(l.digests), inaccessible)
	for i := range 70 {
		absent := digest.FromString(fmt.Sprint("absent ", i))
		wrong = append(wrong, absent.String())
		requested = append(requested, absent)
	}
	slices.Sort(wrong)

	urls, err := ecrlayer.NewClient(l.cfg, nil).DownloadURLs(t.Context(), inTestRepository, requested)
	batch := batchError(t, err)
	if len(urls) != 30 || batch.Digests != 101 || batch.Incomplete != 0 || batch.Interrupted != nil {
		t.Errorf("there are %d URLs and %+v", len(urls), batch)
	}
	var failed []string
	for _, failure := range batch.Failures {
		failed = append(failed, failure.Resource)
		if failure.RequestID == "" || failure.Attempts != 1 || failure.Repository.Name != testRepository {
			t.Errorf("the failure lacks something: %+v", failure.Call)
		}
	}
	if !slices.Equal(failed, wrong) {
		t.Errorf("the failures are of %q, want %q", failed, wrong)
	}
	var notFound *ecrtypes.LayersNotFoundException
	var noAccess *ecrtypes.LayerInaccessibleException
	if !errors.As(err, &notFound) || !errors.As(err, &noAccess) {
		t.Error("the error does not unwrap to both kinds of failure")
	}
	if text := err.Error(); len(text) > 2000 || !strings.HasPrefix(text, "of 101 digests, 71 failed and 0 are incomplete; GetDownloadUrlForLayer of "+wrong[0]) {
		t.Errorf("the error's text is %q", text)
	}
	if got := len(l.callsByDigest(t)); got != 101 {
		t.Errorf("%d digests were requested, want all 101", got)
	}
}

func TestThrottlingSlowsABatchAndDoesNotFailIt(t *testing.T) {
	t.Parallel()
	l := newLayers(t, 200)
	const throttled = 500
	l.Inject(ecrtest.Fault{Code: "ThrottlingException", Message: "Rate exceeded", Times: throttled})
	urls, err := ecrlayer.NewClient(l.cfg, nil).DownloadURLs(t.Context(), inTestRepository, l.digests)
	if err != nil || len(urls) != len(l.digests) {
		t.Fatalf("%d URLs, %v", len(urls), err)
	}
	if got := len(l.Calls()); got != len(l.digests)+throttled {
		t.Errorf("there were %d requests, want %d", got, len(l.digests)+throttled)
	}
}

func TestBatchesOfAClientShareABoundAndItsConnections(t *testing.T) {
	t.Parallel()
	l := newLayers(t, 200)
	l.full = make(chan struct{})
	client := ecrlayer.NewClient(l.cfg, nil)
	for range 6 { // In each, all but ten connections would be new if the client kept no more.
		var batches sync.WaitGroup
		for part := range slices.Chunk(l.digests, 50) {
			batches.Go(func() {
				if _, err := client.DownloadURLs(t.Context(), inTestRepository, part); err != nil {
					t.Error(err)
				}
			})
		}
		batches.Wait()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.most != ecrlayer.MaxConcurrentCalls {
		t.Errorf("there were %d calls at once, want %d", l.most, ecrlayer.MaxConcurrentCalls)
	}
	// A connection can come too late, when another has become free for its call.
	if l.connections > 2*ecrlayer.MaxConcurrentCalls {
		t.Errorf("there were %d connections for %d calls at once", l.connections, ecrlayer.MaxConcurrentCalls)
	}
}

func TestABatchEndsWithItsContextThoughAnotherHasAllPlaces(t *testing.T) {
	t.Parallel()
	l := newLayers(t, 100)
	l.Inject(ecrtest.Fault{Hang: true})
	client := ecrlayer.NewClient(l.cfg, nil)
	first, end := context.WithCancel(t.Context())
	var batches sync.WaitGroup
	batches.Go(func() { _, _ = client.DownloadURLs(first, inTestRepository, l.digests) })
	defer batches.Wait()
	defer end()
	for len(l.Calls()) < ecrlayer.MaxConcurrentCalls {
		time.Sleep(time.Millisecond)
	}
	second, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := client.DownloadURLs(second, inTestRepository, l.digests[:1])
	if batch := batchError(t, err); batch.Interrupted == nil || !batch.Interrupted.TimedOut() || batch.Incomplete != 1 {
		t.Errorf("the batch does not say that it timed out: %+v", batch)
	}
}

func TestABatchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	faults := map[string]ecrtest.Fault{
		"waiting for a response":       {Hang: true},
		"waiting for the next attempt": {Code: "ThrottlingException", Message: "Rate exceeded"},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLayers(t, 1000)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			fault.Match = func(ecrtest.Call) bool {
				time.AfterFunc(20*time.Millisecond, cancel)
				return true
			}
			l.Inject(fault)
			urls, err := ecrlayer.NewClient(patient(l.cfg), nil).DownloadURLs(ctx, inTestRepository, l.digests)
			batch := batchError(t, err)
			if len(urls) != 0 || len(batch.Failures) != 0 || batch.Incomplete != 1000 {
				t.Errorf("there are %d URLs and %+v", len(urls), batch)
			}
			if batch.Interrupted == nil || !batch.Interrupted.Canceled() || batch.Interrupted.Attempts != 1 {
				t.Errorf("the batch does not say that it was canceled: %+v", batch.Interrupted)
			}
			if calls := len(l.Calls()); calls > ecrlayer.MaxConcurrentCalls {
				t.Errorf("there were %d calls", calls)
			}
		})
	}
	t.Run("that has ended already", func(t *testing.T) {
		t.Parallel()
		l := newLayers(t, 2)
		ctx, cancel := context.WithTimeout(t.Context(), -time.Second)
		defer cancel()
		_, err := ecrlayer.NewClient(l.cfg, nil).DownloadURLs(ctx, inTestRepository, l.digests)
		batch := batchError(t, err)
		if batch.Incomplete != 2 || batch.Interrupted == nil || !batch.Interrupted.TimedOut() || batch.Interrupted.Repository.Region != testRegion || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the batch does not say that it timed out: %+v", batch)
		}
		if calls := len(l.Calls()); calls != 0 {
			t.Errorf("there were %d calls", calls)
		}
	})
}

// What no call of the batch can get past must not be tried a thousand times.
func TestABatchEndsWhenNoCallCanSucceed(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		prepare  func(*layersOf)
		failures int // at most
	}{
		"access denied": {func(l *layersOf) { l.Deny(l.user.ARN, "ecr:GetDownloadUrlForLayer") }, 50},
		"another secret key": {func(l *layersOf) {
			l.cfg.Credentials = credentials.NewStaticCredentialsProvider(l.user.AccessKeyID, "wrong", "")
		}, 50},
		"no credentials": {func(l *layersOf) {
			l.cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, errors.New("none") })
		}, 50},
		"no connection":          {func(l *layersOf) { l.Inject(ecrtest.Fault{Reset: true}) }, 50},
		"nowhere to connect to":  {func(l *layersOf) { l.cfg.BaseEndpoint = aws.String("http://127.0.0.1:1") }, 50},
		"a repository not there": {func(l *layersOf) { l.cfg.Region = "eu-west-1" }, 50},
		"every layer is not there": {func(l *layersOf) {
			l.CreateRepository(testAccount, "eu-west-2", testRepository)
			l.cfg.Region = "eu-west-2"
		}, 1000},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLayers(t, 1000)
			test.prepare(l)
			_, err := ecrlayer.NewClient(l.cfg, nil).DownloadURLs(t.Context(), inTestRepository, l.digests)
			batch := batchError(t, err)
			if len(batch.Failures) == 0 || len(batch.Failures) > test.failures || len(batch.Failures)+batch.Incomplete != 1000 || batch.Interrupted != nil {
				t.Errorf("%d calls failed and %d digests were not requested, %v", len(batch.Failures), batch.Incomplete, batch.Interrupted)
			}
			if requested := len(l.callsByDigest(t)); requested > test.failures {
				t.Errorf("%d digests were requested, want at most %d", requested, test.failures)
			}
		})
	}
}

// A panic in one of the batch's goroutines would end the process.
func TestAPanicInABatchIsAnError(t *testing.T) {
	t.Parallel()
	l := newLayers(t, 2*ecrlayer.MaxConcurrentCalls)
	var broken atomic.Bool
	broken.Store(true)
	client := ecrlayer.NewClient(l.cfg, func(context.Context, ecrlayer.Call) {
		if broken.Load() {
			panic("a bug")
		}
	})
	_, err := client.DownloadURLs(t.Context(), inTestRepository, l.digests)
	batch := batchError(t, err)
	var panicked *ecrlayer.PanicError
	if !errors.As(err, &panicked) || panicked.Value != "a bug" || !strings.Contains(string(panicked.Stack), "TestAPanicInABatchIsAnError") {
		t.Errorf("the error is %v, want one that wraps the panic", err)
	}
	if failure := batch.Failures[0]; !strings.Contains(failure.Error(), "internal error: a bug") || failure.Repository.Region != testRegion || failure.Resource == "" {
		t.Errorf("the failure is %+v", failure.Call)
	}
	if len(batch.Failures) > ecrlayer.MaxConcurrentCalls || len(batch.Failures)+batch.Incomplete != batch.Digests {
		t.Errorf("of %d digests, %d failed and %d are incomplete", batch.Digests, len(batch.Failures), batch.Incomplete)
	}

	// The places of the calls that panicked are free again.
	broken.Store(false)
	if _, err := client.DownloadURLs(t.Context(), inTestRepository, l.digests); err != nil {
		t.Error(err)
	}
}
