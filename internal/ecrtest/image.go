// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest

import (
	"bytes"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
)

// imageID identifies an image.
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

// imageFailure is a failure of BatchGetImage for one image.
type imageFailure struct {
	ID     imageID `json:"imageId"`
	Code   string  `json:"failureCode"`
	Reason string  `json:"failureReason"`
}

// imageResult is an image that BatchGetImage returns.
type imageResult struct {
	RegistryID     string  `json:"registryId"`
	RepositoryName string  `json:"repositoryName"`
	ID             imageID `json:"imageId"`
	Manifest       string  `json:"imageManifest"`
	MediaType      string  `json:"imageManifestMediaType"`
}

// FailImage makes BatchGetImage fail for one image, with a code such as "KmsError",
// "UpstreamUnavailable" or "ImageInaccessible". reference is the tag or the digest in
// the request. The image need not exist, and the repository is created if it does not.
func (e *Endpoint) FailImage(accountID, region, name, reference, code, reason string) {
	e.edit(accountID, region, name, func(r *repository) { r.failures[reference] = imageFailure{Code: code, Reason: reason} })
}

// OverrideManifest makes BatchGetImage return raw instead of the stored manifest of
// an image, with the digest of the stored one. reference is the tag or the digest in
// the request. The image must exist.
func (e *Endpoint) OverrideManifest(accountID, region, name, reference, mediaType string, raw []byte) {
	e.edit(accountID, region, name, func(r *repository) { r.override[reference] = &image{mediaType: mediaType, raw: bytes.Clone(raw)} })
}

// batchGetImage implements
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html
func (e *Endpoint) batchGetImage(req *request, k repositoryKey) *response {
	images, failures := []imageResult{}, []imageFailure{}
	for _, id := range *req.ecr.ImageIDs {
		found, failure := e.repositories[k].find(id, req.ecr.AcceptedMediaTypes)
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

// find returns the images with an ID, or the failure if there are none. For an ID
// with only a digest, it returns one image per tag of the digest.
func (r *repository) find(id imageID, accepted *[]string) ([]imageResult, *imageFailure) {
	for _, reference := range []string{id.Digest, id.Tag} {
		if failure, ok := r.failures[reference]; ok && reference != "" {
			return nil, &failure
		}
	}
	if failure := id.validate(); failure != nil {
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
	if !ok || !accepts(accepted, stored.mediaType) {
		return nil, notFound
	}
	if stored.archived {
		return nil, &imageFailure{Code: "ImageInaccessible", Reason: "The image is archived"} // AWS documents the code, not the reason.
	}
	for _, reference := range []string{id.Digest, id.Tag} {
		if override, ok := r.override[reference]; ok {
			stored = override
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
			Manifest:  string(stored.raw),
			MediaType: stored.mediaType,
		})
	}
	return found, nil
}

// validate returns the failure of an invalid ID, or nil.
func (id imageID) validate() *imageFailure {
	switch {
	case id.Digest == "" && id.Tag == "":
		return &imageFailure{Code: "MissingDigestAndTag", Reason: "Invalid request parameters: both tag and digest cannot be null"}
	case id.Digest != "" && !layerDigest.anchored.MatchString(id.Digest):
		return &imageFailure{Code: "InvalidImageDigest", Reason: "Invalid request parameters: image digest should satisfy the regex '" + layerDigest.text + "'"}
	case id.Tag != "" && !imageTag.anchored.MatchString(id.Tag):
		return &imageFailure{Code: "InvalidImageTag", Reason: "Invalid request parameters: image tag should satisfy the regex '" + imageTag.text + "'"}
	}
	return nil
}

// imageTag is the pattern of the OCI distribution specification. ECR's API model
// constrains only the length.
var imageTag = newPattern(`[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`)

// accepts reports whether a request accepts a media type. Without acceptedMediaTypes,
// only Docker's are accepted. If an image requested by tag is accepted only in the
// other format, ECR converts it between Docker and OCI; this endpoint does not.
func accepts(accept *[]string, mediaType string) bool {
	if accept == nil {
		return strings.HasPrefix(mediaType, "application/vnd.docker.distribution.manifest.v")
	}
	return slices.Contains(*accept, mediaType)
}
