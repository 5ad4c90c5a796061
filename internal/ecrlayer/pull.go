// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"
)

// MaxConnections is how many ranges a pull downloads at once, each by a connection
// of its own.
const MaxConnections = 32

const (
	// partSize is the bytes of a range, and maxParts the most ranges of a blob: those
	// of a larger blob have more bytes.
	partSize = 8 << 20
	maxParts = 10_000
	// maxOpenBlobs is how many blobs have a file and a URL at once: more than are
	// downloaded, so that no connection waits for a URL.
	maxOpenBlobs = 2 * MaxConnections
	// copySize is the bytes that are written, or read and hashed, at once.
	copySize = 256 << 10
	// stallTimeout is how long a connection may bring nothing.
	stallTimeout = 30 * time.Second
	// maxBusyWait is the longest time between two looks at a blob that is busy.
	maxBusyWait = 100 * time.Millisecond
)

// ErrBlobBusy is what a [BlobStore] returns for a blob that another pull downloads.
var ErrBlobBusy = errors.New("another pull downloads the blob")

// BlobStore is where [Client.Pull] puts blobs. It is called concurrently.
type BlobStore interface {
	// Open returns the file for a blob, nil if the store has the blob already, or
	// [ErrBlobBusy].
	Open(ctx context.Context, blob Descriptor) (BlobFile, error)
}

// BlobFile is a blob that is being downloaded in parts, which are numbered from 0. It
// is called concurrently.
type BlobFile interface {
	io.ReaderAt
	io.WriterAt
	// Finished returns the parts that an earlier pull wrote. They are not trusted.
	Finished() []int
	// Finish records a part for a later pull. It is not called for the only part of a
	// blob, after which Commit follows at once.
	Finish(part int) error
	// Reset removes what was written.
	Reset() error
	// Commit gives the verified blob its name.
	Commit() error
	// Close is called last. Without Commit, what was written remains for a later pull.
	Close() error
}

// Pull downloads the blobs that store does not have, in their order, up to
// [MaxConnections] ranges at once, and adds the bytes that the store has to done. It
// makes one call of GetDownloadUrlForLayer per blob, and one more each time that a URL
// has expired.
//
// A range that breaks off is continued as often as the client retries; attempts that
// brought bytes do not count. A host that does not serve ranges is read from the start.
// A blob is committed when its size and digest are verified.
//
// A failed call is a *CallError; that of the download wraps a *DownloadError, or an
// *InvalidResponseError if the blob has another size or digest. Errors of store are
// returned as they are.
func (c *Client) Pull(ctx context.Context, repo Repository, blobs []Descriptor, store BlobStore, done *atomic.Int64) error {
	p := &pull{c: c, repo: c.withRegion(repo), store: store, done: done, partSize: partSize, stall: func() time.Duration { return stallTimeout }}
	return p.run(ctx, blobs)
}

type pull struct {
	c     *Client
	repo  Repository
	store BlobStore
	done  *atomic.Int64

	retryer  aws.RetryerV2
	queue    chan *part
	partSize int64
	stall    func() time.Duration      // of the next request
	failing  atomic.Pointer[CallError] // says why a pull that timed out did not succeed
}

func (p *pull) run(ctx context.Context, blobs []Descriptor) error {
	p.queue = make(chan *part)
	p.retryer = p.c.retryer(&Call{Operation: OperationDownload, Repository: p.repo}, p.c.ecr.Options().Retryer)
	var connections sync.WaitGroup
	defer connections.Wait()
	defer close(p.queue)
	for range MaxConnections {
		connections.Go(p.downloadParts)
	}
	group, groupCtx := errgroup.WithContext(ctx)
	slots := make(chan struct{}, maxOpenBlobs)
	for _, blob := range blobs {
		slots <- struct{}{}
		group.Go(func() error {
			defer func() { <-slots }()
			err := Recovering(func() error { return p.pullBlob(groupCtx, blob, slots) })
			if call, ok := errors.AsType[*CallError](err); ok && call.TimedOut() && call.Last != nil {
				p.failing.Store(call)
			}
			return err
		})
	}
	err := group.Wait()
	if failing := p.failing.Load(); failing != nil && ctx.Err() != nil {
		return failing
	}
	_, isCall := errors.AsType[*CallError](err)
	_, panicked := errors.AsType[*PanicError](err)
	if err != nil && !isCall && (panicked || ctx.Err() != nil) {
		err = p.fail(ctx, Call{Operation: OperationDownload, Repository: p.repo}, err)
	}
	return err
}

