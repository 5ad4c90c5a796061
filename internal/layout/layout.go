// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

// Package layout is images on the local disk, in directories that several resources,
// processes and other tools share:
//
//	oci-layout, index.json, blobs/    an OCI image layout
//	.ecrlayer/lock                    held for milliseconds, around index.json and all below
//	.ecrlayer/run-*                   what a pull needs and what is to be removed, and a lock
//	.ecrlayer/<algorithm>-<hex>.*     a blob that is being downloaded, and a lock of who does
//	.ecrlayer/*.new                   a file that is about to replace another
//
// See https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
package layout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

// Layout is a directory with an OCI image layout. It may not exist yet.
type Layout struct {
	dir string
	mu  sync.Mutex // keeps this process from polling its own lock
}

// New returns the layout in a directory.
func New(dir string) *Layout {
	return &Layout{dir: dir}
}

// Image is what an entry of index.json says.
type Image struct {
	// Key identifies the entry: where the image is from.
	Key string
	// Owner identifies who wrote the entry last, and only who may remove it.
	Owner string
	// RefName is the entry's org.opencontainers.image.ref.name, or empty.
	RefName string
	// Graph is the content.
	*ecrlayer.Graph
}

// NameError is a RefName that another entry has.
type NameError struct {
	RefName string
	// Digest is that of the other entry.
	Digest digest.Digest
}

// Error says who has the name.
func (e *NameError) Error() string {
	return fmt.Sprintf("index.json already has an entry named %q, for %s", e.RefName, e.Digest)
}

// Write downloads what is missing of an image, and makes it an entry of index.json.
// The entry replaces that with its key, whoever owns it, and its owner's with the replaced
// key, and the blobs of these that no other entry names are removed. It adds the bytes
// that are there to done.
//
// known is what was verified earlier. The result has all blobs and manifests of the
// image. The warning, unless empty, says why blobs were not removed; the next
// [Layout.Remove] tries again.
//
// What was downloaded before an error remains for the next Write with the same key, and
// is otherwise removed by the next [Layout.Remove]. The error is a *NameError, one of
// [ecrlayer.Client.Pull], or one of the file system.
func (l *Layout) Write(ctx context.Context, c *ecrlayer.Client, image Image, replaced string, known Record, done *atomic.Int64) (now Record, warning string, err error) {
	for _, dir := range []string{l.own(), filepath.Join(l.dir, ocispec.ImageBlobsDir)} {
		if err := os.MkdirAll(dir, 0o777); err != nil { //nolint:gosec // The umask restricts it.
			return nil, "", err
		}
	}
	r, err := l.begin(ctx, image, replaced)
	if err != nil {
		return nil, "", err
	}
	defer r.release()
	s := &store{layout: l, known: known, now: Record{}}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	group.Go(func() error {
		return ecrlayer.Recovering(func() error { return c.Pull(groupCtx, image.Repository, image.Blobs, s, done) })
	})
	for _, manifest := range image.Manifests {
		group.Go(func() error {
			defer done.Add(manifest.Size)
			return ecrlayer.Recovering(func() error { return s.put(groupCtx, manifest) })
		})
	}
	if err := group.Wait(); err != nil {
		return nil, "", err
	}
	if err := l.syncBlobs(s.now); err != nil {
		return nil, "", err
	}
	err = l.locked(ctx, func() error {
		r.Left = slices.AppendSeq(slices.AppendSeq(r.Left, maps.Keys(known)), maps.Keys(s.now))
		index, err := l.replace(r, image, replaced)
		if err != nil {
			return err
		}
		if err := l.writeIndex(index); err != nil {
			return err
		}
		if warning, err = l.settle(r, index); err != nil {
			warning = fmt.Sprintf("What is no longer needed was not removed: %v", err)
		}
		return nil
	})
	return s.now, warning, err
}

