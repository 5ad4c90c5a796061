// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/redact"
)

// The most that is read of a manifest or config, in addition to its size. Real
// images have some hundreds of descriptors and strings; Terraform takes half a
// millisecond per descriptor and up to 60 µs per string, whatever the timeout.
const (
	// maxDescriptors is the most layers of a manifest and entries of an index.
	maxDescriptors = 10_000
	// maxStrings is the most strings in the lists and maps of a manifest, its
	// descriptors included, or of a config.
	maxStrings = 50_000
)

// document is a manifest or config that is read member by member: so that only
// what is shown must be well-formed, and because keys of OCI have a case, which
// the structs of encoding/json ignore. Of a key that is there twice, the last one
// wins, as in encoding/json.
type document struct {
	strings int
	err     error // the first one
}

// object is a JSON object in a document. Without members, it reads as empty.
type object struct {
	*document
	path    string
	members map[string]json.RawMessage
}

// parseObject returns the object that content is. An error is that of the
// document.
func parseObject(content []byte) object {
	o := object{document: &document{}}
	switch {
	case bytes.HasPrefix(content, []byte("\ufeff")):
		o.err = errors.New("it begins with a byte order mark (BOM), which JSON does not allow")
	case !utf8.Valid(content):
		o.err = errors.New("it is not valid UTF-8")
	default:
		err := json.Unmarshal(content, &o.members)
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			o.err = fmt.Errorf("it is not valid JSON: %w, at byte %d of %d", syntax, syntax.Offset, len(content))
		} else if err != nil {
			o.err = fmt.Errorf("it must be %s", mismatch(o.members, bytes.TrimSpace(content), err))
		}
	}
	return o
}

// has reports whether the object has a member that is not null.
func (o object) has(name string) bool {
	return len(o.members[name]) > 0 && string(o.members[name]) != "null"
}

// get returns a member, the zero value if it is absent or null.
func get[T any](o object, name string) (value T) {
	if o.has(name) {
		value = decode[T](o.document, o.path+name, o.members[name])
	}
	return value
}

// object returns a member that is an object.
func (o object) object(name string) object {
	return object{o.document, o.path + name + ".", get[map[string]json.RawMessage](o, name)}
}

// list returns a member that is a list of objects, nil if it is absent or null.
func (o object) list(name string) []object {
	items := get[[]json.RawMessage](o, name)
	if len(items) > maxDescriptors {
		o.err = fmt.Errorf("%s has %d elements, and the maximum is %d", o.path+name, len(items), maxDescriptors)
	}
	if items == nil || o.err != nil {
		return nil
	}
	objects := make([]object, len(items))
	for i, item := range items {
		path := fmt.Sprintf("%s%s[%d]", o.path, name, i)
		objects[i] = object{o.document, path + ".", decode[map[string]json.RawMessage](o.document, path, item)}
	}
	return objects
}

// keys returns the names of the members of an object, whatever their values are,
// sorted.
func (o object) keys(name string) []string {
	members := get[map[string]json.RawMessage](o, name)
	o.count(o.path+name, len(members))
	return slices.Sorted(maps.Keys(members))
}

// digest returns a member that is a digest.
func (o object) digest(name string) digest.Digest {
	return o.parseDigest(o.path+name, get[string](o, name))
}

// size returns a member that is a number of bytes.
func (o object) size(name string) int64 {
	size := get[int64](o, name)
	if (size < 0 || size > maxBlobSize) && o.err == nil {
		o.err = fmt.Errorf("%s must be from 0 to %d, got %d", o.path+name, maxBlobSize, size)
	}
	return size
}

// maxBlobSize is the most bytes that a manifest may say of a blob, far more than a layer
// of ECR may have, so that the sum over all blobs of an image fits into an int64.
const maxBlobSize = int64(1) << 44

// parseDigest returns the digest at path. One of an algorithm that cannot be
// verified is an error, although it may be that of a layer elsewhere: ECR stores
// none.
func (d *document) parseDigest(path, text string) digest.Digest {
	parsed, err := ParseLayerDigest(text)
	if err != nil && d.err == nil {
		d.err = fmt.Errorf("%s %w, got %s", path, err, quote(text))
	}
	return parsed
}

// count adds n strings to those of the document.
func (d *document) count(path string, n int) {
	if d.strings += n; d.strings > maxStrings && d.err == nil {
		d.err = fmt.Errorf("with %s it lists %d strings, and the maximum is %d", path, d.strings, maxStrings)
	}
}

// decode returns raw, which is at path, or the zero value after an error.
func decode[T any](d *document, path string, raw json.RawMessage) (value T) {
	if d.err != nil {
		return value
	}
	err := json.Unmarshal(raw, &value)
	switch list := any(value).(type) {
	case []string:
		d.count(path, len(list))
	case map[string]string:
		d.count(path, len(list))
	}
	if err != nil {
		d.err = fmt.Errorf("%s must be %s", path, mismatch(value, raw, err))
	}
	return value
}

// mismatch returns what raw must be for a value of this type, and what it is.
func mismatch(value any, raw []byte, err error) string {
	kinds := map[string]string{"object": "an object", "array": "a list", "string": "a string", "bool": "true or false", "number": "a number"}
	got := map[byte]string{'{': "object", '[': "array", '"': "string", 't': "bool", 'f': "bool"}[raw[0]]
	want, elements := "an object", ""
	switch value.(type) {
	case string:
		want = "a string"
	case int64:
		want = "a whole number"
	case time.Time:
		return "a time such as 2026-01-31T12:00:00Z, got " + redact.Line(string(raw), maxQuoted)
	case []string:
		want, elements = "a list of strings", "array"
	case []json.RawMessage:
		want = "a list"
	case map[string]string:
		want, elements = "an object of strings", "object"
	}
	switch wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); {
	case got == "":
		return want + ", got " + redact.Line(string(raw), maxQuoted)
	case got == elements && ok:
		kind, _, _ := strings.Cut(wrong.Value, " ")
		return want + ", got " + kinds[got] + " with " + kinds[kind]
	default:
		return want + ", got " + kinds[got]
	}
}
