// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// layerDigests returns the digests of the first n layers of pushLayers.
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

// pushLayers pushes images with n layers to the test repository.
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

// layerRegistry is a local ECR with layers that counts concurrent requests.
type layerRegistry struct {
	*ecrtest.Endpoint
	digests []digest.Digest
	user    ecrtest.Credentials
	cfg     aws.Config

	// saturated, if set, is closed when as many requests are active as a client sends
	// concurrently. No request gets a response before that.
	saturated chan struct{}

	mu        sync.Mutex
	active    int
	maxActive int
}

func newLayerRegistry(t *testing.T, n int) *layerRegistry {
	t.Helper()
	l := &layerRegistry{Endpoint: ecrtest.New(), digests: layerDigests(n)}
	pushLayers(t, l.Endpoint, n)
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	l.user = l.AddUser(testAccount)
	l.cfg = newConfig(server.URL, l.user, 25)
	return l
}

func (l *layerRegistry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	l.active++
	l.maxActive = max(l.maxActive, l.active)
	if l.saturated != nil && l.active == ecrlayer.MaxConcurrentCalls {
		close(l.saturated)
		l.saturated = nil
	}
	saturated := l.saturated
	l.mu.Unlock()
	if saturated != nil {
		select {
		case <-saturated:
		case <-time.After(time.Minute): // Let the test fail.
		}
	}
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.active--
	}()
	l.Endpoint.ServeHTTP(w, r)
}

// callsByDigest returns the number of calls per digest, and fails the test if there are
// calls of other operations.
func (l *layerRegistry) callsByDigest(t *testing.T) map[digest.Digest]int {
	t.Helper()
	calls := map[digest.Digest]int{}
	for _, call := range l.Calls() {
		if call.Service != "ecr" || call.Operation != "GetDownloadUrlForLayer" {
			t.Errorf("unexpected call: %s of %s", call.Operation, call.Service)
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
		t.Fatalf("error = %v, want a BatchError", err)
	}
	return batch
}

func TestBatchMakesOneCallPerDistinctDigest(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 1000} {
		l := newLayerRegistry(t, n)
		requested := append(slices.Clone(l.digests), l.digests...) // each digest twice
		urls, err := ecrlayer.NewClient(l.cfg, nil).DownloadURLs(t.Context(), inTestRepository, requested)
		if err != nil {
			t.Fatal(err)
		}
		if len(urls) != n {
			t.Errorf("got %d URLs, want %d", len(urls), n)
		}
		calls := l.callsByDigest(t)
		for _, d := range l.digests {
			if urls[d].LayerDigest != d || !strings.Contains(urls[d].URL, "X-Amz-Signature=") || urls[d].ExpiresAt.IsZero() {
				t.Fatalf("URL of %s = %v", d, urls[d])
			}
			if calls[d] != 1 {
				t.Errorf("%s was requested %d times, want once", d, calls[d])
			}
		}
		if len(calls) != n {
			t.Errorf("%d digests were requested, want %d", len(calls), n)
		}
	}
}

func TestBatchReturnsSortedFailures(t *testing.T) {
	t.Parallel()
	l := newLayerRegistry(t, 30)
	inaccessible := l.PutBlob(testAccount, testRegion, testRepository, []byte("layer without an image"))
	want := []string{inaccessible.String()}
	requested := append(slices.Clone(l.digests), inaccessible)
	for i := range 70 {
		missing := digest.FromString(fmt.Sprint("missing ", i))
		want = append(want, missing.String())
		requested = append(requested, missing)
	}
	slices.Sort(want)

	urls, err := ecrlayer.NewClient(l.cfg, nil).DownloadURLs(t.Context(), inTestRepository, requested)
	batch := batchError(t, err)
	if urls != nil || batch.Digests != 101 || batch.Incomplete != 0 || batch.Interrupted != nil {
		t.Errorf("got %d URLs and %+v", len(urls), batch)
	}
	var failed []string
	for _, failure := range batch.Failures {
		failed = append(failed, failure.Resource)
		if failure.RequestID == "" || failure.Attempts != 1 || failure.Repository.Name != testRepository {
			t.Errorf("failure = %+v, want a request ID, one attempt and the repository", failure.Call)
		}
	}
	if !slices.Equal(failed, want) {
		t.Errorf("failed digests = %q, want %q", failed, want)
	}
	codes := map[string]bool{}
	for _, failure := range batch.Failures {
		if api, ok := errors.AsType[smithy.APIError](failure); ok {
			codes[api.ErrorCode()] = true
		}
	}
	if len(codes) != 2 || !codes["LayersNotFoundException"] || !codes["LayerInaccessibleException"] {
		t.Errorf("failures have the codes %v", codes)
	}
	if text := err.Error(); len(text) > 2000 || !strings.HasPrefix(text, "of 101 digests, 71 failed and 0 are incomplete; GetDownloadUrlForLayer of "+want[0]) {
		t.Errorf("error text = %q", text)
	}
	if got := len(l.callsByDigest(t)); got != 101 {
		t.Errorf("%d digests were requested, want 101", got)
	}
}

