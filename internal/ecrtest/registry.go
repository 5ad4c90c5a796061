// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
)

// The most bytes that a manifest has, by ECR's API model.
const maxManifest = 4 << 20

// repositoryKey names a repository.
type repositoryKey struct{ account, region, name string }

// arn returns the repository's ARN.
func (k repositoryKey) arn() string {
	return fmt.Sprintf("arn:%s:ecr:%s:%s:repository/%s", partition(k.region), k.region, k.account, k.name)
}

// repository is what a repository holds.
type repository struct {
	blobs    map[digest.Digest]*blob
	images   map[digest.Digest]*image
	tags     map[string]digest.Digest
	readers  map[string]bool         // accounts that its policy lets read
	failures map[string]imageFailure // by tag or digest, see FailImage
	urls     URLStyle
	override map[string]*image // by tag or digest, see OverrideManifest
}

// blob is a layer or a config.
type blob struct {
	content []byte
	stored  time.Time
	etag    string
}

// image is a manifest.
type image struct {
	mediaType string
	raw       []byte
	blobs     map[digest.Digest]bool // that it refers to
}

// tagsOf returns the tags of an image, sorted.
func (r *repository) tagsOf(d digest.Digest) []string {
	var tags []string
	for tag, tagged := range r.tags {
		if tagged == d {
			tags = append(tags, tag)
		}
	}
	slices.Sort(tags)
	return tags
}

// refersTo reports whether an image in the repository refers to a blob.
func (r *repository) refersTo(d digest.Digest) bool {
	for _, i := range r.images {
		if i.blobs[d] {
			return true
		}
	}
	return false
}

// repository returns a repository, which it creates if need be. mu is held.
func (e *Endpoint) repository(k repositoryKey) *repository {
	r, ok := e.repositories[k]
	if !ok {
		r = &repository{
			blobs:    map[digest.Digest]*blob{},
			images:   map[digest.Digest]*image{},
			tags:     map[string]digest.Digest{},
			readers:  map[string]bool{},
			failures: map[string]imageFailure{},
			override: map[string]*image{},
		}
		e.repositories[k] = r
	}
	return r
}

// existing returns a repository, an empty one if there is none. mu is held.
func (e *Endpoint) existing(k repositoryKey) *repository {
	if r, ok := e.repositories[k]; ok {
		return r
	}
	return &repository{}
}

// CreateRepository makes an empty repository. A push makes one, too.
func (e *Endpoint) CreateRepository(accountID, region, name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.repository(repositoryKey{accountID, region, name})
}

// AllowAccount lets another account read a repository, as a repository policy
// does. The repository is made if need be.
func (e *Endpoint) AllowAccount(accountID, region, repository, otherAccountID string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.repository(repositoryKey{accountID, region, repository}).readers[otherAccountID] = true
}

// PutBlob stores a blob that no image needs to refer to, and returns its
// digest.
func (e *Endpoint) PutBlob(accountID, region, repository string, content []byte) digest.Digest {
	d := digest.FromBytes(content)
	e.putBlob(repositoryKey{accountID, region, repository}, d, content)
	return d
}

func (e *Endpoint) putBlob(k repositoryKey, d digest.Digest, content []byte) {
	b := &blob{
		content: bytes.Clone(content),
		stored:  time.Now().UTC().Truncate(time.Second),
		etag:    `"` + d.Encoded()[:32] + `-1"`, // like that of an object uploaded in one part
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.repository(k).blobs[d] = b
}

// PutManifest stores any bytes as a manifest of any type, without the checks
// that a push goes through, and returns their digest. An empty tag leaves the
// image untagged. BatchGetImage returns the bytes as they are, which JSON
// allows of UTF-8 only.
func (e *Endpoint) PutManifest(accountID, region, repository, tag, mediaType string, raw []byte) digest.Digest {
	d := digest.FromBytes(raw)
	e.putManifest(repositoryKey{accountID, region, repository}, d, tag, mediaType, raw)
	return d
}

func (e *Endpoint) putManifest(k repositoryKey, d digest.Digest, tag, mediaType string, raw []byte) {
	i := &image{mediaType: mediaType, raw: bytes.Clone(raw), blobs: map[digest.Digest]bool{}}
	m, _ := parseManifest(raw) // What is no manifest refers to nothing.
	for _, b := range m.blobs() {
		i.blobs[b.Digest] = true
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.repository(k)
	r.images[d] = i
	if tag != "" {
		r.tags[tag] = d
	}
}

// manifest is what the endpoint reads of a manifest or an index.
type manifest struct {
	Config    descriptor   `json:"config"`
	Layers    []descriptor `json:"layers"`
	Manifests []descriptor `json:"manifests"`
}

type descriptor struct {
	MediaType string        `json:"mediaType"`
	Digest    digest.Digest `json:"digest"`
	URLs      []string      `json:"urls"`
}

func parseManifest(raw []byte) (m manifest, err error) {
	err = json.Unmarshal(raw, &m)
	return m, err
}

// blobs returns the config and the layers.
func (m manifest) blobs() []descriptor {
	if m.Config.Digest == "" {
		return m.Layers
	}
	return append([]descriptor{m.Config}, m.Layers...)
}

// Reference returns the name of a repository to push to and pull from at
// host, the Endpoint's "name:port": "host/<account>/<region>/<repository>".
func (e *Endpoint) Reference(host, accountID, region, repository string) string {
	return host + "/" + repositoryKey{accountID, region, repository}.wire()
}

// wire returns the repository's name in the registry protocol.
func (k repositoryKey) wire() string { return k.account + "/" + k.region + "/" + k.name }

var registryPath = regexp.MustCompile(`^/v2/([0-9]{12})/([a-z]{2,}(?:-[a-z0-9]+)+)/(.+)/(manifests|blobs|blobs/uploads)/([^/]*)$`)

// serveRegistry serves what clients need of the OCI distribution protocol to push
// and pull. https://github.com/opencontainers/distribution-spec/blob/main/spec.md
func (e *Endpoint) serveRegistry(w http.ResponseWriter, r *http.Request) {
	if strings.Trim(r.URL.Path, "/") == "v2" {
		return
	}
	path := registryPath.FindStringSubmatch(r.URL.Path)
	if path == nil || !repositoryName.full.MatchString(path[3]) {
		registryError(w, http.StatusNotFound, "NAME_INVALID", "a repository is named <account>/<region>/<repository name>")
		return
	}
	k, kind, target := repositoryKey{path[1], path[2], path[3]}, path[4], path[5]
	reading := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case kind == "manifests" && reading:
		e.pullManifest(w, r, k, target)
	case kind == "manifests" && r.Method == http.MethodPut:
		e.pushManifest(w, r, k, target)
	case kind == "blobs" && reading:
		e.pullBlob(w, r, k, digest.Digest(target))
	case kind == "blobs/uploads" && !reading:
		e.pushBlob(w, r, k, target)
	default:
		registryError(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "the operation is unsupported")
	}
}

func (e *Endpoint) pullManifest(w http.ResponseWriter, r *http.Request, k repositoryKey, target string) {
	e.mu.Lock()
	repo := e.existing(k)
	d, tagged := repo.tags[target]
	if !tagged {
		d = digest.Digest(target)
	}
	i := repo.images[d]
	e.mu.Unlock()
	if i == nil {
		registryError(w, http.StatusNotFound, "MANIFEST_UNKNOWN", "the manifest is unknown")
		return
	}
	w.Header().Set("Content-Type", i.mediaType)
	w.Header().Set("Docker-Content-Digest", d.String())
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(i.raw))
}

