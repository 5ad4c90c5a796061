// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/transport"
)

const (
	// maxRenewals is how many new URLs may be refused in a row.
	maxRenewals = 2
	// minProgress is how many bytes an attempt must bring so that the next one follows
	// at once.
	minProgress = 64 << 10
)

// download downloads a part, or all parts if the host serves no ranges.
func (p *part) download(buffer []byte) error {
	b, whole := p.blob, false
	for attempt := 1; ; attempt++ {
		presigned, err := b.url()
		if err != nil {
			return err
		}
		release, err := b.retryer.GetAttemptToken(b.ctx)
		if err != nil {
			return b.fail(b.ctx, p.call, err)
		}
		before := p.at
		err = p.request(presigned, whole, buffer)
		_ = release(err)
		if err == nil {
			return nil
		}
		if stored, ok := errors.AsType[*storeError](err); ok {
			return stored.error
		}
		brought := p.at - before
		if brought > 0 {
			attempt, p.call.Last = 0, nil
		}
		status := 0
		if response, ok := errors.AsType[*DownloadError](err); ok {
			status = response.StatusCode
		}
		limit := b.retryer.MaxAttempts()
		switch {
		case b.ctx.Err() != nil:
			return b.fail(b.ctx, p.call, err)
		case refusesURL(status) && b.renew(presigned):
		case !whole && p.ranged() && (refusesURL(status) || refusesRange(status)):
			whole = true
		case !b.retryer.IsErrorRetryable(err) || (attempt >= limit && limit > 0):
			return b.fail(b.ctx, p.call, err)
		case brought < minProgress:
			delay, last := b.retryer.RetryDelay(attempt, err)
			if last != nil || sleep(b.ctx, delay) != nil {
				return b.fail(b.ctx, p.call, err)
			}
		}
	}
}

// refusesURL reports whether a URL may have expired.
func refusesURL(status int) bool {
	return slices.Contains([]int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden}, status)
}

// refusesRange reports whether the host may not know ranges.
func refusesRange(status int) bool {
	return slices.Contains([]int{http.StatusMethodNotAllowed, http.StatusRequestedRangeNotSatisfiable, http.StatusNotImplemented}, status)
}

// ranged reports whether the next request is one for a range.
func (p *part) ranged() bool {
	return p.at > 0 || p.until() < p.blob.Size
}

// until returns the end of what is to be downloaded.
func (p *part) until() int64 {
	if p.blob.stream {
		return p.blob.Size
	}
	return p.end
}

var errStalled = errors.New("the connection brought nothing for a while")

// request makes one request for what is missing, and writes the response. whole is
// set if the host refuses ranges.
func (p *part) request(presigned string, whole bool, buffer []byte) error {
	b := p.blob
	ctx, stop := context.WithCancelCause(transport.WithMaxResponse(b.ctx, 0))
	defer stop(nil)
	stall := b.stall()
	stalled := time.AfterFunc(stall, func() { stop(errStalled) })
	defer stalled.Stop()
	header := http.Header{}
	if p.ranged() && !whole {
		header.Set("Range", fmt.Sprintf("bytes=%d-%d", p.at, p.until()-1))
	}
	isBlob := func(status int) bool { return status == http.StatusOK || status == http.StatusPartialContent }
	err := b.c.get(ctx, &p.call, presigned, header, isBlob, func(response *http.Response) error {
		skip, err := p.check(response)
		if err != nil {
			return err
		}
		if p.probe {
			p.probe = false
			if b.stream = response.StatusCode == http.StatusOK; b.stream {
				b.reopen(b.parts[p.number+1:])
			}
			close(b.probed)
		}
		return p.read(&watchedReader{response.Body, stalled, stall}, skip, buffer)
	})
	if err != nil && errors.Is(context.Cause(ctx), errStalled) {
		return &smithyhttp.RequestSendError{Err: fmt.Errorf("after %d of %d bytes: %w", p.at, b.Size, errStalled)}
	}
	return err
}

// reopen makes parts unfinished, because a stream writes them again. verify waits for an
// earlier part.
func (b *blobPull) reopen(parts []*part) {
	for _, part := range parts {
		if part.finished {
			part.finished, part.written = false, make(chan struct{})
			b.count(part.start - part.end)
		}
	}
}

// read writes a response, but not the bytes to skip.
func (p *part) read(body io.Reader, skip int64, buffer []byte) error {
	b := p.blob
	_, err := io.CopyN(io.Discard, body, skip)
	for err == nil && p.at < p.until() {
		left := p.until() - p.at
		size := min(copySize, left)
		if size == left && p.until() == b.Size {
			size++ // tells a larger blob
		}
		var n int
		n, err = io.ReadFull(body, buffer[:size])
		if int64(n) > left {
			return &InvalidResponseError{Reason: fmt.Sprintf("the blob has more than %d bytes, and %[1]d according to the manifest", b.Size)}
		}
		if stored := p.write(buffer[:n]); stored != nil {
			return &storeError{stored}
		}
	}
	switch {
	case p.at == p.until():
		return nil
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	err = fmt.Errorf("after %d of %d bytes: %w", p.at, b.Size, err)
	if skip > 0 {
		err = fmt.Errorf("the host does not serve ranges, and the connection broke %w", err)
	}
	return &smithyhttp.RequestSendError{Err: err} // Another attempt may succeed.
}

// check returns how many bytes of the body to skip.
func (p *part) check(response *http.Response) (skip int64, err error) {
	b, size := p.blob, ""
	switch response.StatusCode {
	case http.StatusPartialContent:
		var first, last int64
		served := response.Header.Get("Content-Range")
		if _, err := fmt.Sscanf(served, "bytes %d-%d/%s", &first, &last, &size); err != nil || first != p.at || last < first {
			return 0, &InvalidResponseError{Reason: fmt.Sprintf("the response to a request for bytes %d to %d has the range %s", p.at, p.until()-1, quote(hostSays(response, served, maxQuoted)))}
		}
	case http.StatusOK:
		skip = p.at
		if response.ContentLength >= 0 {
			size = strconv.FormatInt(response.ContentLength, 10)
		}
	default:
		return 0, newDownloadError(response)
	}
	if size != "" && size != "*" && size != strconv.FormatInt(b.Size, 10) {
		return 0, &InvalidResponseError{Reason: fmt.Sprintf("the blob has %s bytes, and %d according to the manifest", hostSays(response, size, maxQuoted), b.Size)}
	}
	return skip, nil
}

// write writes the next bytes of the part.
func (p *part) write(content []byte) error {
	b := p.blob
	if _, err := b.file.WriteAt(content, p.at); err != nil {
		return err
	}
	if b.inOrder {
		_, _ = b.digester.Hash().Write(content)
	}
	b.count(int64(len(content)))
	p.at += int64(len(content))
	for _, written := range b.parts[p.number:] {
		if written.end > p.at {
			break
		}
		if written.finished {
			continue
		}
		close(written.written)
		if b.inOrder {
			break // The blob is committed next.
		}
		written.finished = true
		if err := b.file.Finish(written.number); err != nil {
			return err
		}
	}
	return nil
}

// storeError is an error that has nothing to do with the call.
type storeError struct{ error }

// watchedReader restarts a timer whenever bytes arrive.
type watchedReader struct {
	io.Reader
	stalled *time.Timer
	after   time.Duration
}

func (r *watchedReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.stalled.Reset(r.after)
	return n, err
}
