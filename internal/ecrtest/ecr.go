// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/opencontainers/go-digest"
)

const (
	opGetDownloadURLForLayer = "GetDownloadUrlForLayer"
	opBatchGetImage          = "BatchGetImage"
)

// ecrInput is the input of both operations.
type ecrInput struct {
	RegistryID         *string    `json:"registryId"`
	RepositoryName     *string    `json:"repositoryName"`
	LayerDigest        *string    `json:"layerDigest"`
	ImageIDs           *[]imageID `json:"imageIds"`
	AcceptedMediaTypes *[]string  `json:"acceptedMediaTypes"`
}

// readECR reads a request in the JSON 1.1 protocol.
func (e *Endpoint) readECR(req *request) {
	req.call.Service = serviceECR
	operation, ok := strings.CutPrefix(req.Header.Get("X-Amz-Target"), ecrTargetPrefix)
	if ok {
		req.call.Operation = operation
	}
	if req.Method != http.MethodPost || req.Header.Get("Content-Type") != ecrContentType {
		req.reject = ecrUnknownOperation()
		return
	}
	if !json.Valid(req.body) || !bytes.HasPrefix(bytes.TrimSpace(req.body), []byte("{")) {
		return
	}
	// serveECR reports members of the wrong type, after authentication.
	_ = json.Unmarshal(req.body, &req.ecr)
	in, c := req.ecr, &req.call
	c.RegistryID = deref(in.RegistryID)
	c.RepositoryName = deref(in.RepositoryName)
	if in.LayerDigest != nil {
		c.References = append(c.References, *in.LayerDigest)
	}
	if in.ImageIDs != nil {
		for _, id := range *in.ImageIDs {
			c.References = append(c.References, id.String())
		}
	}
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// serveECR returns ECR's response to an authenticated request.
func (e *Endpoint) serveECR(req *request) *response {
	switch req.call.Operation {
	case opGetDownloadURLForLayer, opBatchGetImage:
	default:
		return ecrError(http.StatusBadRequest, "UnknownOperationException", "")
	}
	var in ecrInput
	if err := json.Unmarshal(req.body, &in); err != nil || !bytes.HasPrefix(bytes.TrimSpace(req.body), []byte("{")) {
		return ecrError(http.StatusBadRequest, "SerializationException", "")
	}
	if message := in.validate(req.call.Operation); message != "" {
		return ecrError(http.StatusBadRequest, "InvalidParameterException", message)
	}

	k := repositoryKey{req.caller.AccountID, req.call.Region, *in.RepositoryName}
	if in.RegistryID != nil {
		k.account = *in.RegistryID
	}
	if denied := e.authorize(req, k); denied != nil {
		return denied
	}
	e.mu.Lock()
	_, found := e.repositories[k]
	e.mu.Unlock()
	if !found {
		return ecrError(http.StatusBadRequest, "RepositoryNotFoundException",
			fmt.Sprintf("The repository with name '%s' does not exist in the registry with id '%s'", k.name, k.account))
	}
	if req.call.Operation == opBatchGetImage {
		return e.batchGetImage(k, in)
	}
	return e.getDownloadURLForLayer(req, k, digest.Digest(*in.LayerDigest))
}

// authorize returns an AccessDeniedException if the caller's policies deny the
// operation, or if the repository policy does not allow a caller of another
// account. A repository that does not exist has no policy, so other accounts
// cannot tell whether it exists. It returns nil if the operation is allowed.
func (e *Endpoint) authorize(req *request, k repositoryKey) *response {
	action := "ecr:" + req.call.Operation
	var reason string
	switch {
	case e.denies(req.caller, action):
		reason = "with an explicit deny in an identity-based policy"
	case req.caller.AccountID != k.account && !e.allows(k, req.caller.AccountID):
		reason = "because no resource-based policy allows the " + action + " action"
	default:
		return nil
	}
	return ecrError(http.StatusBadRequest, "AccessDeniedException",
		fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s %s", req.caller.ARN, action, k.arn(), reason))
}

func (e *Endpoint) allows(k repositoryKey, account string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	r, ok := e.repositories[k]
	return ok && r.readers[account]
}

// getDownloadURLForLayer implements
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetDownloadUrlForLayer.html
func (e *Endpoint) getDownloadURLForLayer(req *request, k repositoryKey, d digest.Digest) *response {
	e.mu.Lock()
	r := e.repositories[k]
	_, found := r.blobs[d]
	referenced := r.references(d)
	e.mu.Unlock()

	switch {
	case !found:
		return ecrError(http.StatusBadRequest, "LayersNotFoundException",
			fmt.Sprintf("The layer with digest '%s' does not exist within the repository with name '%s' in the registry with id '%s'", d, k.name, k.account))
	case !referenced:
		return ecrError(http.StatusBadRequest, "LayerInaccessibleException",
			fmt.Sprintf("The layer with digest '%s' in the repository with name '%s' in the registry with id '%s' is not available because it is not associated with an image. Unassociated image layers may be cleaned up at any time.", d, k.name, k.account))
	}
	signed, err := e.presign(req, k, d)
	if err != nil {
		return ecrError(http.StatusInternalServerError, "ServerException", err.Error())
	}
	return ecrOK(map[string]string{"downloadUrl": signed, "layerDigest": d.String()})
}

func ecrOK(v any) *response {
	body, _ := json.Marshal(v)
	return newResponse(http.StatusOK, ecrContentType, body)
}

// pattern is a regular expression of the API model.
type pattern struct {
	text     string
	anchored *regexp.Regexp
}

func newPattern(text string) pattern {
	return pattern{text, regexp.MustCompile(`^(?:` + text + `)$`)}
}

// From the API model ecr-2015-09-21.
var (
	repositoryName = newPattern(`[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*`)
	registryID     = newPattern(`[0-9]{12}`)
	layerDigest    = newPattern(`[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+`)
)

const maxImageIDs = 100

// validate returns the message of the InvalidParameterException for the first
// member that violates the API model, or "" if none does.
func (in ecrInput) validate(operation string) string {
	if in.RegistryID != nil && !registryID.anchored.MatchString(*in.RegistryID) {
		return patternMessage("registryId", registryID)
	}
	switch name := in.RepositoryName; {
	case name == nil:
		return constraintMessage("repositoryName", "must not be null")
	case len(*name) < 2:
		return constraintMessage("repositoryName", "must have length greater than or equal to 2")
	case len(*name) > 256:
		return constraintMessage("repositoryName", "must have length less than or equal to 256")
	case !repositoryName.anchored.MatchString(*name):
		return patternMessage("repositoryName", repositoryName)
	}
	if operation == opGetDownloadURLForLayer {
		switch d := in.LayerDigest; {
		case d == nil:
			return constraintMessage("layerDigest", "must not be null")
		case !layerDigest.anchored.MatchString(*d):
			return patternMessage("layerDigest", layerDigest)
		}
		return ""
	}

	switch ids := in.ImageIDs; {
	case ids == nil:
		return constraintMessage("imageIds", "must not be null")
	case len(*ids) < 1:
		return constraintMessage("imageIds", "must have length greater than or equal to 1")
	case len(*ids) > maxImageIDs:
		return constraintMessage("imageIds", fmt.Sprintf("must have length less than or equal to %d", maxImageIDs))
	}
	return ""
}

func constraintMessage(member, text string) string {
	return fmt.Sprintf("Invalid parameter at '%s' failed to satisfy constraint: '%s'", member, text)
}

func patternMessage(member string, p pattern) string {
	return constraintMessage(member, "must satisfy regular expression '"+p.text+"'")
}
