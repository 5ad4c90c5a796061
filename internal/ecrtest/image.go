// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest

import (
	"bytes"
	"encoding/json"
	"slices"
	"unicode/utf8"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
)

// imageID names an image.
type imageID struct {
	Digest string `json:"imageDigest,omitempty"`
	Tag    string `json:"imageTag,omitempty"`
}

// String returns "tag", "digest" or "tag@digest".
func (id imageID) String() string {
	if id.Tag != "" && id.Digest != "" {
		return id.Tag + "@" + id.Digest
	}
	return id.Tag + id.Digest
}

// imageFailure is why one image of a batch is not returned.
type imageFailure struct {
	ID     imageID `json:"imageId"`
	Code   string  `json:"failureCode"`
	Reason string  `json:"failureReason"`
}

// imageResult is one image of a batch.
type imageResult struct {
	RegistryID     string  `json:"registryId"`
	RepositoryName string  `json:"repositoryName"`
	ID             imageID `json:"imageId"`
	Manifest       string  `json:"imageManifest"`
	MediaType      string  `json:"imageManifestMediaType"`
}

// FailImage makes BatchGetImage fail for one image, named by its tag or its
// digest as the request names it, with a code such as "KmsError",
// "UpstreamUnavailable" or "ImageInaccessible". The repository is made if need
// be; the image need not exist.
func (e *Endpoint) FailImage(accountID, region, repository, reference, code, reason string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.repository(repositoryKey{accountID, region, repository}).failures[reference] = imageFailure{Code: code, Reason: reason}
}

// OverrideManifest makes BatchGetImage return other bytes as the manifest of an
// image than those that are stored, under the image's own digest. The image is
// named by its tag or digest as the request names it, and must exist.
func (e *Endpoint) OverrideManifest(accountID, region, repository, reference, mediaType string, raw []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.repository(repositoryKey{accountID, region, repository}).lies[reference] = &image{mediaType: mediaType, raw: bytes.Clone(raw)}
}

// batchGetImage answers as described in
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html
func (e *Endpoint) batchGetImage(k repositoryKey, in ecrInput) *answer {
	images, failures := []imageResult{}, []imageFailure{}
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.repositories[k]
	for _, id := range *in.ImageIDs {
		found, failure := r.find(id, in.AcceptedMediaTypes)
		if failure != nil {
			failure.ID = id
			failures = append(failures, *failure)
		}
		for _, i := range found {
			i.RegistryID, i.RepositoryName = k.account, k.name
			images = append(images, i)
		}
	}
	return ecrAnswer(map[string]any{"images": images, "failures": failures})
}

// find returns the images that an id names, or why there are none. An id with
// a digest only names one image per tag that the digest has.
func (r *repository) find(id imageID, accepted *[]string) ([]imageResult, *imageFailure) {
	for _, reference := range []string{id.Digest, id.Tag} {
		if failure, ok := r.failures[reference]; ok && reference != "" {
			return nil, &failure
		}
	}
	if failure := id.invalid(); failure != nil {
		return nil, failure
	}

	notFound := &imageFailure{Code: "ImageNotFound", Reason: "Requested image not found"}
	d := digest.Digest(id.Digest)
	if id.Tag != "" {
		tagged, ok := r.tags[id.Tag]
		switch {
		case !ok:
			return nil, notFound
		case d != "" && d != tagged:
			return nil, &imageFailure{Code: "ImageTagDoesNotMatchDigest", Reason: "Invalid request parameters: given tag does not map to the given digest"}
		}
		d = tagged
	}
	stored, ok := r.images[d]
	if !ok {
		return nil, notFound
	}
	given := stored.accepted(accepted, id.Digest != "")
	if given == nil {
		return nil, notFound
	}
	for _, reference := range []string{id.Digest, id.Tag} {
		if lie, ok := r.lies[reference]; ok {
			given = lie
		}
	}

	tags := []string{id.Tag}
	if id.Tag == "" {
		if tags = r.tagsOf(d); len(tags) == 0 {
			tags = []string{""}
		}
	}
	var found []imageResult
	for _, tag := range tags {
		found = append(found, imageResult{
			ID:        imageID{Digest: d.String(), Tag: tag},
			Manifest:  string(given.raw),
			MediaType: given.mediaType,
		})
	}
	return found, nil
}