func TestBatchRetriesThrottledCalls(t *testing.T) {
	t.Parallel()
	l := newLayerRegistry(t, 200)
	const throttled = 500
	l.Inject(ecrtest.Fault{Code: "ThrottlingException", Message: "Rate exceeded", Times: throttled})
	// One layer may be throttled any number of times.
	cfg := newConfig(aws.ToString(l.cfg.BaseEndpoint), l.user, throttled+1)
	urls, err := ecrlayer.NewClient(cfg, nil).DownloadURLs(t.Context(), inTestRepository, l.digests)
	if err != nil || len(urls) != len(l.digests) {
		t.Fatalf("got %d URLs, error %v", len(urls), err)
	}
	if got := len(l.Calls()); got != len(l.digests)+throttled {
		t.Errorf("got %d requests, want %d", got, len(l.digests)+throttled)
	}
}

func TestBatchesShareConcurrencyLimit(t *testing.T) {
	t.Parallel()
	l := newLayerRegistry(t, 200)
	l.saturated = make(chan struct{})
	client := ecrlayer.NewClient(l.cfg, nil)
	var batches sync.WaitGroup
	for part := range slices.Chunk(l.digests, 50) {
		batches.Go(func() {
			if _, err := client.DownloadURLs(t.Context(), inTestRepository, part); err != nil {
				t.Error(err)
			}
		})
	}
	batches.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.maxActive != ecrlayer.MaxConcurrentCalls {
		t.Errorf("got %d concurrent calls, want %d", l.maxActive, ecrlayer.MaxConcurrentCalls)
	}
}

func TestBatchKeepsItsConnections(t *testing.T) {
	t.Parallel()
	l := newLayerRegistry(t, ecrlayer.MaxConcurrentCalls)
	l.saturated = make(chan struct{}) // Every call has a connection of its own.
	var kept atomic.Int32
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{PutIdleConn: func(err error) {
		if err == nil {
			kept.Add(1)
		}
	}})
	if _, err := ecrlayer.NewClient(l.cfg, nil).DownloadURLs(ctx, inTestRepository, l.digests); err != nil {
		t.Fatal(err)
	}
	// net/http may drop one whose write it has not finished when the response ends.
	if got := kept.Load(); got < ecrlayer.MaxConcurrentCalls/2 {
		t.Errorf("kept %d of %d connections, as few as the SDK would", got, ecrlayer.MaxConcurrentCalls)
	}
}

func TestBatchEndsWithItsContextWhileAnotherHoldsEverySlot(t *testing.T) {
	t.Parallel()
	l := newLayerRegistry(t, 100)
	l.Inject(ecrtest.Fault{Hang: true})
	client := ecrlayer.NewClient(l.cfg, nil)
	first, cancelFirst := context.WithCancel(t.Context())
	var batches sync.WaitGroup
	batches.Go(func() { _, _ = client.DownloadURLs(first, inTestRepository, l.digests) })
	defer batches.Wait()
	defer cancelFirst()
	for len(l.Calls()) < ecrlayer.MaxConcurrentCalls {
		time.Sleep(time.Millisecond)
	}
	second, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := client.DownloadURLs(second, inTestRepository, l.digests[:1])
	if batch := batchError(t, err); batch.Interrupted == nil || !batch.Interrupted.TimedOut() || batch.Incomplete != 1 {
		t.Errorf("batch = %+v, want it to time out", batch)
	}
}

func TestBatchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	faults := map[string]ecrtest.Fault{
		"waiting for a response":       {Hang: true},
		"waiting for the next attempt": {Code: "ThrottlingException", Message: "Rate exceeded"},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLayerRegistry(t, 1000)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			fault.Match = func(ecrtest.Call) bool {
				time.AfterFunc(20*time.Millisecond, cancel)
				return true
			}
			l.Inject(fault)
			urls, err := ecrlayer.NewClient(withLongBackoff(l.cfg), nil).DownloadURLs(ctx, inTestRepository, l.digests)
			batch := batchError(t, err)
			if len(urls) != 0 || len(batch.Failures) != 0 || batch.Incomplete != 1000 {
				t.Errorf("got %d URLs and %+v", len(urls), batch)
			}
			if batch.Interrupted == nil || !batch.Interrupted.Canceled() || batch.Interrupted.Attempts != 1 {
				t.Errorf("interrupted call = %+v, want a canceled first attempt", batch.Interrupted)
			}
			if calls := len(l.Calls()); calls > ecrlayer.MaxConcurrentCalls {
				t.Errorf("made %d calls", calls)
			}
		})
	}
	t.Run("in a second attempt", func(t *testing.T) {
		t.Parallel()
		l := newLayerRegistry(t, 3)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		retried := l.digests[1].String()
		l.Inject(ecrtest.Fault{Status: 500, Times: 1, Match: func(call ecrtest.Call) bool { return call.References[0] == retried }})
		var hanging atomic.Int32
		l.Inject(ecrtest.Fault{Hang: true, Match: func(ecrtest.Call) bool {
			if hanging.Add(1) == 3 {
				cancel()
			}
			return true
		}})
		_, err := ecrlayer.NewClient(l.cfg, nil).DownloadURLs(ctx, inTestRepository, l.digests)
		// Of the interrupted calls, that with the most attempts says most.
		if call := batchError(t, err).Interrupted; call == nil || call.Resource != retried || call.Attempts != 2 {
			t.Errorf("interrupted call = %+v, want the second attempt of %s", call, retried)
		}
	})
	t.Run("already ended", func(t *testing.T) {
		t.Parallel()
		l := newLayerRegistry(t, 2)
		ctx, cancel := context.WithTimeout(t.Context(), -time.Second)
		defer cancel()
		_, err := ecrlayer.NewClient(l.cfg, nil).DownloadURLs(ctx, inTestRepository, l.digests)
		batch := batchError(t, err)
		if batch.Incomplete != 2 || batch.Interrupted == nil || !batch.Interrupted.TimedOut() || batch.Interrupted.Repository.Region != testRegion || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("batch = %+v, want it to time out", batch)
		}
		if calls := len(l.Calls()); calls != 0 {
			t.Errorf("made %d calls", calls)
		}
	})
}

// A failure that affects every call must not be repeated a thousand times.
func TestBatchEndsWhenNoCallCanSucceed(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		prepare     func(*layerRegistry)
		maxFailures int
	}{
		"access denied": {func(l *layerRegistry) { l.Deny(l.user.ARN, "ecr:GetDownloadUrlForLayer") }, 50},
		"wrong secret key": {func(l *layerRegistry) {
			l.cfg.Credentials = credentials.NewStaticCredentialsProvider(l.user.AccessKeyID, "wrong", "")
		}, 50},
		"no credentials": {func(l *layerRegistry) {
			l.cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, errors.New("none") })
		}, 50},
		"connection reset":   {func(l *layerRegistry) { l.Inject(ecrtest.Fault{Reset: true}) }, 99}, // a round, and what begins during it
		"connection refused": {func(l *layerRegistry) { l.cfg.BaseEndpoint = aws.String("http://127.0.0.1:1") }, 99},
		"exhausted quota":    {func(l *layerRegistry) { l.Inject(ecrtest.Fault{Code: "LimitExceededException"}) }, 50},
		"no repository":      {func(l *layerRegistry) { l.cfg.Region = "eu-west-1" }, 50},
		"no layers": {func(l *layerRegistry) {
			l.CreateRepository(testAccount, "eu-west-2", testRepository)
			l.cfg.Region = "eu-west-2"
		}, 1000},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLayerRegistry(t, 1000)
			test.prepare(l)
			_, err := ecrlayer.NewClient(l.cfg, nil).DownloadURLs(t.Context(), inTestRepository, l.digests)
			batch := batchError(t, err)
			if len(batch.Failures) == 0 || len(batch.Failures) > test.maxFailures || batch.Canceled > batch.Incomplete || len(batch.Failures)+batch.Incomplete != 1000 || batch.Interrupted != nil {
				t.Errorf("%d calls failed, %d digests are incomplete, interrupted by %v", len(batch.Failures), batch.Incomplete, batch.Interrupted)
			}
			if requested := len(l.callsByDigest(t)); requested > test.maxFailures {
				t.Errorf("%d digests were requested, want at most %d", requested, test.maxFailures)
			}
		})
	}
}

