// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/opencontainers/go-digest"
)

const (
	testPartSize = 256 << 10
	testAttempts = 3
)

// blobHost is an ECR and the host of its download URLs.
type blobHost struct {
	*httptest.Server
	blobs map[digest.Digest][]byte
	// serve handles a request for a blob; nil is serveRange.
	serve func(h *blobHost, w http.ResponseWriter, r *http.Request, blob []byte)

	mu     sync.Mutex
	urls   int      // requested of ECR
	ranges []string // requested of the host, "" without one
	valid  int      // requests that each URL is valid for, 0 for all
	uses   map[string]int
}

func newBlobHost(t *testing.T, blobs ...[]byte) (*blobHost, []Descriptor) {
	t.Helper()
	h := &blobHost{blobs: map[digest.Digest][]byte{}, uses: map[string]int{}}
	var descriptors []Descriptor
	for _, blob := range blobs {
		d := digest.FromBytes(blob)
		h.blobs[d] = blob
		descriptors = append(descriptors, Descriptor{Digest: d, Size: int64(len(blob))})
	}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h, descriptors
}

func (h *blobHost) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		var input struct{ LayerDigest string }
		_ = json.NewDecoder(r.Body).Decode(&input)
		h.mu.Lock()
		h.urls++
		url := fmt.Sprintf("%s/%s?X-Amz-Security-Token=token-secret&X-Amz-Signature=signature-secret%d", h.URL, input.LayerDigest, h.urls)
		h.mu.Unlock()
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_ = json.NewEncoder(w).Encode(map[string]string{"downloadUrl": url, "layerDigest": input.LayerDigest})
		return
	}
	h.mu.Lock()
	h.ranges = append(h.ranges, r.Header.Get("Range"))
	h.uses[r.URL.RawQuery]++
	expired := h.valid > 0 && h.uses[r.URL.RawQuery] > h.valid
	h.mu.Unlock()
	blob := h.blobs[digest.Digest(strings.TrimPrefix(r.URL.Path, "/"))]
	switch {
	case expired:
		refuse(w, http.StatusForbidden, "Request has expired")
	case h.serve != nil:
		h.serve(h, w, r, blob)
	default:
		serveRange(w, r, blob)
	}
}

// requests returns how many requests the host has received.
func (h *blobHost) requests() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.ranges)
}

func serveRange(w http.ResponseWriter, r *http.Request, blob []byte) {
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(blob))
}

func refuse(w http.ResponseWriter, status int, message string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>AccessDenied</Code><Message>%s</Message></Error>", message)
}

// cutWriter breaks the connection after some bytes of the body.
type cutWriter struct {
	http.ResponseWriter
	left int
}