// fail returns the error of a call.
func (p *pull) fail(ctx context.Context, call Call, err error) error {
	call.Err = summarize(err)
	return &CallError{Call: call, cause: context.Cause(ctx)}
}

// downloadParts downloads parts until there are no more.
func (p *pull) downloadParts() {
	buffer := make([]byte, copySize+1)
	for part := range p.queue {
		if err := Recovering(func() error { return part.download(buffer) }); err != nil {
			part.blob.stop(err)
		}
		part.blob.pending.Done()
	}
}

// pullBlob downloads a blob unless the store has it. It occupies one of slots, but not
// while another pull downloads the blob.
func (p *pull) pullBlob(ctx context.Context, d Descriptor, slots chan struct{}) error {
	for wait := time.Millisecond; ; wait = min(2*wait, maxBusyWait) {
		file, err := p.store.Open(ctx, d)
		switch {
		case errors.Is(err, ErrBlobBusy):
			<-slots
			err = sleep(ctx, wait)
			slots <- struct{}{}
			if err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		case file == nil:
			p.done.Add(d.Size)
			return nil
		}
		return p.pullInto(ctx, d, file)
	}
}

func (p *pull) pullInto(ctx context.Context, d Descriptor, file BlobFile) (err error) {
	defer func() { err = cmp.Or(err, file.Close()) }() // Also after a panic, so that others get the blob.
	b := &blobPull{pull: p, Descriptor: d, file: file}
	return b.run(ctx)
}

// blobPull is a blob that is being downloaded to a file.
type blobPull struct {
	*pull
	Descriptor
	file  BlobFile
	parts []*part
	ctx   context.Context
	// stop ends the download of all parts.
	stop context.CancelCauseFunc
	// pending are the parts that connections have.
	pending sync.WaitGroup
	// probed is closed when the first response has shown whether the host serves
	// ranges. If not, stream is set.
	probed chan struct{}
	stream bool
	// digester has the parts so far. Those of a blob that is inOrder are hashed when
	// they are written.
	digester digest.Digester
	inOrder  bool

	written atomic.Int64 // bytes, those of finished parts included

	urlMu     sync.Mutex
	presigned string
	renewals  int   // of the URL without progress
	renewedAt int64 // written at the last renewal
}

// part is a range of a blob.
type part struct {
	blob       *blobPull
	number     int
	start, end int64
	at         int64         // the next byte
	written    chan struct{} // closed when the file has the part
	finished   bool          // the file has recorded the part
	call       Call          // the requests for the part
	probe      bool          // nothing is known of the host yet
}

// run downloads, verifies and commits the blob. If parts of an earlier pull are wrong,
// it begins again without them.
func (b *blobPull) run(ctx context.Context) error {
	began := time.Now()
	finished := b.file.Finished()
	err := b.download(ctx, finished)
	if b.isInvalid(err) && len(finished) > 0 {
		if err := b.reset(); err != nil {
			return err
		}
		err = b.download(ctx, nil)
	}
	if err == nil {
		call := b.sum()
		call.Elapsed = time.Since(began)
		b.c.observe(ctx, call)
		return b.file.Commit()
	}
	if call := b.failure(err); call != nil {
		call.Elapsed = time.Since(began)
		if ctx.Err() == nil {
			b.c.observe(ctx, call.Call)
		}
	}
	if b.isInvalid(err) {
		err = cmp.Or(err, b.reset())
	}
	return err
}

// failure returns err if the download of this blob failed, or else nil: also for the
// error of another blob, which ends all downloads.
func (b *blobPull) failure(err error) *CallError {
	if call, ok := errors.AsType[*CallError](err); ok && call.Operation == OperationDownload && call.Resource == b.Digest.String() {
		return call
	}
	return nil
}

// isInvalid reports whether the host served something else than this blob.
func (b *blobPull) isInvalid(err error) bool {
	_, invalid := errors.AsType[*InvalidResponseError](err)
	return invalid && b.failure(err) != nil
}

// reset forgets what was downloaded.
func (b *blobPull) reset() error {
	b.count(-b.written.Load())
	return b.file.Reset()
}

// download downloads and verifies the blob, but not the finished parts. All
// connections are done with the file when it returns.
func (b *blobPull) download(parent context.Context, finished []int) error {
	ctx, stop := context.WithCancelCause(parent)
	b.ctx, b.stop, b.probed, b.stream = ctx, stop, make(chan struct{}), false
	missing := b.split(finished)
	var err error
	if len(missing) > 0 {
		_, err = b.url()
	}
	if err == nil {
		b.pending.Go(func() { b.dispatch(missing) })
		err = b.verify()
	}
	stop(err)
	b.pending.Wait()
	switch err.(type) { //nolint:errorlint // These are errors of verify, as it returns them.
	case nil, *CallError:
	case *InvalidResponseError:
		err = b.fail(ctx, b.sum(), err)
	default:
		if parent.Err() != nil {
			err = b.fail(ctx, b.sum(), err)
		}
	}
	if err != nil {
		var kept int64 // What is not finished does not remain for a later pull.
		for _, part := range b.parts {
			if part.finished {
				kept += part.end - part.start
			}
		}
		b.count(kept - b.written.Load())
	}
	return err
}

