// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package layout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

// Stamp is what a file looks like without reading it: its size in bytes, and its times
// of modification and, on Unix, of change in nanoseconds.
type Stamp [3]int64

func (s Stamp) size() int64 { return s[0] }

var errIrregular = errors.New("is not a regular file")

// newStamp returns the stamp of a file. It follows no symbolic link.
func newStamp(path string) (Stamp, error) {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return Stamp{}, err
	case !info.Mode().IsRegular():
		return Stamp{}, fmt.Errorf("%s %w", path, errIrregular)
	}
	changed, err := changeTime(path)
	return Stamp{info.Size(), info.ModTime().UnixNano(), changed}, err
}

// Record is what verified blobs and manifests look like.
type Record map[digest.Digest]Stamp

// Entry is an entry of index.json.
type Entry struct {
	Digest  digest.Digest
	RefName string
}

// Find returns the entry with a key, or nil if the layout has none.
func (l *Layout) Find(key string) (*Entry, error) {
	i, err := l.readIndex()
	if err != nil {
		return nil, err
	}
	for _, d := range i.entries() {
		if d.Annotations[AnnotationKey] == key {
			return &Entry{d.Digest, d.Annotations[ocispec.AnnotationRefName]}, nil
		}
	}
	return nil, nil
}

// readers is how many blobs are read at once.
const readers = 2

// Check returns what is intact of known, and what is wrong with the rest, sorted. It
// reads only what does not look as it did when it was verified.
func (l *Layout) Check(ctx context.Context, known Record) (now Record, damage []string, err error) {
	now = make(Record, len(known))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	var mu sync.Mutex
	for d, before := range known {
		group.Go(func() error {
			var stamp Stamp
			var wrong string
			err := ecrlayer.Recovering(func() (err error) {
				stamp, wrong, err = l.inspect(groupCtx, d, before)
				return err
			})
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			if wrong != "" {
				damage = append(damage, d.String()+" "+wrong)
			} else {
				now[d] = stamp
			}
			return nil
		})
	}
	err = group.Wait()
	slices.Sort(damage)
	return now, damage, err
}

// inspect returns what a blob looks like and, unless it is intact, what is wrong with
// it. It reads the blob unless it looks as before.
func (l *Layout) inspect(ctx context.Context, d digest.Digest, before Stamp) (stamp Stamp, wrong string, err error) {
	stamp, err = newStamp(l.blob(d))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return stamp, "is missing", nil
	case errors.Is(err, errIrregular):
		return stamp, errIrregular.Error(), nil
	case err != nil:
		return stamp, "", err
	case stamp.size() != before.size():
		return stamp, fmt.Sprintf("has %d bytes instead of %d", stamp.size(), before.size()), nil
	case stamp == before:
		return stamp, "", nil
	}
	file, err := open(l.blob(d))
	if err != nil {
		return stamp, "", err
	}
	defer file.Close()
	digester := d.Algorithm().Digester()
	if _, err := io.CopyBuffer(digester.Hash(), &reader{file, ctx}, make([]byte, readSize)); err != nil {
		return stamp, "", err
	}
	if digester.Digest() != d {
		return stamp, "was altered", nil
	}
	return stamp, "", nil
}

const readSize = 256 << 10

// reader ends with a context.
type reader struct {
	io.Reader
	ctx context.Context
}

func (r *reader) Read(p []byte) (int, error) {
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