func (w *cutWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p[:min(len(p), w.left)])
	if w.left -= n; w.left == 0 {
		_ = http.NewResponseController(w.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, err
}

// memoryStore is a BlobStore in memory.
type memoryStore struct {
	mu    sync.Mutex
	files map[digest.Digest]*memoryFile
	// open replaces files of a blob.
	open func(d Descriptor) (BlobFile, error)
}

type memoryFile struct {
	mu        sync.Mutex
	content   []byte
	finished  []int
	resets    int
	committed bool
	closed    bool
	writeErr  error
}

func newMemoryStore() *memoryStore { return &memoryStore{files: map[digest.Digest]*memoryFile{}} }

func (s *memoryStore) Open(_ context.Context, d Descriptor) (BlobFile, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open != nil {
		if file, err := s.open(d); file != nil || err != nil {
			return file, err
		}
	}
	f, ok := s.files[d.Digest]
	if !ok {
		f = &memoryFile{}
		s.files[d.Digest] = f
	}
	if f.committed {
		return nil, nil
	}
	return f, nil
}

func (f *memoryFile) WriteAt(p []byte, at int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.writeErr != nil {
		return 0, f.writeErr
	}
	if end := int(at) + len(p); end > len(f.content) {
		f.content = append(f.content, make([]byte, end-len(f.content))...)
	}
	return copy(f.content[at:], p), nil
}

func (f *memoryFile) ReadAt(p []byte, at int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return bytes.NewReader(f.content).ReadAt(p, at)
}

func (f *memoryFile) Finished() []int { return f.finished }

func (f *memoryFile) Finish(part int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.finished = append(f.finished, part)
	return nil
}

func (f *memoryFile) Reset() error {
	f.content, f.finished = nil, nil
	f.resets++
	return nil
}

func (f *memoryFile) Commit() error { f.committed = true; return nil }
func (f *memoryFile) Close() error  { f.closed = true; return nil }

// newTestPull returns a pull of small parts by a client that retries without a delay.
func newTestPull(t *testing.T, h *blobHost, store BlobStore, change ...func(*aws.Config)) *pull {
	t.Helper()
	cfg := aws.Config{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(h.URL),
		Credentials:  credentials.NewStaticCredentialsProvider("AKIA", "secret", ""),
		HTTPClient:   h.Client(),
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts = testAttempts
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			})
		},
	}
	for _, change := range change {
		change(&cfg)
	}
	return &pull{c: NewClient(cfg, nil), repo: Repository{Name: "team/app", Region: "us-east-1"}, store: store, done: &atomic.Int64{}, partSize: testPartSize, stall: func() time.Duration { return time.Minute }}
}

// newBlob returns bytes that differ from part to part.
func newBlob(size int) []byte {
	blob := make([]byte, size)
	for i := range blob {
		blob[i] = byte(i>>12 + i)
	}
	return blob
}

