// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

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

var artifactStatuses = []string{"ACTIVE", "ARCHIVED", "ACTIVATING", "ANY"}

// validateReferrers validates the members that only ListImageReferrers has, see validate.
func (in ecrInput) validateReferrers() string {
	switch {
	case in.SubjectID == nil:
		return constraintMessage("subjectId", "must not be null")
	case in.SubjectID.Digest == "":
		return constraintMessage("subjectId.imageDigest", "must not be null")
	case !layerDigest.anchored.MatchString(in.SubjectID.Digest):
		return patternMessage("subjectId.imageDigest", layerDigest) // AWS documents no pattern.
	case in.Filter.Status != nil && !slices.Contains(artifactStatuses, *in.Filter.Status):
		return constraintMessage("filter.artifactStatus", fmt.Sprintf("must satisfy enum value set: %s", artifactStatuses))
	}
	message := checkSize("filter.artifactTypes", "length", len(in.Filter.Types), 0, maxArtifactTypes)
	for _, artifactType := range in.Filter.Types {
		message = cmp.Or(message, checkSize("filter.artifactTypes", "length", len(artifactType), 1, 255))
	}
	if in.MaxResults != nil {
		message = cmp.Or(message, checkSize("maxResults", "value", *in.MaxResults, 1, maxReferrers))
	}
	return message
}

// listImageReferrers implements
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ListImageReferrers.html
// AWS models no error for a subject that does not exist, so it has no referrers.
func (e *Endpoint) listImageReferrers(req *request, k repositoryKey) *response {
	in, subject, limit, status := req.ecr, req.ecr.SubjectID.Digest, defaultReferrers, "ACTIVE"
	if in.Filter.Status != nil {
		status = *in.Filter.Status
	}
	if in.MaxResults != nil {
		limit = *in.MaxResults
	}
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
