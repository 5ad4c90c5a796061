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
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
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

// image is an image, an index or an artifact.
type image struct {
	manifest
	mediaType string
	raw       []byte
	uses      map[digest.Digest]bool // the blobs
	archived  bool
}

// manifest is a manifest or an index.
type manifest struct {
	ocispec.Manifest
	Manifests []ocispec.Descriptor `json:"manifests"`
}

// blobs returns the config and the layers.
func (m manifest) blobs() []ocispec.Descriptor {
	if m.Config.Digest == "" {
		return m.Layers
	}
	return append([]ocispec.Descriptor{m.Config}, m.Layers...)
}

// tagsOf returns the tags of an image, sorted, or one that is empty if it has none.
func (r *repository) tagsOf(d digest.Digest) []string {
	var tags []string
	for tag, tagged := range r.tags {
		if tagged == d {
			tags = append(tags, tag)
		}
	}
	if slices.Sort(tags); tags == nil {
		return []string{""}
	}
	return tags
}

// inaccessible returns the reason why a blob cannot be downloaded, or "" if an image that
// is not archived references it.
func (r *repository) inaccessible(d digest.Digest) string {
	reason := "it is not associated with an image. Unassociated image layers may be cleaned up at any time."
	for _, i := range r.images {
		switch {
		case i.uses[d] && !i.archived:
			return ""
		case i.uses[d]:
			reason = "every image that references it is archived."
		}
	}
	return reason
}

// existing returns a repository, or an empty one if it does not exist.
func (e *Endpoint) existing(k repositoryKey) *repository {
	if r, ok := e.repositories[k]; ok {
		return r
	}
	return &repository{
		blobs:    map[digest.Digest]*blob{},
		images:   map[digest.Digest]*image{},
		tags:     map[string]digest.Digest{},
		readers:  map[string]bool{},
		failures: map[string]imageFailure{},
		override: map[string]*image{},
	}
}

// edit changes a repository, and creates it if it does not exist. It locks mu.
func (e *Endpoint) edit(accountID, region, name string, change func(*repository)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	k := repositoryKey{accountID, region, name}
	r := e.existing(k)
	change(r)
	e.repositories[k] = r
}

// CreateRepository creates an empty repository. A push also creates one.
func (e *Endpoint) CreateRepository(accountID, region, name string) {
	e.edit(accountID, region, name, func(*repository) {})
}

// AllowAccount allows another account to pull from a repository, as a repository
// policy does. It creates the repository if it does not exist.
func (e *Endpoint) AllowAccount(accountID, region, name, otherAccountID string) {
	e.edit(accountID, region, name, func(r *repository) { r.readers[otherAccountID] = true })
}

// PutBlob stores a blob, which no image needs to reference, and returns its digest.
func (e *Endpoint) PutBlob(accountID, region, repository string, content []byte) digest.Digest {
	d := digest.FromBytes(content)
	e.edit(accountID, region, repository, store(d, bytes.Clone(content)))
	return d
}

func store(d digest.Digest, content []byte) func(*repository) {
	return func(r *repository) {
		r.blobs[d] = &blob{
			content: content,
			stored:  time.Now().UTC().Truncate(time.Second),
			etag:    `"` + d.Encoded()[:32] + `-1"`, // the form of a multipart upload with one part
		}
	}
}

// PutManifest stores raw as a manifest, without the checks of a push, and returns
// its digest. An empty tag leaves the image untagged. BatchGetImage returns raw
// unchanged only if it is valid UTF-8.
func (e *Endpoint) PutManifest(accountID, region, repository, tag, mediaType string, raw []byte) digest.Digest {
	i := &image{mediaType: mediaType, raw: bytes.Clone(raw)}
	_ = json.Unmarshal(raw, &i.manifest) // Invalid JSON references no blobs.
	d := digest.FromBytes(raw)
	e.edit(accountID, region, repository, tagImage(d, tag, i))
	return d
}

func tagImage(d digest.Digest, tag string, i *image) func(*repository) {
	i.uses = map[digest.Digest]bool{}
	for _, b := range i.blobs() {
		i.uses[b.Digest] = true
	}
	return func(r *repository) {
		r.images[d] = i
		if tag != "" {
			r.tags[tag] = d
		}
	}
}

// SetArchived archives or restores an image, named by tag or digest, which must exist.
func (e *Endpoint) SetArchived(accountID, region, name, reference string, archived bool) {
	e.edit(accountID, region, name, func(r *repository) { r.images[r.resolve(reference)].archived = archived })
}

// resolve returns the digest of a tag or digest.
func (r *repository) resolve(reference string) digest.Digest {
	if tagged, ok := r.tags[reference]; ok {
		return tagged
	}
	return digest.Digest(reference)
}

// Reference returns the name to push to and pull from a repository:
// "<host>/<account>/<region>/<repository>". host is the server's "name:port".
func (e *Endpoint) Reference(host, accountID, region, repository string) string {
	return strings.Join([]string{host, accountID, region, repository}, "/")
}