func TestPullDownloads(t *testing.T) {
	t.Parallel()
	ignore := func(_ *blobHost, w http.ResponseWriter, r *http.Request, blob []byte) {
		r.Header.Del("Range")
		serveRange(w, r, blob)
	}
	refuseRanges := func(status int) func(*blobHost, http.ResponseWriter, *http.Request, []byte) {
		return func(_ *blobHost, w http.ResponseWriter, r *http.Request, blob []byte) {
			if r.Header.Get("Range") != "" {
				refuse(w, status, "no ranges")
				return
			}
			serveRange(w, r, blob)
		}
	}
	cut := func(n int) func(*blobHost, http.ResponseWriter, *http.Request, []byte) {
		return func(_ *blobHost, w http.ResponseWriter, r *http.Request, blob []byte) {
			serveRange(&cutWriter{w, n}, r, blob)
		}
	}
	// first handles the first requests in its own way.
	first := func(n int, handle func(http.ResponseWriter, *http.Request)) func(*blobHost, http.ResponseWriter, *http.Request, []byte) {
		return func(h *blobHost, w http.ResponseWriter, r *http.Request, blob []byte) {
			if h.requests() <= n {
				handle(w, r)
				return
			}
			serveRange(w, r, blob)
		}
	}
	tests := map[string]struct {
		size     int // default: 5 parts and a half
		serve    func(*blobHost, http.ResponseWriter, *http.Request, []byte)
		valid    int  // requests per URL
		stalls   bool // the first request
		requests int  // 0: not checked
		urls     int  // default 1
	}{
		"several parts":                   {requests: 6},
		"a single byte":                   {size: 1, requests: 1},
		"exactly one part":                {size: testPartSize, requests: 1},
		"exactly two parts":               {size: 2 * testPartSize, requests: 2},
		"one byte more than a part":       {size: testPartSize + 1, requests: 2},
		"every response is cut":           {serve: cut(100 << 10)},
		"every response is cut early":     {size: testPartSize, serve: cut(10 << 10), requests: 26},
		"every URL allows two requests":   {valid: 2, urls: 3},
		"URLs expire between cuts":        {serve: cut(100 << 10), valid: 8, urls: 3},
		"ranges are ignored":              {serve: ignore, requests: 1},
		"ranges are refused with 416":     {serve: refuseRanges(http.StatusRequestedRangeNotSatisfiable), requests: 2},
		"ranges are refused with 501":     {serve: refuseRanges(http.StatusNotImplemented), requests: 2},
		"ranges are refused with 403":     {serve: refuseRanges(http.StatusForbidden), urls: 3, requests: 4},
		"throttled":                       {serve: first(2, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })},
		"429":                             {serve: first(2, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) })},
		"reset":                           {serve: first(2, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })},
		"no response":                     {stalls: true, serve: first(1, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })},
		"the response stalls":             {stalls: true, serve: first(1, func(w http.ResponseWriter, r *http.Request) { stall(w, r, 1000) })},
		"ranges are ignored, and one cut": {serve: ignoreAndCut(1), requests: 2},
		"the total is not known": {requests: 6, serve: func(_ *blobHost, w http.ResponseWriter, r *http.Request, blob []byte) {
			serveRange(&headerWriter{w, func(h http.Header) {
				from, _, _ := strings.Cut(h.Get("Content-Range"), "/")
				h.Set("Content-Range", from+"/*")
			}}, r, blob)
		}},
		"the length is not known": {requests: 1, serve: func(_ *blobHost, w http.ResponseWriter, _ *http.Request, blob []byte) {
			_, _ = io.Copy(&flushWriter{w}, bytes.NewReader(blob))
		}},
		"shorter ranges than requested": {requests: 22, serve: func(_ *blobHost, w http.ResponseWriter, r *http.Request, blob []byte) {
			from, to, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "-")
			start, _ := strconv.Atoi(from)
			end, _ := strconv.Atoi(to)
			end = min(end, start+testPartSize/4-1)
			r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", start, end))
			serveRange(w, r, blob)
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.size == 0 {
				test.size = 5*testPartSize + testPartSize/2
			}
			blob := newBlob(test.size)
			h, blobs := newBlobHost(t, blob)
			h.serve, h.valid = test.serve, test.valid
			store := newMemoryStore()
			p := newTestPull(t, h, store)
			if test.stalls {
				var requests atomic.Int64
				p.stall = func() time.Duration { // What is served may take as long as it likes.
					if requests.Add(1) == 1 {
						return 100 * time.Millisecond
					}
					return time.Minute
				}
			}
			if err := p.run(t.Context(), blobs); err != nil {
				t.Fatal(err)
			}
			file := store.files[blobs[0].Digest]
			if !file.committed || !file.closed || !bytes.Equal(file.content, blob) {
				t.Errorf("committed: %t, closed: %t, the content is right: %t", file.committed, file.closed, bytes.Equal(file.content, blob))
			}
			if got := p.done.Load(); got != int64(test.size) {
				t.Errorf("%d of %d bytes are done", got, test.size)
			}
			parts := (test.size + testPartSize - 1) / testPartSize
			if parts == 1 {
				parts = 0 // The blob is committed at once.
			}
			if len(file.finished) != parts {
				t.Errorf("the parts %v are recorded, want %d", file.finished, parts)
			}
			if test.requests > 0 && h.requests() != test.requests {
				t.Errorf("%d requests, want %d: %q", h.requests(), test.requests, h.ranges)
			}
			if h.urls < max(test.urls, 1) || (test.valid == 0 && h.urls != max(test.urls, 1)) {
				t.Errorf("%d URLs, want %d", h.urls, max(test.urls, 1))
			}
		})
	}
}

