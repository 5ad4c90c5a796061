// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package layout

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// The annotations of an entry of index.json that identify it and its owner, see [Image].
const (
	AnnotationKey   = "io.github.ecrlayer.image"
	annotationOwner = "io.github.ecrlayer.owner"
)

// index is index.json. It keeps what it does not know.
type index struct {
	fields    map[string]json.RawMessage
	manifests []json.RawMessage
}

// readIndex returns index.json, empty if there is none.
func (l *Layout) readIndex() (*index, error) {
	i := &index{fields: map[string]json.RawMessage{}}
	path := filepath.Join(l.dir, ocispec.ImageIndexFile)
	content, err := readFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return i, nil
	}
	if err != nil {
		return nil, err
	}
	err = json.Unmarshal(content, &i.fields)
	if manifests, ok := i.fields["manifests"]; ok && err == nil {
		err = json.Unmarshal(manifests, &i.manifests)
	}
	for _, entry := range i.manifests {
		err = errors.Join(err, json.Unmarshal(entry, &ocispec.Descriptor{}))
	}
	if i.fields == nil {
		err = errors.New("it is null")
	}
	if err != nil {
		return nil, fmt.Errorf("%s is not a valid index: %w", path, err)
	}
	return i, nil
}

// entries returns what the index names.
func (i *index) entries() []ocispec.Descriptor {
	entries := make([]ocispec.Descriptor, len(i.manifests))
	for n, raw := range i.manifests {
		_ = json.Unmarshal(raw, &entries[n]) // readIndex has checked it.
	}
	return entries
}

// replaces reports whether an entry makes way for the image: one with its key, or its
// owner's with the key replaced.
func (i *Image) replaces(entry ocispec.Descriptor, replaced string) bool {
	switch key := entry.Annotations[AnnotationKey]; key {
	case "":
		return false
	case i.Key:
		return true
	default:
		return key == replaced && entry.Annotations[annotationOwner] == i.Owner
	}
}

// checkName returns a *NameError if an entry that is not replaced has the name of image.
func (i *index) checkName(image Image, replaced string) error {
	for _, entry := range i.entries() {
		if image.RefName != "" && entry.Annotations[ocispec.AnnotationRefName] == image.RefName && !image.replaces(entry, replaced) {
			return &NameError{RefName: image.RefName, Digest: entry.Digest}
		}
	}
	return nil
}

// replace returns index.json without the entries that make way for image, and with one
// for it if it has content, to be written. What the removed entries name, as far as that
// can be read, is then left behind by the run. It is called with the lock.
func (l *Layout) replace(r *run, image Image, replaced string) (*index, error) {
	i, err := l.readIndex()
	if err != nil {
		return nil, err
	}
	named, kept := map[digest.Digest]bool{}, []json.RawMessage{}
	for n, entry := range i.entries() {
		if image.replaces(entry, replaced) {
			_ = l.walk(entry, named)
			continue
		}
		kept = append(kept, i.manifests[n])
	}
	i.manifests = kept
	r.Left = slices.AppendSeq(r.Left, maps.Keys(named))
	if image.Graph != nil {
		if err := i.checkName(image, ""); err != nil {
			return nil, err
		}
		root := image.Manifests[0]
		entry := ocispec.Descriptor{MediaType: root.MediaType, Digest: root.Digest, Size: root.Size,
			Annotations: map[string]string{AnnotationKey: image.Key, annotationOwner: image.Owner}}
		if image.RefName != "" {
			entry.Annotations[ocispec.AnnotationRefName] = image.RefName
		}
		raw, err := json.Marshal(entry)
		if err != nil {
			return nil, err
		}
		i.manifests = append(i.manifests, raw)
	}
	return i, r.save()
}

func (l *Layout) writeIndex(i *index) (err error) {
	defaults := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex}
	for name, value := range map[string]any{"schemaVersion": defaults.SchemaVersion, "mediaType": defaults.MediaType} {
		if _, ok := i.fields[name]; !ok {
			i.fields[name], _ = json.Marshal(value)
		}
	}
	if i.fields["manifests"], err = json.Marshal(i.manifests); err != nil {
		return err
	}
	content, err := json.MarshalIndent(i.fields, "", "  ")
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(l.dir, ocispec.ImageLayoutFile)); errors.Is(err, os.ErrNotExist) {
		version, err := json.Marshal(ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion})
		if err != nil {
			return err
		}
		if err := l.writeFile(ocispec.ImageLayoutFile, version); err != nil {
			return err
		}
	}
	if err := l.writeFile(ocispec.ImageIndexFile, append(content, '\n')); err != nil {
		return err
	}
	return syncDir(l.dir)
}

// writeFile replaces a file of the layout at once. It is called with the lock.
func (l *Layout) writeFile(name string, content []byte) error {
	root, err := os.OpenRoot(l.dir) // Its Rename also replaces, on Windows, what [open] has opened.
	if err != nil {
		return err
	}
	defer root.Close()
	temporary := filepath.Join(ownDir, name+".new")
	file, err := root.Create(temporary)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	return root.Rename(temporary, name)
}

// open opens a file that others may replace or remove meanwhile: also on Windows, where
// only [os.Root] allows that.
func open(path string) (*os.File, error) {
	return os.OpenInRoot(filepath.Dir(path), filepath.Base(path))
}

func readFile(path string) ([]byte, error) {
	file, err := open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}

// walk adds what a descriptor of a manifest names, at any depth, to named. Manifests
// that an index names need not be there. It returns an error for others, for one that
// was altered, and for media types that it does not know.
func (l *Layout) walk(d ocispec.Descriptor, named map[digest.Digest]bool) error {
	if err := d.Digest.Validate(); err != nil {
		return err
	}
	if named[d.Digest] {
		return nil
	}
	switch d.MediaType {
	case ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageIndex,
		"application/vnd.docker.distribution.manifest.v2+json", "application/vnd.docker.distribution.manifest.list.v2+json":
	default:
		if _, err := os.Lstat(l.blob(d.Digest)); err != nil {
			return err
		}
		return fmt.Errorf("it has the unknown media type %q", d.MediaType)
	}
	content, err := readFile(l.blob(d.Digest))
	if err != nil {
		return err
	}
	named[d.Digest] = true
	if d.Digest.Algorithm().FromBytes(content) != d.Digest {
		return fmt.Errorf("%s was altered", d.Digest)
	}
	var m struct {
		Config    ocispec.Descriptor
		Layers    []ocispec.Descriptor
		Manifests []ocispec.Descriptor
	}
	if err := json.Unmarshal(content, &m); err != nil {
		return err
	}
	for _, blob := range slices.Concat([]ocispec.Descriptor{m.Config}, m.Layers) {
		named[blob.Digest] = true
	}
	for _, child := range m.Manifests {
		if err := l.walk(child, named); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
