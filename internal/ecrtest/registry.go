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

// maxManifestSize is the maximum size in bytes, from ECR's API model.
const maxManifestSize = 4 << 20

// repositoryKey identifies a repository.
type repositoryKey struct{ account, region, name string }

func (k repositoryKey) arn() string {
	return fmt.Sprintf("arn:%s:ecr:%s:%s:repository/%s", partition(k.region), k.region, k.account, k.name)
}

// repository is the content and the settings of a repository.
type repository struct {
	blobs    map[digest.Digest]*blob
	images   map[digest.Digest]*image
	tags     map[string]digest.Digest
	readers  map[string]bool         // accounts that the repository policy allows to pull
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
	blobs     map[digest.Digest]bool // that the manifest references
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

// references reports whether an image in the repository references a blob.
func (r *repository) references(d digest.Digest) bool {
	for _, i := range r.images {
		if i.blobs[d] {
			return true
		}
	}
	return false
}

// repository returns a repository, and creates it if it does not exist. The
// caller must hold mu.
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

// existing returns a repository, or an empty one if it does not exist. The
// caller must hold mu.
func (e *Endpoint) existing(k repositoryKey) *repository {
	if r, ok := e.repositories[k]; ok {
		return r
	}
	return &repository{}
}

// CreateRepository creates an empty repository. A push also creates one.
func (e *Endpoint) CreateRepository(accountID, region, name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.repository(repositoryKey{accountID, region, name})
}

// AllowAccount allows another account to pull from a repository, as a repository
// policy does. It creates the repository if it does not exist.
func (e *Endpoint) AllowAccount(accountID, region, repository, otherAccountID string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.repository(repositoryKey{accountID, region, repository}).readers[otherAccountID] = true
}

// PutBlob stores a blob, which no image needs to reference, and returns its digest.
func (e *Endpoint) PutBlob(accountID, region, repository string, content []byte) digest.Digest {
	d := digest.FromBytes(content)
	e.putBlob(repositoryKey{accountID, region, repository}, d, content)
	return d
}

func (e *Endpoint) putBlob(k repositoryKey, d digest.Digest, content []byte) {
	b := &blob{
		content: bytes.Clone(content),
		stored:  time.Now().UTC().Truncate(time.Second),
		etag:    `"` + d.Encoded()[:32] + `-1"`, // the form of a multipart upload with one part
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.repository(k).blobs[d] = b
}

// PutManifest stores raw as a manifest, without the checks of a push, and returns
// its digest. An empty tag leaves the image untagged. BatchGetImage returns raw
// unchanged only if it is valid UTF-8.
func (e *Endpoint) PutManifest(accountID, region, repository, tag, mediaType string, raw []byte) digest.Digest {
	d := digest.FromBytes(raw)
	e.putManifest(repositoryKey{accountID, region, repository}, d, tag, mediaType, raw)
	return d
}

func (e *Endpoint) putManifest(k repositoryKey, d digest.Digest, tag, mediaType string, raw []byte) {
	i := &image{mediaType: mediaType, raw: bytes.Clone(raw), blobs: map[digest.Digest]bool{}}
	m, _ := parseManifest(raw) // Invalid JSON references no blobs.
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

// manifest holds the fields of a manifest or an index that the endpoint reads.
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

// Reference returns the name to push to and pull from a repository:
// "<host>/<account>/<region>/<repository>". host is the server's "name:port".
func (e *Endpoint) Reference(host, accountID, region, repository string) string {
	return host + "/" + repositoryKey{accountID, region, repository}.registryName()
}

// registryName returns the repository's name in the registry protocol.
func (k repositoryKey) registryName() string { return k.account + "/" + k.region + "/" + k.name }

var registryPath = regexp.MustCompile(`^/v2/([0-9]{12})/([a-z]{2,}(?:-[a-z0-9]+)+)/(.+)/(manifests|blobs|blobs/uploads)/([^/]*)$`)

// serveRegistry serves the part of the OCI distribution protocol that clients need
// to push and pull. https://github.com/opencontainers/distribution-spec/blob/main/spec.md
func (e *Endpoint) serveRegistry(w http.ResponseWriter, r *http.Request) {
	if strings.Trim(r.URL.Path, "/") == "v2" {
		return
	}
	path := registryPath.FindStringSubmatch(r.URL.Path)
	if path == nil || !repositoryName.anchored.MatchString(path[3]) {
		registryError(w, http.StatusNotFound, "NAME_INVALID", "the repository name must be <account>/<region>/<repository>")
		return
	}
	k, kind, reference := repositoryKey{path[1], path[2], path[3]}, path[4], path[5]
	pull := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case kind == "manifests" && pull:
		e.pullManifest(w, r, k, reference)
	case kind == "manifests" && r.Method == http.MethodPut:
		e.pushManifest(w, r, k, reference)
	case kind == "blobs" && pull:
		e.pullBlob(w, r, k, digest.Digest(reference))
	case kind == "blobs/uploads" && !pull:
		e.pushBlob(w, r, k, reference)
	default:
		registryError(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "the operation is unsupported")
	}
}

func (e *Endpoint) pullManifest(w http.ResponseWriter, r *http.Request, k repositoryKey, reference string) {
	e.mu.Lock()
	repo := e.existing(k)
	d, tagged := repo.tags[reference]
	if !tagged {
		d = digest.Digest(reference)
	}
	i := repo.images[d]
	e.mu.Unlock()
	if i == nil {
		registryError(w, http.StatusNotFound, "MANIFEST_UNKNOWN", "manifest unknown")
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
		registryError(w, http.StatusNotFound, "BLOB_UNKNOWN", "blob unknown to registry")
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Docker-Content-Digest", d.String())
	http.ServeContent(w, r, "", b.stored, bytes.NewReader(b.content))
}

// pushManifest stores a manifest if the repository has everything that it
// references, except foreign layers.
func (e *Endpoint) pushManifest(w http.ResponseWriter, r *http.Request, k repositoryKey, reference string) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxManifestSize+1))
	d, tag := digest.FromBytes(raw), reference
	m, invalid := parseManifest(raw)
	switch {
	case err != nil:
		panic(http.ErrAbortHandler)
	case len(raw) > maxManifestSize:
		registryError(w, http.StatusRequestEntityTooLarge, "SIZE_INVALID", "the manifest is too large")
		return
	case invalid != nil:
		registryError(w, http.StatusBadRequest, "MANIFEST_INVALID", invalid.Error())
		return
	case reference == d.String():
		tag = ""
	case strings.Contains(reference, ":"):
		registryError(w, http.StatusBadRequest, "DIGEST_INVALID", "the digest does not match the manifest")
		return
	}
	if missing := e.missing(k, m); missing != "" {
		registryError(w, http.StatusNotFound, "MANIFEST_BLOB_UNKNOWN", "unknown blob or manifest "+missing.String())
		return
	}
	e.putManifest(k, d, tag, r.Header.Get("Content-Type"), raw)
	w.Header().Set("Docker-Content-Digest", d.String())
	w.WriteHeader(http.StatusCreated)
}

// missing returns the digest of a blob or manifest that m references and the
// repository does not have, or "" if there is none.
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

// pushBlob serves the requests of an upload: POST starts it, PATCH appends to it,
// and PUT completes it with the digest in the query.
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
		w.Header().Set("Location", "/v2/"+k.registryName()+"/blobs/uploads/"+id)
		w.WriteHeader(http.StatusAccepted)
		return
	}
	e.mu.Lock()
	delete(e.uploads, id)
	e.mu.Unlock()
	d := digest.FromBytes(content)
	if r.URL.Query().Get("digest") != d.String() {
		registryError(w, http.StatusBadRequest, "DIGEST_INVALID", "the digest does not match the blob")
		return
	}
	e.putBlob(k, d, content)
	w.Header().Set("Docker-Content-Digest", d.String())
	w.WriteHeader(http.StatusCreated)
}

// registryError writes an error of the registry protocol.
func registryError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"errors": []map[string]string{{"code": code, "message": message}},
	})
}