// stall sends n bytes and then nothing.
func stall(w http.ResponseWriter, r *http.Request, n int) {
	w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", testPartSize-1, 5*testPartSize+testPartSize/2))
	w.WriteHeader(http.StatusPartialContent)
	_, _ = w.Write(newBlob(n))
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// ignoreAndCut ignores ranges, and cuts the first responses in the middle.
func ignoreAndCut(n int) func(*blobHost, http.ResponseWriter, *http.Request, []byte) {
	return func(h *blobHost, w http.ResponseWriter, r *http.Request, blob []byte) {
		r.Header.Del("Range")
		if h.requests() <= n {
			w = &cutWriter{w, len(blob) / 2}
		}
		serveRange(w, r, blob)
	}
}

// headerWriter changes the headers.
type headerWriter struct {
	http.ResponseWriter
	change func(http.Header)
}

func (w *headerWriter) WriteHeader(status int) {
	w.change(w.Header())
	w.ResponseWriter.WriteHeader(status)
}

// flushWriter flushes every write, so that the response has no Content-Length.
type flushWriter struct{ http.ResponseWriter }

func (w *flushWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	_ = http.NewResponseController(w.ResponseWriter).Flush()
	return n, err
}

func TestPullErrors(t *testing.T) {
	t.Parallel()
	const size = 3 * testPartSize
	tests := map[string]struct {
		serve    func(*blobHost, http.ResponseWriter, *http.Request, []byte)
		want     []string // in the error
		requests int      // at most
		invalid  bool     // *InvalidResponseError, else *DownloadError or a broken connection
	}{
		"another digest": {invalid: true, requests: 3, serve: func(_ *blobHost, w http.ResponseWriter, r *http.Request, blob []byte) {
			serveRange(w, r, append([]byte{^blob[0]}, blob[1:]...))
		}, want: []string{"has the digest " + digest.FromBytes(append([]byte{^newBlob(1)[0]}, newBlob(size)[1:]...)).String(), "according to the manifest " + digest.FromBytes(newBlob(size)).String()}},
		"a larger blob": {invalid: true, requests: 1, serve: func(_ *blobHost, w http.ResponseWriter, r *http.Request, blob []byte) {
			serveRange(w, r, append(slices.Clone(blob), 0))
		}, want: []string{fmt.Sprintf("has %d bytes, and %d according to the manifest", size+1, size)}},
		"a smaller blob": {invalid: true, requests: 1, serve: func(_ *blobHost, w http.ResponseWriter, r *http.Request, blob []byte) {
			r.Header.Del("Range")
			serveRange(w, r, blob[1:])
		}, want: []string{fmt.Sprintf("has %d bytes, and %d according to the manifest", size-1, size)}},
		"a larger blob without a length": {invalid: true, requests: 1, serve: func(_ *blobHost, w http.ResponseWriter, _ *http.Request, blob []byte) {
			_, _ = io.Copy(&flushWriter{w}, bytes.NewReader(append(slices.Clone(blob), 0)))
		}, want: []string{fmt.Sprintf("has more than %d bytes, and %[1]d according to the manifest", size)}},
		"another range": {invalid: true, requests: 3, serve: func(_ *blobHost, w http.ResponseWriter, r *http.Request, blob []byte) {
			r.Header.Set("Range", "bytes=1-9")
			serveRange(w, r, blob)
		}, want: []string{"has the range", fmt.Sprintf("bytes 1-9/%d", size)}},
		"no range": {invalid: true, requests: 3, serve: func(_ *blobHost, w http.ResponseWriter, _ *http.Request, _ []byte) {
			w.WriteHeader(http.StatusPartialContent)
		}, want: []string{`has the range ""`}},
		"denied": {requests: maxRenewals + 2, serve: func(_ *blobHost, w http.ResponseWriter, _ *http.Request, _ []byte) {
			refuse(w, http.StatusForbidden, "not by this endpoint")
		}, want: []string{"responded 403 Forbidden (AccessDenied: not by this endpoint)"}},
		"denied with the URL": {requests: maxRenewals + 2, serve: func(_ *blobHost, w http.ResponseWriter, r *http.Request, _ []byte) {
			refuse(w, http.StatusForbidden, "not by "+r.URL.Query().Get("X-Amz-Security-Token"))
		}, want: []string{"(AccessDenied: not by REDACTED)"}},
		"a range with the URL": {invalid: true, requests: 3, serve: func(_ *blobHost, w http.ResponseWriter, r *http.Request, _ []byte) {
			w.Header().Set("Content-Range", r.URL.Query().Get("X-Amz-Security-Token"))
			w.WriteHeader(http.StatusPartialContent)
		}, want: []string{`has the range "REDACTED"`}},
		"not found": {requests: 1, serve: func(_ *blobHost, w http.ResponseWriter, _ *http.Request, _ []byte) {
			refuse(w, http.StatusNotFound, "gone")
		}, want: []string{"responded 404"}},
		"unavailable": {requests: testAttempts, serve: func(_ *blobHost, w http.ResponseWriter, _ *http.Request, _ []byte) {
			refuse(w, http.StatusServiceUnavailable, "later")
		}, want: []string{"responded 503"}},
		"no response": {requests: testAttempts + 1, serve: func(*blobHost, http.ResponseWriter, *http.Request, []byte) {
			panic(http.ErrAbortHandler)
		}, want: []string{"EOF"}},
		"a redirect": {requests: 1, serve: func(_ *blobHost, w http.ResponseWriter, r *http.Request, _ []byte) {
			http.Redirect(w, r, "http://elsewhere.example/?X-Amz-Signature=secret", http.StatusTemporaryRedirect)
		}, want: []string{"responded 307", "a redirect to elsewhere.example"}},
		"ranges are ignored, and every stream is cut": {requests: 1 + testAttempts, serve: ignoreAndCut(1000),
			want: []string{fmt.Sprintf("the host does not serve ranges, and the connection broke after %d of %d bytes", size/2, size)}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, blobs := newBlobHost(t, newBlob(size))
			h.serve = test.serve
			store := newMemoryStore()
			err := newTestPull(t, h, store).run(t.Context(), blobs)
			call, ok := errors.AsType[*CallError](err)
			if !ok || call.Operation != OperationDownload || call.Attempts == 0 || call.Endpoint != h.URL || call.Resource != blobs[0].Digest.String() {
				t.Fatalf("the error is %#v", err)
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error is %q, want %q", err, part)
				}
			}
			if strings.Contains(err.Error(), "secret") {
				t.Error("the error contains the URL")
			}
			file := store.files[blobs[0].Digest]
			if _, invalid := errors.AsType[*InvalidResponseError](err); invalid != test.invalid || file.committed || !file.closed || invalid != (file.resets > 0) {
				t.Errorf("invalid: %t, committed: %t, closed: %t, resets: %d", invalid, file.committed, file.closed, file.resets)
			}
			if h.requests() > test.requests {
				t.Errorf("%d requests, want %d: %q", h.requests(), test.requests, h.ranges)
			}
		})
	}
}