func (b *blobPull) newCall() Call {
	return Call{Operation: OperationDownload, Repository: b.repo, Resource: b.Digest.String()}
}

// sum returns the requests for all parts as one call: the last one, or the last that
// failed.
func (b *blobPull) sum() Call {
	sum := b.newCall()
	for _, part := range b.parts {
		attempts := sum.Attempts + part.call.Attempts
		if part.call.Attempts > 0 && (part.call.Last != nil || sum.Last == nil) {
			sum = part.call
		}
		sum.Attempts = attempts
	}
	return sum
}

// split sets the parts, and returns those that are not finished.
func (b *blobPull) split(finished []int) []*part {
	b.parts = nil
	size := max(b.partSize, b.Size/maxParts+1)
	for start := int64(0); start < b.Size; start += size {
		end := start + min(size, b.Size-start)
		b.parts = append(b.parts, &part{blob: b, number: len(b.parts), start: start, end: end, at: start, written: make(chan struct{}), call: b.newCall()})
	}
	var missing []*part
	for _, part := range b.parts {
		if slices.Contains(finished, part.number) {
			part.finished = true
			close(part.written)
			b.count(part.end - part.start)
			continue
		}
		missing = append(missing, part)
	}
	b.digester, b.inOrder = b.Digest.Algorithm().Digester(), len(b.parts) == 1 && len(missing) == 1
	return missing
}

// dispatch gives parts to the connections: the others after the first one, which shows
// whether the host serves ranges.
func (b *blobPull) dispatch(missing []*part) {
	for i, part := range missing {
		part.probe = i == 0
		b.pending.Add(1)
		select {
		case b.queue <- part:
		case <-b.ctx.Done():
			b.pending.Done()
			return
		}
		if i > 0 {
			continue
		}
		select {
		case <-b.probed:
		case <-b.ctx.Done():
			return
		}
		if b.stream {
			return
		}
	}
}

// verify hashes the parts as they are written. A blob of one part arrives in order, and
// is hashed by the connection.
func (b *blobPull) verify() error {
	var buffer []byte
	for _, part := range b.parts {
		select {
		case <-part.written:
		case <-b.ctx.Done():
			return context.Cause(b.ctx)
		}
		if b.inOrder {
			break
		}
		if buffer == nil {
			buffer = make([]byte, copySize)
		}
		if _, err := io.CopyBuffer(b.digester.Hash(), io.NewSectionReader(b.file, part.start, part.end-part.start), buffer); err != nil {
			return err
		}
	}
	if actual := b.digester.Digest(); actual != b.Digest {
		return &InvalidResponseError{Reason: fmt.Sprintf("the blob has the digest %s, according to the manifest %s (%d bytes)", actual, b.Digest, b.Size)}
	}
	return nil
}

// url returns the pre-signed URL of the blob.
func (b *blobPull) url() (string, error) {
	b.urlMu.Lock()
	defer b.urlMu.Unlock()
	if b.presigned == "" {
		fresh, err := b.c.DownloadURL(b.ctx, b.repo, b.Digest)
		if err != nil {
			return "", err
		}
		b.presigned = fresh.URL
	}
	return b.presigned, nil
}

// renew makes url return another URL than the refused one. It returns false if too many
// were refused since a connection last brought bytes.
func (b *blobPull) renew(refused string) bool {
	b.urlMu.Lock()
	defer b.urlMu.Unlock()
	if b.presigned != refused {
		return true // by another connection
	}
	if written := b.written.Load(); written != b.renewedAt {
		b.renewals, b.renewedAt = 0, written
	}
	if b.renewals == maxRenewals {
		return false
	}
	b.renewals++
	b.presigned = ""
	return true
}

// count adds bytes that the file has.
func (b *blobPull) count(n int64) {
	b.written.Add(n)
	b.done.Add(n)
}

// Recovering runs f, in a goroutine where a panic would end the process, and returns the
// panic as a *PanicError.
func Recovering(f func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &PanicError{Value: value, Stack: debug.Stack()}
		}
	}()
	return f()
}