// Remove removes the entry with a key and an owner, and the blobs that no other entry
// names: those of known, of the entry, and of runs that never ended. The warning, unless
// empty, says why blobs were not removed; the next Remove tries again. After an error the
// entry is still there. Without index.json, which says what is needed, it does nothing.
func (l *Layout) Remove(ctx context.Context, key, owner string, known Record) (warning string, err error) {
	if _, err := os.Stat(filepath.Join(l.dir, ocispec.ImageIndexFile)); errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err := os.MkdirAll(l.own(), 0o777); err != nil { //nolint:gosec // The umask restricts it.
		return "", err
	}
	r := l.newRun(key)
	defer r.release()
	err = l.locked(ctx, func() error {
		_, dead, err := l.runs()
		if err != nil {
			return err
		}
		r.Left = slices.AppendSeq(r.Left, maps.Keys(known))
		if err := r.start(dead); err != nil {
			return err
		}
		index, err := l.replace(r, Image{Owner: owner}, key)
		if err != nil {
			return err
		}
		// First the blobs, because what has no entry is not removed again.
		if warning, err = l.settle(r, index); err != nil {
			return err
		}
		return l.writeIndex(index)
	})
	return warning, err
}

// settle removes what a run left behind and index does not need, and then its file. It
// is called with the lock.
func (l *Layout) settle(r *run, index *index) (warning string, err error) {
	if warning, err = l.collect(r.Left, index); err == nil && warning == "" {
		return "", r.remove()
	}
	r.Needs = nil
	return warning, errors.Join(err, r.save())
}

// writers is how many manifests are written at once, beside the blobs.
const writers = 16

// ownDir is the directory of this package's files.
const ownDir = ".ecrlayer"

func (l *Layout) own() string { return filepath.Join(l.dir, ownDir) }

// blob returns the path of a blob.
func (l *Layout) blob(d digest.Digest) string {
	return filepath.Join(l.dir, ocispec.ImageBlobsDir, d.Algorithm().String(), d.Encoded())
}

// pollLock is how long to wait for a lock that is held for milliseconds.
const pollLock = 2 * time.Millisecond

// locked runs f with the lock of the layout.
func (l *Layout) locked(ctx context.Context, f func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	lock := newLock(filepath.Join(l.own(), "lock"))
	if _, err := lock.TryLockContext(ctx, pollLock); err != nil {
		return err
	}
	defer lock.Close()
	return f()
}

func newLock(path string) *flock.Flock {
	// The umask restricts the permissions. NFS locks only what is open for writing.
	return flock.New(path, flock.SetPermissions(0o666), flock.SetFlag(os.O_CREATE|os.O_RDWR))
}

// collect removes the blobs and unfinished downloads of candidates that no entry of index
// and no pull needs, and what was left beside a finished blob. It is called with the lock.
func (l *Layout) collect(candidates []digest.Digest, index *index) (warning string, err error) {
	if len(candidates) == 0 {
		return "", nil
	}
	live, _, err := l.runs()
	if err != nil {
		return "", err
	}
	needed := map[digest.Digest]bool{}
	for _, r := range live {
		for _, d := range r.Needs {
			needed[d] = true
		}
	}
	named := map[digest.Digest]bool{}
	for _, entry := range index.entries() {
		if err := l.walk(entry, named); err != nil {
			return fmt.Sprintf("No blob was removed, because the entry %s of index.json cannot be read, which may need them: %v", entry.Digest, err), nil
		}
	}
	for _, d := range candidates {
		if d.Validate() != nil { // Not even digests of this package's files are trusted in a path.
			continue
		}
		if !needed[d] && !named[d] {
			if err := os.Remove(l.blob(d)); err != nil && !errors.Is(err, os.ErrNotExist) {
				return "", err
			}
		} else if _, err := os.Lstat(l.blob(d)); err != nil {
			continue // A part may be continued.
		}
		if err := l.removePart(d); err != nil {
			return "", err
		}
	}
	return "", nil
}

// syncBlobs makes the names of blobs durable, before index.json names them.
func (l *Layout) syncBlobs(record Record) error {
	dirs := map[string]bool{}
	for d := range record {
		dirs[filepath.Dir(l.blob(d))] = true
	}
	for dir := range dirs {
		if err := syncDir(dir); err != nil {
			return err
		}
	}
	return nil
}