func TestPullResumesParts(t *testing.T) {
	t.Parallel()
	blob := newBlob(4 * testPartSize)
	wrong := slices.Clone(blob)
	wrong[2*testPartSize] ^= 1
	ignore := func(_ *blobHost, w http.ResponseWriter, r *http.Request, blob []byte) {
		r.Header.Del("Range")
		serveRange(w, r, blob)
	}
	ignoreOnce := func(h *blobHost, w http.ResponseWriter, r *http.Request, blob []byte) {
		if h.requests() > 1 {
			serveRange(w, r, blob)
			return
		}
		ignore(h, w, r, wrong) // It overwrites what the file has.
	}
	tests := map[string]struct {
		content  []byte
		finished []int
		serve    func(*blobHost, http.ResponseWriter, *http.Request, []byte)
		requests int
		resets   int
	}{
		"some parts":                 {blob, []int{0, 2}, nil, 2, 0},
		"all parts":                  {blob, []int{3, 2, 1, 0}, nil, 0, 0},
		"a part that does not exist": {blob[:testPartSize], []int{0, 7}, nil, 3, 0},
		"a wrong part":               {wrong, []int{1, 2}, nil, 6, 1},
		"a part that is not there":   {blob[:testPartSize], []int{0, 3}, nil, 6, 1},
		"without ranges":             {blob, []int{0, 2}, ignore, 1, 0},
		"without ranges, and wrong":  {blob, []int{0, 2}, ignoreOnce, 5, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, blobs := newBlobHost(t, blob)
			h.serve = test.serve
			store := newMemoryStore()
			file := &memoryFile{content: slices.Clone(test.content), finished: slices.Clone(test.finished)}
			store.files[blobs[0].Digest] = file
			p := newTestPull(t, h, store)
			if err := p.run(t.Context(), blobs); err != nil {
				t.Fatal(err)
			}
			if !file.committed || !bytes.Equal(file.content, blob) || file.resets != test.resets || h.requests() != test.requests || p.done.Load() != blobs[0].Size {
				t.Errorf("committed: %t, resets: %d, requests: %q, %d bytes done", file.committed, file.resets, h.ranges, p.done.Load())
			}
		})
	}
}

