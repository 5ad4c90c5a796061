// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package layout

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

// store is the blobs of a layout. It is an [ecrlayer.BlobStore].
type store struct {
	layout *Layout
	known  Record // verified earlier

	mu  sync.Mutex
	now Record // verified or written
}

func (s *store) record(d digest.Digest, stamp Stamp) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now[d] = stamp
}

// Open implements [ecrlayer.BlobStore].
func (s *store) Open(ctx context.Context, blob ecrlayer.Descriptor) (ecrlayer.BlobFile, error) {
	if intact, err := s.has(ctx, blob); err != nil || intact {
		return nil, err
	}
	p, err := s.layout.openPart(ctx, blob)
	if err != nil {
		return nil, err
	}
	// Another run may have finished it in the meantime.
	if intact, err := s.has(ctx, blob); err != nil || intact {
		return nil, errors.Join(err, p.Close())
	}
	p.store = s
	return p, nil
}

// has reports whether a blob is intact, and records it.
func (s *store) has(ctx context.Context, blob ecrlayer.Descriptor) (bool, error) {
	before := s.known[blob.Digest]
	before[0] = blob.Size
	stamp, wrong, err := s.layout.inspect(ctx, blob.Digest, before)
	if err != nil || wrong != "" {
		return false, err
	}
	s.record(blob.Digest, stamp)
	return true, nil
}

// put writes a manifest unless it is there.
func (s *store) put(ctx context.Context, m ecrlayer.GraphManifest) error {
	for {
		file, err := s.Open(ctx, m.Descriptor)
		if errors.Is(err, ecrlayer.ErrBlobBusy) {
			select {
			case <-time.After(pollLock):
				continue
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if err != nil || file == nil {
			return err
		}
		_, err = file.WriteAt([]byte(m.Content), 0)
		if err == nil {
			err = file.Commit()
		}
		return errors.Join(err, file.Close())
	}
}

// part is a blob that is being downloaded. It is an [ecrlayer.BlobFile].
type part struct {
	*os.File
	store     *store
	layout    *Layout
	digest    digest.Digest
	held      *flock.Flock
	finished  []int
	done      *os.File // the finished parts, one per line
	size      int64
	mu        sync.Mutex
	committed bool // the blob has its name
}

// The extensions of a part's files: its content, the numbers of its finished parts, and
// its lock.
const (
	extContent  = ".part"
	extFinished = ".done"
	extLock     = ".lock"
)

// partPath returns the path of a part's files without an extension.
func (l *Layout) partPath(d digest.Digest) string {
	return filepath.Join(l.own(), d.Algorithm().String()+"-"+d.Encoded())
}

// openPart opens and locks the part of a blob, or returns [ecrlayer.ErrBlobBusy].
func (l *Layout) openPart(ctx context.Context, blob ecrlayer.Descriptor) (*part, error) {
	path := l.partPath(blob.Digest)
	p := &part{layout: l, digest: blob.Digest, size: blob.Size, held: newLock(path + extLock)}
	err := l.locked(ctx, func() error {
		free, err := p.held.TryLock()
		switch {
		case err != nil:
			return err
		case !free:
			return ecrlayer.ErrBlobBusy
		}
		if p.File, err = os.OpenFile(path+extContent, os.O_RDWR|os.O_CREATE, 0o666); err != nil { //nolint:gosec // The umask restricts it.
			return errors.Join(err, p.held.Close())
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(path + extFinished) //nolint:gosec // The user names the directory.
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, errors.Join(err, p.Close())
	}
	for line := range strings.Lines(string(content)) {
		if number, err := strconv.Atoi(strings.TrimSuffix(line, "\n")); err == nil && strings.HasSuffix(line, "\n") {
			p.finished = append(p.finished, number)
		}
	}
	return p, nil
}

// Finished implements [ecrlayer.BlobFile].
func (p *part) Finished() []int { return p.finished }

// Finish implements [ecrlayer.BlobFile].
func (p *part) Finish(number int) (err error) {
	startSync(p.File)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done == nil {
		if p.done, err = os.OpenFile(p.layout.partPath(p.digest)+extFinished, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o666); err != nil { //nolint:gosec // The umask restricts it.
			return err
		}
	}
	p.finished = append(p.finished, number)
	_, err = fmt.Fprintln(p.done, number)
	return err
}

// Reset implements [ecrlayer.BlobFile].
func (p *part) Reset() error {
	p.finished = nil
	if err := os.Truncate(p.layout.partPath(p.digest)+extFinished, 0); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return p.Truncate(0)
}

// Commit implements [ecrlayer.BlobFile].
func (p *part) Commit() error {
	path := p.layout.blob(p.digest)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil { //nolint:gosec // The umask restricts it.
		return err
	}
	// A part of an earlier run may be longer.
	if err := errors.Join(p.Truncate(p.size), p.Sync(), p.File.Close()); err != nil {
		return err
	}
	if err := os.Rename(p.Name(), path); err != nil {
		return err
	}
	p.committed = true
	stamp, err := newStamp(path)
	p.store.record(p.digest, stamp)
	return err
}

// Close implements [ecrlayer.BlobFile].
func (p *part) Close() error {
	err := p.File.Close()
	if errors.Is(err, os.ErrClosed) {
		err = nil // by Commit
	}
	if p.done != nil {
		err = errors.Join(err, p.done.Close())
	}
	if p.committed || len(p.finished) == 0 {
		// What the context of the pull says does not matter any more. What cannot be
		// removed harms nobody.
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = p.layout.locked(ctx, func() error {
			_ = p.held.Close() // Nobody can have it before it is removed.
			return p.layout.removePartFiles(p.digest)
		})
	}
	return errors.Join(err, p.held.Close())
}

// removePart removes the files of a part, unless somebody has it. It is called with the
// lock of the layout.
func (l *Layout) removePart(d digest.Digest) error {
	path := l.partPath(d) + extLock
	if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
		return nil // It is the first file, and the last.
	}
	lock := newLock(path)
	if free, err := lock.TryLock(); err != nil || !free {
		return err
	}
	if err := lock.Close(); err != nil {
		return err
	}
	return l.removePartFiles(d)
}

// removePartFiles removes the files of a part that nobody has.
func (l *Layout) removePartFiles(d digest.Digest) error {
	path := l.partPath(d)
	for _, ext := range []string{extContent, extFinished, extLock} {
		if err := os.Remove(path + ext); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