var registryPath = regexp.MustCompile(`^/v2/([0-9]{12})/([a-z]{2,}(?:-[a-z0-9]+)+)/(.+)/(manifests|blobs|blobs/uploads|referrers)/([^/]*)$`)

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
	case pull && kind == "referrers":
		e.pullReferrers(w, r, k, reference)
	case pull && kind != "blobs/uploads":
		e.pull(w, r, k, kind, reference)
	case kind == "manifests" && r.Method == http.MethodPut:
		e.pushManifest(w, r, k, reference)
	case kind == "blobs/uploads" && !pull:
		e.pushBlob(w, r, k, reference)
	default:
		registryError(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "the operation is unsupported")
	}
}

// pull serves a manifest, or sends the client to the layer bucket, as ECR does.
func (e *Endpoint) pull(w http.ResponseWriter, r *http.Request, k repositoryKey, kind, reference string) {
	e.mu.Lock()
	repository := e.existing(k)
	d := repository.resolve(reference)
	i, b := repository.images[d], repository.blobs[d]
	var signed string
	var err error
	if b != nil {
		signed, err = e.presign(&request{Request: r}, k, d)
	}
	e.mu.Unlock()
	switch {
	case kind == "manifests" && i == nil:
		registryError(w, http.StatusNotFound, "MANIFEST_UNKNOWN", "manifest unknown")
	case kind == "manifests":
		w.Header().Set("Content-Type", i.mediaType)
		w.Header().Set("Docker-Content-Digest", d.String())
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(i.raw))
	case b == nil:
		registryError(w, http.StatusNotFound, "BLOB_UNKNOWN", "blob unknown to registry")
	case r.Method == http.MethodHead:
		w.Header().Set("Content-Length", strconv.Itoa(len(b.content)))
		w.Header().Set("Docker-Content-Digest", d.String())
	case err != nil:
		registryError(w, http.StatusInternalServerError, "UNKNOWN", err.Error())
	default:
		http.Redirect(w, r, signed, http.StatusTemporaryRedirect) //nolint:gosec // To this endpoint.
	}
}

// pushManifest stores a manifest if the repository has everything that it
// references, except foreign layers.
func (e *Endpoint) pushManifest(w http.ResponseWriter, r *http.Request, k repositoryKey, reference string) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxManifestSize+1))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	d, i := digest.FromBytes(raw), &image{mediaType: r.Header.Get("Content-Type"), raw: raw}
	invalid := json.Unmarshal(raw, &i.manifest)
	missing := e.missing(k, i.manifest)
	switch byDigest := strings.Contains(reference, ":"); {
	case len(raw) > maxManifestSize:
		registryError(w, http.StatusRequestEntityTooLarge, "SIZE_INVALID", "the manifest is too large")
	case invalid != nil:
		registryError(w, http.StatusBadRequest, "MANIFEST_INVALID", invalid.Error())
	case byDigest && reference != d.String():
		registryError(w, http.StatusBadRequest, "DIGEST_INVALID", "the digest does not match the manifest")
	case missing != "":
		registryError(w, http.StatusNotFound, "MANIFEST_BLOB_UNKNOWN", "unknown blob or manifest "+missing.String())
	default:
		if byDigest {
			reference = ""
		}
		e.edit(k.account, k.region, k.name, tagImage(d, reference, i))
		if i.Subject != nil {
			w.Header().Set("OCI-Subject", i.Subject.Digest.String())
		}
		w.Header().Set("Docker-Content-Digest", d.String())
		w.WriteHeader(http.StatusCreated)
	}
}

// missing returns the digest of a blob or manifest that m references and the
// repository does not have, or "" if there is none. It locks mu.
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
		id = uuid.NewString()
	}
	e.mu.Lock()
	content = append(e.uploads[id], content...)
	if e.uploads[id] = content; r.Method == http.MethodPut {
		delete(e.uploads, id)
	}
	e.mu.Unlock()
	d := digest.FromBytes(content)
	switch {
	case r.Method != http.MethodPut:
		w.Header().Set("Location", e.Reference("/v2", k.account, k.region, k.name)+"/blobs/uploads/"+id)
		w.WriteHeader(http.StatusAccepted)
	case r.URL.Query().Get("digest") != d.String():
		registryError(w, http.StatusBadRequest, "DIGEST_INVALID", "the digest does not match the blob")
	default:
		e.edit(k.account, k.region, k.name, store(d, content))
		w.Header().Set("Docker-Content-Digest", d.String())
		w.WriteHeader(http.StatusCreated)
	}
}

// registryError writes an error of the registry protocol.
func registryError(w http.ResponseWriter, status int, code, message string) {
	writeJSON(w, status, "application/json", map[string]any{"errors": []map[string]string{{"code": code, "message": message}}})
}

func writeJSON(w http.ResponseWriter, status int, mediaType string, v any) {
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