// With HTTP/2, the ranges would share one connection.
func TestDownloadsAvoidHTTP2(t *testing.T) {
	t.Parallel()
	h, blobs := newBlobHost(t, []byte("a"))
	secure := httptest.NewUnstartedServer(h)
	secure.EnableHTTP2 = true
	secure.StartTLS()
	t.Cleanup(secure.Close)
	h.Server = secure
	h.serve = func(_ *blobHost, w http.ResponseWriter, r *http.Request, blob []byte) {
		if r.ProtoMajor != 1 {
			t.Errorf("a download uses %s", r.Proto)
		}
		serveRange(w, r, blob)
	}
	trust := secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	p := newTestPull(t, h, newMemoryStore(), func(cfg *aws.Config) {
		cfg.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) { tr.TLSClientConfig.RootCAs = trust })
	})
	if err := p.run(t.Context(), blobs); err != nil || h.requests() != 1 {
		t.Errorf("%d downloads, error %v", h.requests(), err)
	}
}

// connections counts downloads, each until its response is closed: a handler may still run
// when the client has sent its next request.
type connections struct {
	http.RoundTripper
	mu           sync.Mutex
	active, most int
	full         chan struct{} // closed when there are MaxConnections
}

type countedBody struct {
	io.ReadCloser
	end func()
}

func (b *countedBody) Close() error {
	b.end()
	return b.ReadCloser.Close()
}

func (c *connections) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.active += n; c.active > c.most {
		if c.most = c.active; c.most == MaxConnections {
			close(c.full)
		}
	}
}

func (c *connections) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost {
		return c.RoundTripper.RoundTrip(r)
	}
	c.add(1)
	response, err := c.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	response.Body = &countedBody{response.Body, sync.OnceFunc(func() { c.add(-1) })}
	return response, nil
}

func TestPullUsesSeveralConnections(t *testing.T) {
	t.Parallel()
	h, blobs := newBlobHost(t, newBlob(40*testPartSize), []byte("a"), []byte("b"), nil)
	c := &connections{RoundTripper: h.Client().Transport, full: make(chan struct{})}
	h.serve = func(_ *blobHost, w http.ResponseWriter, r *http.Request, blob []byte) {
		if len(blob) > 1 && !strings.HasPrefix(r.Header.Get("Range"), "bytes=0-") {
			<-c.full // Every connection waits until all are in use.
		}
		serveRange(w, r, blob)
	}
	store := newMemoryStore()
	store.files[blobs[1].Digest] = &memoryFile{committed: true}
	p := newTestPull(t, h, store, func(cfg *aws.Config) { cfg.HTTPClient = &http.Client{Transport: c} })
	if err := p.run(t.Context(), blobs); err != nil {
		t.Fatal(err)
	}
	if c.most != MaxConnections || h.urls != 2 || p.done.Load() != 40*testPartSize+2 {
		t.Errorf("%d connections, %d URLs, %d bytes done", c.most, h.urls, p.done.Load())
	}
	for d, file := range store.files {
		if !file.committed {
			t.Errorf("%s is not committed", d)
		}
	}
}

