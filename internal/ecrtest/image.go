// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest

import (
	"bytes"
	"slices"
	"strings"

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
	e.repository(repositoryKey{accountID, region, repository}).override[reference] = &image{mediaType: mediaType, raw: bytes.Clone(raw)}
}

// batchGetImage responds as described in
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html
func (e *Endpoint) batchGetImage(k repositoryKey, in ecrInput) *response {
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
	return ecrOK(map[string]any{"images": images, "failures": failures})
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
	given, ok := r.images[d]
	if !ok || !accepts(accepted, given.mediaType) {
		return nil, notFound
	}
	for _, reference := range []string{id.Digest, id.Tag} {
		if override, ok := r.override[reference]; ok {
			given = override
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
	case id.Tag != "" && !imageTag.full.MatchString(id.Tag):
		return &imageFailure{Code: "InvalidImageTag", Reason: "Invalid request parameters: image tag should satisfy the regex '" + imageTag.text + "'"}
	}
	return nil
}

// What a tag is, by the OCI distribution specification; ECR's API model gives
// its length only.
var imageTag = newPattern(`[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`)

// accepts reports whether a request accepts a media type. One that names none
// accepts Docker's only, as clients did that knew no other. ECR converts an image
// that is requested by tag between Docker's format and OCI's where only the other is
// accepted; here it is not found.
func accepts(accept *[]string, mediaType string) bool {
	if accept == nil {
		return strings.HasPrefix(mediaType, "application/vnd.docker.distribution.manifest.v")
	}
	return slices.Contains(*accept, mediaType)
}