// While another call succeeds, one that got no response says nothing of the others.
func TestBatchOutlivesABrokenConnection(t *testing.T) {
	t.Parallel()
	l := newLayerRegistry(t, 1000)
	l.cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	l.Inject(ecrtest.Fault{Reset: true, Times: 1})
	_, err := ecrlayer.NewClient(l.cfg, nil).DownloadURLs(t.Context(), inTestRepository, l.digests)
	if batch := batchError(t, err); len(batch.Failures) != 1 || batch.Incomplete != 0 || batch.Failures[0].Responded {
		t.Errorf("%d calls failed, %d digests are incomplete: %v", len(batch.Failures), batch.Incomplete, err)
	}
	if requested := len(l.callsByDigest(t)); requested != 1000 {
		t.Errorf("%d digests were requested, want all", requested)
	}
}

// Every digest is in one of the numbers that a user reads.
func TestBatchCountsWhatItCanceled(t *testing.T) {
	t.Parallel()
	const hanging = 20
	l := newLayerRegistry(t, 200)
	first := slices.Sorted(slices.Values(l.digests))[:hanging]
	var waiting atomic.Int32
	all := make(chan struct{})
	l.Inject(ecrtest.Fault{Hang: true, Match: func(call ecrtest.Call) bool {
		hangs := slices.Contains(first, digest.Digest(call.References[0]))
		if hangs && waiting.Add(1) == hanging {
			close(all)
		}
		return hangs
	}})
	l.Inject(ecrtest.Fault{Code: "ExpiredTokenException", Rewrite: func(body []byte) []byte {
		<-all
		return body
	}})
	_, err := ecrlayer.NewClient(l.cfg, nil).DownloadURLs(t.Context(), inTestRepository, l.digests)
	batch, requested := batchError(t, err), len(l.callsByDigest(t))
	// A canceled call may not have reached the endpoint, but none did that is said not to
	// have been sent.
	if batch.Canceled < hanging || len(batch.Failures) == 0 || batch.Incomplete-batch.Canceled > 200-requested {
		t.Errorf("%d of 200 requested: %d failed, %d of %d incomplete ones were canceled", requested, len(batch.Failures), batch.Canceled, batch.Incomplete)
	}
}

// An unrecovered panic in a goroutine of the batch would crash the process.
func TestBatchReturnsPanicAsError(t *testing.T) {
	t.Parallel()
	l := newLayerRegistry(t, 2*ecrlayer.MaxConcurrentCalls)
	var panics atomic.Bool
	panics.Store(true)
	client := ecrlayer.NewClient(l.cfg, func(context.Context, ecrlayer.Call) {
		if panics.Load() {
			panic("a bug")
		}
	})
	_, err := client.DownloadURLs(t.Context(), inTestRepository, l.digests)
	batch := batchError(t, err)
	var panicked *ecrlayer.PanicError
	if !errors.As(err, &panicked) || panicked.Value != "a bug" || !strings.Contains(string(panicked.Stack), "TestBatchReturnsPanicAsError") {
		t.Errorf("error = %v, want one that wraps the panic", err)
	}
	if failure := batch.Failures[0]; !strings.Contains(failure.Error(), "internal error: a bug") || failure.Repository.Region != testRegion || failure.Resource == "" {
		t.Errorf("failure = %+v", failure.Call)
	}
	if len(batch.Failures) > ecrlayer.MaxConcurrentCalls || len(batch.Failures)+batch.Incomplete != batch.Digests {
		t.Errorf("of %d digests, %d failed and %d are incomplete", batch.Digests, len(batch.Failures), batch.Incomplete)
	}

	// The calls that panicked released their slots.
	panics.Store(false)
	if _, err := client.DownloadURLs(t.Context(), inTestRepository, l.digests); err != nil {
		t.Error(err)
	}
}
