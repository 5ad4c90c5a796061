// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package layout

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gofrs/flock"
	"github.com/opencontainers/go-digest"
)

// run is a download of an image. While its process lives, nobody removes what it needs.
// Afterwards, its file says what it has left behind.
type run struct {
	// Key is that of the image.
	Key string
	// Needs are the digests of the image.
	Needs []digest.Digest
	// Left are the digests that may no longer be needed when the run ends.
	Left []digest.Digest

	path string // without an extension
	held *flock.Flock
}

// newRun returns a run that has not started.
func (l *Layout) newRun(key string) *run {
	path := filepath.Join(l.own(), "run-"+rand.Text())
	return &run{Key: key, path: path, held: newLock(path + ".lock")}
}

// begin starts a run, unless another entry has the name of the image.
func (l *Layout) begin(ctx context.Context, image Image, replaced string) (*run, error) {
	r := l.newRun(image.Key)
	for _, m := range image.Manifests {
		r.Needs = append(r.Needs, m.Digest)
	}
	for _, b := range image.Blobs {
		r.Needs = append(r.Needs, b.Digest)
	}
	err := l.locked(ctx, func() error {
		index, err := l.readIndex()
		if err != nil {
			return err
		}
		if err := index.checkName(image, replaced); err != nil {
			return err
		}
		_, dead, err := l.runs()
		if err != nil {
			return err
		}
		return r.start(slices.DeleteFunc(dead, func(d *run) bool { return d.Key != image.Key && d.Key != replaced }))
	})
	if err != nil {
		r.release()
	}
	return r, err
}

// start takes over what dead runs left behind. It is called with the lock of the layout.
func (r *run) start(dead []*run) error {
	for _, d := range dead {
		r.Left = append(append(r.Left, d.Needs...), d.Left...)
	}
	if err := r.save(); err != nil {
		return err
	}
	if _, err := r.held.TryLock(); err != nil {
		return err
	}
	for _, d := range dead {
		if err := d.remove(); err != nil {
			return err
		}
	}
	return nil
}

// save writes the file of the run. It is called with the lock of the layout.
func (r *run) save() error {
	r.Left = slices.Compact(slices.Sorted(slices.Values(r.Left)))
	content, err := json.Marshal(r)
	if err != nil {
		return err
	}
	temporary := filepath.Join(filepath.Dir(r.path), "run.new")
	if err := os.WriteFile(temporary, content, 0o666); err != nil { //nolint:gosec // The umask restricts it.
		return err
	}
	return os.Rename(temporary, r.path+".json") // At once, because a run may be killed in between.
}

// release ends the run. Its file stays.
func (r *run) release() { _ = r.held.Close() }

// remove removes the file of a run that is not locked. It is called with the lock of
// the layout.
func (r *run) remove() error {
	r.release()
	if err := os.Remove(r.path + ".lock"); err != nil {
		return err
	}
	return os.Remove(r.path + ".json") // Last, because nobody would find a lock alone.
}

// runs returns the runs that live and those that have died. It is called with the lock
// of the layout.
func (l *Layout) runs() (live, dead []*run, err error) {
	files, err := os.ReadDir(l.own())
	if err != nil {
		return nil, nil, err
	}
	for _, file := range files {
		name, ok := strings.CutSuffix(file.Name(), ".json")
		if !ok || !strings.HasPrefix(name, "run-") {
			continue
		}
		r := &run{path: filepath.Join(l.own(), name)}
		content, err := os.ReadFile(r.path + ".json")
		if err != nil {
			return nil, nil, err
		}
		broken := json.Unmarshal(content, r)
		r.held = newLock(r.path + ".lock")
		ended, err := r.held.TryLock()
		switch {
		case err != nil:
			return nil, nil, err
		case ended: // Only a loss of power breaks it.
			r.release()
			dead = append(dead, r)
		case broken != nil:
			return nil, nil, fmt.Errorf("%s: %w", r.path+".json", broken)
		default:
			live = append(live, r)
		}
	}
	return live, dead, nil
}