func TestPullWaitsForBusyBlobsLast(t *testing.T) {
	t.Parallel()
	var contents [][]byte
	for i := range 2 * maxOpenBlobs {
		contents = append(contents, []byte(strconv.Itoa(i)))
	}
	h, blobs := newBlobHost(t, contents...)
	store := newMemoryStore()
	store.open = func(d Descriptor) (BlobFile, error) {
		if d.Digest == blobs[len(blobs)-1].Digest || len(store.files) > maxOpenBlobs-1 {
			return nil, nil
		}
		return nil, ErrBlobBusy // Of more blobs than can be open, until the last one was opened.
	}
	opened := false
	busy := store.open
	store.open = func(d Descriptor) (BlobFile, error) {
		opened = opened || d.Digest == blobs[len(blobs)-1].Digest
		if opened {
			return nil, nil
		}
		return busy(d)
	}
	if err := newTestPull(t, h, store).run(t.Context(), blobs); err != nil {
		t.Fatal(err)
	}
	if len(store.files) != len(blobs) || h.requests() != len(blobs) {
		t.Errorf("%d files and %d requests, want %d", len(store.files), h.requests(), len(blobs))
	}
}

func TestPullReturnsErrorsOfTheStore(t *testing.T) {
	t.Parallel()
	full := errors.New("no space left on device")
	tests := map[string]struct {
		open   func(*memoryFile) (BlobFile, error)
		want   error // nil for a panic
		opened bool
	}{
		"open":                  {func(*memoryFile) (BlobFile, error) { return nil, full }, full, false},
		"write":                 {func(f *memoryFile) (BlobFile, error) { f.writeErr = full; return f, nil }, full, true},
		"panic of a connection": {func(f *memoryFile) (BlobFile, error) { return &panickingFile{f}, nil }, nil, true},
		"panic of a blob":       {func(f *memoryFile) (BlobFile, error) { return &panickingCommit{f}, nil }, nil, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, blobs := newBlobHost(t, newBlob(3*testPartSize))
			store, file := newMemoryStore(), &memoryFile{}
			store.open = func(Descriptor) (BlobFile, error) { return test.open(file) }
			err := newTestPull(t, h, store).run(t.Context(), blobs)
			_, isCall := errors.AsType[*CallError](err)
			_, panicked := errors.AsType[*PanicError](err)
			if isCall != (test.want == nil) || panicked != isCall || (test.want != nil && !errors.Is(err, test.want)) || file.closed != test.opened {
				t.Errorf("the error is %#v; the file is closed: %t", err, file.closed)
			}
		})
	}
}

type panickingFile struct{ *memoryFile }

func (*panickingFile) WriteAt([]byte, int64) (int, error) { panic("a bug") }

// panickingCommit panics outside of the connections.
type panickingCommit struct{ *memoryFile }

func (*panickingCommit) Commit() error { panic("a bug") }

func TestPullEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for name, busy := range map[string]bool{"during a download": false, "while a blob is busy": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, blobs := newBlobHost(t, newBlob(3*testPartSize))
			ctx, cancel := context.WithCancel(t.Context())
			h.serve = func(_ *blobHost, _ http.ResponseWriter, r *http.Request, _ []byte) {
				cancel()
				<-r.Context().Done()
			}
			store := newMemoryStore()
			if busy {
				store.open = func(Descriptor) (BlobFile, error) { cancel(); return nil, ErrBlobBusy }
			}
			err := newTestPull(t, h, store).run(ctx, blobs)
			if call, ok := errors.AsType[*CallError](err); !ok || !call.Canceled() {
				t.Errorf("the error is %#v", err)
			}
		})
	}
}

