// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/opencontainers/go-digest"
)

const (
	opGetDownloadURLForLayer = "GetDownloadUrlForLayer"
	opBatchGetImage          = "BatchGetImage"
	opListImageReferrers     = "ListImageReferrers"
)

// ecrInput is the input of every operation.
type ecrInput struct {
	RegistryID         *string    `json:"registryId"`
	RepositoryName     *string    `json:"repositoryName"`
	LayerDigest        *string    `json:"layerDigest"`
	ImageIDs           *[]imageID `json:"imageIds"`
	AcceptedMediaTypes *[]string  `json:"acceptedMediaTypes"`
	SubjectID          *struct {
		Digest *string `json:"imageDigest"`
	} `json:"subjectId"`
	Filter struct {
		Types  []string `json:"artifactTypes"`
		Status *string  `json:"artifactStatus"`
	} `json:"filter"`
	MaxResults *int32  `json:"maxResults"`
	NextToken  *string `json:"nextToken"`
	malformed  bool
}

// readECR reads a request in the JSON 1.1 protocol.
func readECR(req *request) {
	in, c := &req.ecr, req.call
	c.Service = serviceECR
	operation, ok := strings.CutPrefix(req.Header.Get("X-Amz-Target"), ecrTargetPrefix)
	if ok {
		c.Operation = operation
	}
	if req.Method != http.MethodPost || req.Header.Get("Content-Type") != ecrContentType {
		req.reject = ecrUnknownOperation()
		return
	}
	// serveECR reports malformed input, after authentication.
	in.malformed = json.Unmarshal(req.body, in) != nil || !bytes.HasPrefix(bytes.TrimSpace(req.body), []byte("{"))
	c.RegistryID, c.RepositoryName = aws.ToString(in.RegistryID), aws.ToString(in.RepositoryName)
	if in.LayerDigest != nil {
		c.References = append(c.References, *in.LayerDigest)
	}
	if in.SubjectID != nil {
		c.References = append(c.References, aws.ToString(in.SubjectID.Digest))
	}
	if in.ImageIDs != nil {
		for _, id := range *in.ImageIDs {
			c.References = append(c.References, id.String())
		}
	}
}

// serveECR returns ECR's response to an authenticated request.
func (e *Endpoint) serveECR(req *request) *response {
	serve := map[string]func(*request, repositoryKey) *response{
		opGetDownloadURLForLayer: e.getDownloadURLForLayer,
		opBatchGetImage:          e.batchGetImage,
		opListImageReferrers:     e.listImageReferrers,
	}[req.call.Operation]
	if serve == nil {
		return ecrError(http.StatusBadRequest, "UnknownOperationException",
			"The local endpoint serves only BatchGetImage, GetDownloadUrlForLayer and ListImageReferrers.")
	}
	in := req.ecr
	if in.malformed {
		return ecrError(http.StatusBadRequest, "SerializationException", "")
	}
	if message := in.validate(req.call.Operation); message != "" {
		return ecrError(http.StatusBadRequest, "InvalidParameterException", message)
	}
	k := repositoryKey{cmp.Or(req.call.RegistryID, req.caller.AccountID), req.call.Region, *in.RepositoryName}
	if denied := e.authorize(req, k); denied != nil {
		return denied
	}
	if e.repositories[k] == nil {
		return ecrError(http.StatusBadRequest, "RepositoryNotFoundException",
			fmt.Sprintf("The repository with name '%s' does not exist in the registry with id '%s'", k.name, k.account))
	}
	return serve(req, k)
}

// authorize returns an AccessDeniedException if the caller's policies deny the
// operation, or if the repository policy does not allow a caller of another
// account. A repository that does not exist has no policy, so other accounts
// cannot tell whether it exists. It returns nil if the operation is allowed.
func (e *Endpoint) authorize(req *request, k repositoryKey) *response {
	action := "ecr:" + req.call.Operation
	if req.call.Operation == opListImageReferrers {
		action = "ecr:" + opBatchGetImage // The operation has no action of its own.
	}
	var reason string
	switch {
	case e.denies(req.caller, action):
		reason = "with an explicit deny in an identity-based policy"
	case req.caller.AccountID != k.account && !e.existing(k).readers[req.caller.AccountID]:
		reason = "because no resource-based policy allows the " + action + " action"
	default:
		return nil
	}
	return ecrError(http.StatusBadRequest, "AccessDeniedException",
		fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s %s", req.caller.ARN, action, k.arn(), reason))
}

// getDownloadURLForLayer implements
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetDownloadUrlForLayer.html
func (e *Endpoint) getDownloadURLForLayer(req *request, k repositoryKey) *response {
	r, d := e.repositories[k], digest.Digest(*req.ecr.LayerDigest)
	if r.blobs[d] == nil {
		return ecrError(http.StatusBadRequest, "LayersNotFoundException",
			fmt.Sprintf("The layer with digest '%s' does not exist within the repository with name '%s' in the registry with id '%s'", d, k.name, k.account))
	}
	// AWS does not document what it returns for a layer of archived images.
	if reason := r.inaccessible(d); reason != "" {
		return ecrError(http.StatusBadRequest, "LayerInaccessibleException",
			fmt.Sprintf("The layer with digest '%s' in the repository with name '%s' in the registry with id '%s' is not available because %s", d, k.name, k.account, reason))
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
	message := cmp.Or(checkText("registryId", in.RegistryID, false, 0, math.MaxInt, registryID),
		checkText("repositoryName", in.RepositoryName, true, 2, 256, repositoryName))
	switch {
	case message != "":
		return message
	case operation == opGetDownloadURLForLayer:
		return checkText("layerDigest", in.LayerDigest, true, 0, math.MaxInt, layerDigest)
	case operation == opListImageReferrers:
		return in.validateReferrers()
	case in.ImageIDs == nil:
		return constraintMessage("imageIds", "must not be null")
	}
	return checkSize("imageIds", "length", len(*in.ImageIDs), 1, maxImageIDs)
}

// checkText returns the message for a text that violates the API model, or "".
func checkText(member string, text *string, required bool, least, most int, p pattern) string {
	switch {
	case text == nil && required:
		return constraintMessage(member, "must not be null")
	case text == nil:
		return ""
	case !p.anchored.MatchString(*text):
		return cmp.Or(checkSize(member, "length", len(*text), least, most), constraintMessage(member, "must satisfy regular expression '"+p.text+"'"))
	}
	return checkSize(member, "length", len(*text), least, most)
}

// checkSize returns the message for a length or a value that is out of bounds, or "".
func checkSize(member, what string, n, least, most int) string {
	switch {
	case n < least:
		return constraintMessage(member, fmt.Sprintf("must have %s greater than or equal to %d", what, least))
	case n > most:
		return constraintMessage(member, fmt.Sprintf("must have %s less than or equal to %d", what, most))
	}
	return ""
}

func constraintMessage(member, text string) string {
	return fmt.Sprintf("Invalid parameter at '%s' failed to satisfy constraint: '%s'", member, text)
}