// invalid returns what is wrong with an id by itself.
func (id imageID) invalid() *imageFailure {
	switch {
	case id.Digest == "" && id.Tag == "":
		return &imageFailure{Code: "MissingDigestAndTag", Reason: "Invalid request parameters: both tag and digest cannot be null"}
	case id.Digest != "" && !layerDigest.full.MatchString(id.Digest):
		return &imageFailure{Code: "InvalidImageDigest", Reason: "Invalid request parameters: image digest should satisfy the regex '" + layerDigest.text + "'"}
	case utf8.RuneCountInString(id.Tag) > maxTag || id.Tag != "" && !imageTag.full.MatchString(id.Tag):
		return &imageFailure{Code: "InvalidImageTag", Reason: "Invalid request parameters: image tag should satisfy the regex '" + imageTag.text + "'"}
	}
	return nil
}

// What a tag is, by the OCI distribution specification; ECR's API model gives
// its length only.
var imageTag = newPattern(`[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`)

// accepted returns the image in one of the types that a request accepts, or
// nil. A request that names none accepts Docker schema 2 (and 1), as clients
// did that knew no other.
//
// An image asked for by tag is converted between Docker schema 2 and OCI if
// only the other is accepted; one asked for by digest never is, nor is an
// index. https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-manifest-formats.html
// The documentation does not say how the API reports an image that it cannot
// give in an accepted type: here it is not found. Nor does it say which digest
// goes with a converted manifest: here it is that of the image, so that
// whoever checks a manifest against it notices the conversion.
func (i *image) accepted(accept *[]string, byDigest bool) *image {
	allowed := []string{string(types.DockerManifestSchema2), string(types.DockerManifestSchema1), string(types.DockerManifestSchema1Signed)}
	if accept != nil {
		allowed = *accept
	}
	if slices.Contains(allowed, i.mediaType) {
		return i
	}
	if byDigest {
		return nil
	}
	for _, c := range []struct {
		from, to types.MediaType
		types    map[types.MediaType]types.MediaType
	}{
		{types.OCIManifestSchema1, types.DockerManifestSchema2, ociToDocker},
		{types.DockerManifestSchema2, types.OCIManifestSchema1, reverse(ociToDocker)},
	} {
		if i.mediaType == string(c.from) && slices.Contains(allowed, string(c.to)) {
			return i.convert(c.to, c.types)
		}
	}
	return nil
}

var ociToDocker = map[types.MediaType]types.MediaType{
	types.OCIManifestSchema1:   types.DockerManifestSchema2,
	types.OCIConfigJSON:        types.DockerConfigJSON,
	types.OCILayer:             types.DockerLayer,
	types.OCIUncompressedLayer: types.DockerUncompressedLayer,
	types.OCIRestrictedLayer:   types.DockerForeignLayer,
}

func reverse(m map[types.MediaType]types.MediaType) map[types.MediaType]types.MediaType {
	r := map[types.MediaType]types.MediaType{}
	for k, v := range m {
		r[v] = k
	}
	return r
}

// convert returns the manifest in another format, or nil if it holds a type
// that the other format has no counterpart of, as artifacts do.
func (i *image) convert(to types.MediaType, counterpart map[types.MediaType]types.MediaType) *image {
	type descriptor struct {
		MediaType types.MediaType `json:"mediaType"`
		Size      int64           `json:"size"`
		Digest    digest.Digest   `json:"digest"`
		URLs      []string        `json:"urls,omitempty"`
	}
	var m struct {
		SchemaVersion int             `json:"schemaVersion"`
		MediaType     types.MediaType `json:"mediaType"`
		Config        descriptor      `json:"config"`
		Layers        []descriptor    `json:"layers"`
	}
	if err := json.Unmarshal(i.raw, &m); err != nil {
		return nil
	}
	m.MediaType = to
	for _, d := range append([]*descriptor{&m.Config}, pointers(m.Layers)...) {
		converted, ok := counterpart[d.MediaType]
		if !ok {
			return nil
		}
		d.MediaType = converted
	}
	raw, err := json.MarshalIndent(m, "", "   ")
	if err != nil {
		return nil
	}
	return &image{mediaType: string(to), raw: raw}
}

func pointers[T any](s []T) []*T {
	p := make([]*T, len(s))
	for i := range s {
		p[i] = &s[i]
	}
	return p
}
