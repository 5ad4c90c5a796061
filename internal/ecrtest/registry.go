// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
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
	lies     map[string]*image // by tag or digest, see OverrideManifest
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
	blobs     []digest.Digest // that it refers to
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

// refersTo tells whether an image in the repository refers to a blob.
func (r *repository) refersTo(d digest.Digest) bool {
	for _, i := range r.images {
		if slices.Contains(i.blobs, d) {
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
			lies:     map[string]*image{},
		}
		e.repositories[k] = r
	}
	return r
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
// image untagged. BatchGetImage answers with the bytes as they are; those that
// are not UTF-8 it cannot hand out as they are, since JSON has no way to.
func (e *Endpoint) PutManifest(accountID, region, repository, tag, mediaType string, raw []byte) digest.Digest {
	d := digest.FromBytes(raw)
	k := repositoryKey{accountID, region, repository}
	e.putManifest(k, d, tag, mediaType, raw)

	// The registry gets it as well, so that an index pushed later may refer to
	// it. It need not take what is no manifest.
	for _, target := range []string{d.String(), tag} {
		if target == "" {
			continue
		}
		r, err := http.NewRequestWithContext(context.Background(), http.MethodPut, "/v2/"+k.wire()+"/manifests/"+target, bytes.NewReader(raw))
		if err != nil {
			continue
		}
		r.Header.Set("Content-Type", mediaType)
		e.registry.ServeHTTP(&bufferingWriter{header: http.Header{}}, r)
	}
	return d
}

func (e *Endpoint) putManifest(k repositoryKey, d digest.Digest, tag, mediaType string, raw []byte) {
	i := &image{mediaType: mediaType, raw: bytes.Clone(raw), blobs: blobsOf(raw)}
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.repository(k)
	r.images[d] = i
	if tag != "" {
		r.tags[tag] = d
	}
}

// blobsOf returns the digests of the blobs that a manifest refers to: config
// and layers (Docker schema 2, OCI), the blobs of an OCI artifact manifest,
// the layers of Docker schema 1. The manifests of an index are not blobs.
func blobsOf(raw []byte) []digest.Digest {
	type descriptor struct {
		Digest digest.Digest `json:"digest"`
	}
	var m struct {
		Config   descriptor   `json:"config"`
		Layers   []descriptor `json:"layers"`
		Blobs    []descriptor `json:"blobs"`
		FSLayers []struct {
			BlobSum digest.Digest `json:"blobSum"`
		} `json:"fsLayers"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil
	}
	digests := []digest.Digest{m.Config.Digest}
	for _, d := range slices.Concat(m.Layers, m.Blobs) {
		digests = append(digests, d.Digest)
	}
	for _, l := range m.FSLayers {
		digests = append(digests, l.BlobSum)
	}
	return digests
}

// Reference returns the name of a repository to push to and pull from at
// host, the Endpoint's "name:port": "host/<account>/<region>/<repository>".
func (e *Endpoint) Reference(host, accountID, region, repository string) string {
	return host + "/" + repositoryKey{accountID, region, repository}.wire()
}

// wire returns the repository's name in the registry protocol.
func (k repositoryKey) wire() string { return k.account + "/" + k.region + "/" + k.name }

var (
	wireName     = regexp.MustCompile(`^([0-9]{12})/([a-z]{2,}(?:-[a-z0-9]+)+)/(.+)$`)
	registryPath = regexp.MustCompile(`^/v2/(.+)/(?:manifests/([^/]+)|blobs/(?:uploads/?[^/]*|[^/]+)|tags/list|referrers/[^/]+)$`)
)

// newRegistry returns a registry that keeps its blobs in e, per repository: a
// blob of one repository is not found in another.
func newRegistry(e *Endpoint) http.Handler {
	return registry.New(
		registry.WithBlobHandler(blobStore{e}),
		registry.WithReferrersSupport(true),
		registry.Logger(log.New(io.Discard, "", 0)),
	)
}

// repositoryContextKey is where the repository of a registry request is found
// in its context.
type repositoryContextKey struct{}

// serveRegistry serves the registry protocol, and notes the manifests that are
// pushed and deleted.
func (e *Endpoint) serveRegistry(w http.ResponseWriter, r *http.Request) {
	path := registryPath.FindStringSubmatch(r.URL.Path)
	if path == nil {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			registryError(w, http.StatusNotFound, "UNSUPPORTED", "the operation is unsupported")
			return
		}
		e.registry.ServeHTTP(w, r)
		return
	}
	name := wireName.FindStringSubmatch(path[1])
	if name == nil || !repositoryName.full.MatchString(name[3]) {
		registryError(w, http.StatusBadRequest, "NAME_INVALID", "the name of a repository is <account>/<region>/<repository name>")
		return
	}
	k := repositoryKey{name[1], name[2], name[3]}
	r = r.WithContext(context.WithValue(r.Context(), repositoryContextKey{}, k))

	switch target := path[2]; {
	case target != "" && r.Method == http.MethodPut:
		e.pushManifest(w, r, k, target)
	case target != "" && r.Method == http.MethodDelete:
		e.deleteManifest(w, r, k, target)
	default:
		e.registry.ServeHTTP(w, r)
	}
}

// pushManifest stores a manifest as it is, if the registry takes it.
func (e *Endpoint) pushManifest(w http.ResponseWriter, r *http.Request, k repositoryKey, target string) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxManifest+1))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if len(raw) > maxManifest {
		registryError(w, http.StatusRequestEntityTooLarge, "SIZE_INVALID", "the manifest is too large")
		return
	}
	d, tag := digest.FromBytes(raw), target
	if strings.Contains(target, ":") {
		if target != d.String() {
			registryError(w, http.StatusBadRequest, "DIGEST_INVALID", "the manifest has another digest")
			return
		}
		tag = ""
	}
	r.Body = io.NopCloser(bytes.NewReader(raw))
	held := &bufferingWriter{header: w.Header(), status: http.StatusOK}
	e.registry.ServeHTTP(held, r)
	if held.status == http.StatusCreated {
		e.putManifest(k, d, tag, r.Header.Get("Content-Type"), raw)
	}
	w.WriteHeader(held.status)
	_, _ = w.Write(held.body.Bytes())
}

// deleteManifest deletes a tag, or an image with its tags.
func (e *Endpoint) deleteManifest(w http.ResponseWriter, r *http.Request, k repositoryKey, target string) {
	for _, tag := range e.removeImage(k, target) {
		untag := r.Clone(r.Context())
		untag.URL.Path = "/v2/" + k.wire() + "/manifests/" + tag
		e.registry.ServeHTTP(&bufferingWriter{header: http.Header{}}, untag)
	}
	e.registry.ServeHTTP(w, r)
}

// removeImage removes a tag, or an image with its tags, which it returns.
func (e *Endpoint) removeImage(k repositoryKey, target string) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	r, ok := e.repositories[k]
	if !ok {
		return nil
	}
	if !strings.Contains(target, ":") {
		delete(r.tags, target)
		return nil
	}
	d := digest.Digest(target)
	tags := r.tagsOf(d)
	delete(r.images, d)
	for _, tag := range tags {
		delete(r.tags, tag)
	}
	return tags
}

// registryError answers with an error of the registry protocol.
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
func registryError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"errors": []map[string]string{{"code": code, "message": message}},
	})
}

// blobStore keeps the registry's blobs. The repository it takes from the
// context: the one it is given is not the same for all steps of an upload.
type blobStore struct{ e *Endpoint }

var (
	_ registry.BlobHandler       = blobStore{}
	_ registry.BlobStatHandler   = blobStore{}
	_ registry.BlobPutHandler    = blobStore{}
	_ registry.BlobDeleteHandler = blobStore{}
)

func (s blobStore) find(ctx context.Context, h v1.Hash) (*blob, error) {
	k, _ := ctx.Value(repositoryContextKey{}).(repositoryKey)
	s.e.mu.Lock()
	defer s.e.mu.Unlock()
	if r, ok := s.e.repositories[k]; ok {
		if b, ok := r.blobs[digest.Digest(h.String())]; ok {
			return b, nil
		}
	}
	return nil, registry.ErrNotFound
}

// Get returns the content of a blob.
func (s blobStore) Get(ctx context.Context, _ string, h v1.Hash) (io.ReadCloser, error) {
	b, err := s.find(ctx, h)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(b.content)), nil
}

// Stat returns the size of a blob.
func (s blobStore) Stat(ctx context.Context, _ string, h v1.Hash) (int64, error) {
	b, err := s.find(ctx, h)
	if err != nil {
		return 0, err
	}
	return int64(len(b.content)), nil
}

// Put stores a blob, whose digest is checked as it is read.
func (s blobStore) Put(ctx context.Context, _ string, h v1.Hash, rc io.ReadCloser) error {
	defer func() { _ = rc.Close() }()
	content, err := io.ReadAll(rc)
	if err != nil {
		return err
	}
	k, _ := ctx.Value(repositoryContextKey{}).(repositoryKey)
	s.e.putBlob(k, digest.Digest(h.String()), content)
	return nil
}

// Delete deletes a blob.
func (s blobStore) Delete(ctx context.Context, _ string, h v1.Hash) error {
	if _, err := s.find(ctx, h); err != nil {
		return err
	}
	k, _ := ctx.Value(repositoryContextKey{}).(repositoryKey)
	s.e.mu.Lock()
	defer s.e.mu.Unlock()
	delete(s.e.repositories[k].blobs, digest.Digest(h.String()))
	return nil
}