func TestPullThatTimesOutSaysWhatFailed(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		responses []int  // of the first part: a status, or 0 for a connection that breaks after some bytes
		want      string // the last error, or empty
	}{
		"a part fails":       {[]int{503}, "responded 503"},
		"after some bytes":   {[]int{0, 503}, "responded 503"},
		"bytes came last":    {[]int{503, 0}, ""},
		"everything is slow": {nil, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, blobs := newBlobHost(t, newBlob(2*testPartSize), newBlob(1))
			ctx, cancel := context.WithCancelCause(t.Context())
			var served atomic.Int64
			h.serve = func(_ *blobHost, w http.ResponseWriter, r *http.Request, blob []byte) {
				if len(blob) == 1 || strings.HasPrefix(r.Header.Get("Range"), fmt.Sprintf("bytes=%d-", testPartSize)) {
					<-r.Context().Done()
					return
				}
				n := int(served.Add(1)) - 1
				switch {
				case n == len(test.responses):
					cancel(context.DeadlineExceeded)
					<-r.Context().Done()
				case test.responses[n] == 0:
					serveRange(&cutWriter{w, 1000}, r, blob)
				default:
					refuse(w, test.responses[n], "later")
				}
			}
			err := newTestPull(t, h, newMemoryStore()).run(ctx, blobs)
			call, ok := errors.AsType[*CallError](err)
			if !ok || !call.TimedOut() || (call.Last != nil) != (test.want != "") || (test.want != "" && (call.Elapsed == 0 || !strings.Contains(call.Last.Error(), test.want))) {
				t.Errorf("the error is %#v", err)
			}
		})
	}
}

func TestRenewalsAreLimitedWithoutProgress(t *testing.T) {
	t.Parallel()
	b := &blobPull{}
	for i, written := range []int64{10, 10, 10, 20, 20, 3} { // At the end, the download has begun again.
		b.presigned = "refused"
		b.written.Store(written)
		if got, want := b.renew("refused"), i != maxRenewals; got != want {
			t.Errorf("after %d bytes: %t, want %t", written, got, want)
		}
	}
}

func TestPartsAreLimited(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{0, 1, partSize, partSize * maxParts, partSize*maxParts + 1, maxBlobSize} {
		b := &blobPull{pull: &pull{partSize: partSize, done: &atomic.Int64{}}, Descriptor: Descriptor{Digest: digest.FromString(""), Size: size}}
		missing := b.split(nil)
		var bytes int64
		for _, part := range missing {
			bytes += part.end - part.start
		}
		if len(missing) > maxParts || bytes != size {
			t.Errorf("%d parts with %d bytes, want %d", len(missing), bytes, size)
		}
	}
}

func TestPullOfAnInvalidBlobKeepsPartsOfOthers(t *testing.T) {
	t.Parallel()
	h, blobs := newBlobHost(t, newBlob(2*testPartSize), newBlob(1))
	var other sync.WaitGroup
	other.Add(1)
	h.serve = func(_ *blobHost, w http.ResponseWriter, r *http.Request, blob []byte) {
		if len(blob) == 1 {
			other.Wait()
			serveRange(w, r, []byte{^blob[0]})
			return
		}
		other.Done()
		<-r.Context().Done()
	}
	store, file := newMemoryStore(), &memoryFile{content: newBlob(testPartSize), finished: []int{0}}
	store.files[blobs[0].Digest] = file
	p := newTestPull(t, h, store)
	err := p.run(t.Context(), blobs)
	if _, invalid := errors.AsType[*InvalidResponseError](err); !invalid || file.resets > 0 || p.done.Load() != testPartSize {
		t.Errorf("the error is %v; the parts were removed: %t; %d bytes are done", err, file.resets > 0, p.done.Load())
	}
}