func (e *Endpoint) pullBlob(w http.ResponseWriter, r *http.Request, k repositoryKey, d digest.Digest) {
	e.mu.Lock()
	b := e.existing(k).blobs[d]
	e.mu.Unlock()
	if b == nil {
		registryError(w, http.StatusNotFound, "BLOB_UNKNOWN", "the blob is unknown")
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Docker-Content-Digest", d.String())
	http.ServeContent(w, r, "", b.stored, bytes.NewReader(b.content))
}

// pushManifest stores a manifest if everything that it refers to has been
// pushed, foreign layers excepted.
func (e *Endpoint) pushManifest(w http.ResponseWriter, r *http.Request, k repositoryKey, target string) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxManifest+1))
	d, tag := digest.FromBytes(raw), target
	m, invalid := parseManifest(raw)
	switch {
	case err != nil:
		panic(http.ErrAbortHandler)
	case len(raw) > maxManifest:
		registryError(w, http.StatusRequestEntityTooLarge, "SIZE_INVALID", "the manifest is too large")
		return
	case invalid != nil:
		registryError(w, http.StatusBadRequest, "MANIFEST_INVALID", invalid.Error())
		return
	case target == d.String():
		tag = ""
	case strings.Contains(target, ":"):
		registryError(w, http.StatusBadRequest, "DIGEST_INVALID", "the manifest has another digest")
		return
	}
	if missing := e.missing(k, m); missing != "" {
		registryError(w, http.StatusNotFound, "MANIFEST_BLOB_UNKNOWN", "not pushed: "+missing.String())
		return
	}
	e.putManifest(k, d, tag, r.Header.Get("Content-Type"), raw)
	w.Header().Set("Docker-Content-Digest", d.String())
	w.WriteHeader(http.StatusCreated)
}

// missing returns the digest of something that a manifest refers to and that
// the repository lacks.
func (e *Endpoint) missing(k repositoryKey, m manifest) digest.Digest {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.existing(k)
	for _, d := range m.blobs() {
		foreign := len(d.URLs) > 0 || strings.Contains(d.MediaType, "foreign") || strings.Contains(d.MediaType, "nondistributable")
		if r.blobs[d.Digest] == nil && !foreign {
			return d.Digest
		}
	}
	for _, d := range m.Manifests {
		if r.images[d.Digest] == nil {
			return d.Digest
		}
	}
	return ""
}

// pushBlob serves the steps of an upload: POST starts it, PATCH appends to it, and
// PUT completes it, under the digest in its query.
func (e *Endpoint) pushBlob(w http.ResponseWriter, r *http.Request, k repositoryKey, id string) {
	content, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if r.Method == http.MethodPost {
		id = newUUID()
	}
	e.mu.Lock()
	e.uploads[id] = append(e.uploads[id], content...)
	content = e.uploads[id]
	e.mu.Unlock()
	if r.Method != http.MethodPut {
		w.Header().Set("Location", "/v2/"+k.wire()+"/blobs/uploads/"+id)
		w.WriteHeader(http.StatusAccepted)
		return
	}
	e.mu.Lock()
	delete(e.uploads, id)
	e.mu.Unlock()
	d := digest.FromBytes(content)
	if r.URL.Query().Get("digest") != d.String() {
		registryError(w, http.StatusBadRequest, "DIGEST_INVALID", "the blob has another digest")
		return
	}
	e.putBlob(k, d, content)
	w.Header().Set("Docker-Content-Digest", d.String())
	w.WriteHeader(http.StatusCreated)
}

// registryError responds with an error of the registry protocol.
func registryError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"errors": []map[string]string{{"code": code, "message": message}},
	})
}
