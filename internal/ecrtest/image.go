// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
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
	images, failures, r := []imageResult{}, []imageFailure{}, e.repositories[k]
	for _, id := range *req.ecr.ImageIDs {
		d, found, failure := r.find(id, req.ecr.AcceptedMediaTypes)
		if found == nil {
			failure.ID = id
			failures = append(failures, failure)
			continue
		}
		tags := []string{id.Tag}
		if id.Tag == "" { // ECR returns the image once per tag.
			tags = r.tagsOf(d)
		}
		for _, tag := range tags {
			images = append(images, imageResult{k.account, k.name, imageID{d.String(), tag}, string(found.raw), found.mediaType})
		}
	}
	return ecrOK(map[string]any{"images": images, "failures": failures})
}

// find returns the image with an ID and its digest, or the failure if there is none.
func (r *repository) find(id imageID, accepted *[]string) (digest.Digest, *image, imageFailure) {
	failure := func(code, reason string) (digest.Digest, *image, imageFailure) {
		return "", nil, imageFailure{Code: code, Reason: reason}
	}
	for _, reference := range []string{id.Digest, id.Tag} {
		if f, ok := r.failures[reference]; ok && reference != "" {
			return failure(f.Code, f.Reason)
		}
	}
	tagged, exists := r.tags[id.Tag]
	d := cmp.Or(digest.Digest(id.Digest), tagged)
	found := r.images[d]
	const invalid = "Invalid request parameters: "
	switch {
	case id.Digest == "" && id.Tag == "":
		return failure("MissingDigestAndTag", invalid+"both tag and digest cannot be null")
	case id.Digest != "" && !layerDigest.anchored.MatchString(id.Digest):
		return failure("InvalidImageDigest", invalid+"image digest should satisfy the regex '"+layerDigest.text+"'")
	case id.Tag != "" && !imageTag.anchored.MatchString(id.Tag):
		return failure("InvalidImageTag", invalid+"image tag should satisfy the regex '"+imageTag.text+"'")
	case exists && d != tagged:
		return failure("ImageTagDoesNotMatchDigest", invalid+"given tag does not map to the given digest")
	case id.Tag != "" && !exists || found == nil || !accepts(accepted, found.mediaType):
		return failure("ImageNotFound", "Requested image not found")
	case found.archived:
		return failure("ImageInaccessible", "The image is archived") // AWS documents the code, not the reason.
	}
	for _, reference := range []string{id.Digest, id.Tag} {
		if override, ok := r.override[reference]; ok {
			found = override
		}
	}
	return d, found, imageFailure{}
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

// referrer is a manifest with a subject, in the format of ListImageReferrers and, without
// a status, in that of the registry.
type referrer struct {
	MediaType    string            `json:"mediaType"`
	Digest       digest.Digest     `json:"digest"`
	Size         int               `json:"size"` // of the manifest; AWS only says "of the artifact"
	ArtifactType string            `json:"artifactType,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	Status       string            `json:"artifactStatus,omitempty"`
}

// referrers returns the manifests whose subject has a digest, sorted by their own digest.
func (r *repository) referrers(subject digest.Digest) []referrer {
	found := []referrer{}
	for d, i := range r.images {
		if i.Subject == nil || i.Subject.Digest != subject {
			continue
		}
		status := "ACTIVE"
		if i.archived {
			status = "ARCHIVED"
		}
		// The OCI distribution specification makes the config's type that of an image
		// without an artifact type. An index has no config.
		found = append(found, referrer{i.mediaType, d, len(i.raw), cmp.Or(i.ArtifactType, i.Config.MediaType), i.Annotations, status})
	}
	slices.SortFunc(found, func(a, b referrer) int { return cmp.Compare(a.Digest, b.Digest) })
	return found
}

// From the API model ecr-2015-09-21, except the number of results by default.
const (
	maxArtifactTypes = 5
	maxReferrers     = 50
	defaultReferrers = 20
)

var artifactStatus = newPattern("ACTIVE|ARCHIVED|ACTIVATING|ANY") // An enumeration in the model.

// validateReferrers validates the members that only ListImageReferrers has, see validate.
func (in ecrInput) validateReferrers() string {
	if in.SubjectID == nil {
		return constraintMessage("subjectId", "must not be null")
	}
	// AWS documents no pattern of the digest.
	message := cmp.Or(checkText("subjectId.imageDigest", in.SubjectID.Digest, true, 0, math.MaxInt, layerDigest),
		checkText("filter.artifactStatus", in.Filter.Status, false, 0, math.MaxInt, artifactStatus),
		checkSize("filter.artifactTypes", "length", len(in.Filter.Types), 0, maxArtifactTypes))
	for _, artifactType := range in.Filter.Types {
		message = cmp.Or(message, checkSize("filter.artifactTypes", "length", len(artifactType), 1, 255))
	}
	if in.MaxResults != nil {
		message = cmp.Or(message, checkSize("maxResults", "value", int(*in.MaxResults), 1, maxReferrers))
	}
	return message
}

// listImageReferrers implements
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ListImageReferrers.html
// AWS models no error for a subject that does not exist, so it has no referrers.
func (e *Endpoint) listImageReferrers(req *request, k repositoryKey) *response {
	in, subject, status := req.ecr, *req.ecr.SubjectID.Digest, cmp.Or(aws.ToString(req.ecr.Filter.Status), "ACTIVE")
	limit := cmp.Or(int(aws.ToInt32(in.MaxResults)), defaultReferrers)
	all := slices.DeleteFunc(e.repositories[k].referrers(digest.Digest(subject)), func(r referrer) bool {
		return status != "ANY" && r.Status != status || len(in.Filter.Types) > 0 && !slices.Contains(in.Filter.Types, r.ArtifactType)
	})
	token := func(start int) string {
		return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s %s %s %d", subject, status, in.Filter.Types, start))
	}
	start := 0
	for in.NextToken != nil && token(start) != *in.NextToken {
		if start++; start >= len(all) {
			return ecrError(http.StatusBadRequest, "InvalidParameterException", "Invalid parameter at 'nextToken': the token is not one of this request")
		}
	}
	end := min(start+limit, len(all))
	out := map[string]any{"referrers": all[start:end]}
	if end < len(all) {
		out["nextToken"] = token(end)
	}
	return ecrOK(out)
}

// pullReferrers serves the referrers API of the registry.
func (e *Endpoint) pullReferrers(w http.ResponseWriter, r *http.Request, k repositoryKey, subject string) {
	e.mu.Lock()
	found := e.existing(k).referrers(digest.Digest(subject))
	e.mu.Unlock()
	filter := r.URL.Query().Get("artifactType")
	if filter != "" {
		w.Header().Set("OCI-Filters-Applied", "artifactType")
	}
	found = slices.DeleteFunc(found, func(f referrer) bool { return filter != "" && f.ArtifactType != filter })
	for i := range found {
		found[i].Status = ""
	}
	writeJSON(w, http.StatusOK, ocispec.MediaTypeImageIndex, map[string]any{"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageIndex, "manifests": found})
}
