// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
)

const (
	opGetCallerIdentity         = "GetCallerIdentity"
	opAssumeRole                = "AssumeRole"
	opAssumeRoleWithWebIdentity = "AssumeRoleWithWebIdentity"

	stsVersion = "2011-06-15"

	defaultSession = time.Hour
	// Role chaining limits a session to one hour.
	// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
	maxChainedSession = time.Hour
)

// serveSTS returns STS's response to an authenticated request.
func (e *Endpoint) serveSTS(req *request) *response {
	form := req.call.Form
	if form.Get("Version") != stsVersion {
		return stsError(http.StatusBadRequest, "InvalidAction", fmt.Sprintf("Could not find operation %s for version %s", form.Get("Action"), form.Get("Version")))
	}
	switch req.call.Operation {
	case opGetCallerIdentity:
		return stsOK(req, newElement("Arn", req.caller.ARN), newElement("UserId", req.caller.userID), newElement("Account", req.caller.AccountID))
	case opAssumeRole, opAssumeRoleWithWebIdentity:
		return e.assumeRole(req)
	default:
		return stsError(http.StatusBadRequest, "InvalidAction", fmt.Sprintf("Could not find operation %s for version %s", form.Get("Action"), stsVersion))
	}
}

// stsOK returns the response to an operation with the elements of its result.
func stsOK(req *request, result ...element) *response {
	body, _ := xml.MarshalIndent(element{
		XMLName: xml.Name{Space: "https://sts.amazonaws.com/doc/2011-06-15/", Local: req.call.Operation + "Response"},
		Children: []element{
			newElement(req.call.Operation+"Result", "", result...),
			newElement("ResponseMetadata", "", newElement("RequestId", requestIDPlaceholder)),
		},
	}, "", "  ")
	return newResponse(http.StatusOK, "text/xml", append(body, '\n'))
}

// assumeRole implements
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html and
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
func (e *Endpoint) assumeRole(req *request) *response {
	form, web := req.call.Form, req.call.Operation == opAssumeRoleWithWebIdentity
	role, known := e.roles[form.Get("RoleArn")]
	token := form.Get("WebIdentityToken")
	if n := utf8.RuneCountInString(token); web && (n < 4 || n > 20000) {
		return validationError("'[redacted]'", "webIdentityToken", "Member must have length between 4 and 20000")
	}
	if failure := validateSession(form); failure != nil {
		return failure
	}
	switch {
	case web && len(role.WebIdentityTokens) == 0:
		return stsError(http.StatusForbidden, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
	case web && !slices.Contains(role.WebIdentityTokens, token):
		return stsError(http.StatusBadRequest, "InvalidIdentityToken", "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements")
	case !web && (!known || !slices.Contains(role.TrustedAccounts, req.caller.AccountID) ||
		role.ExternalID != "" && role.ExternalID != form.Get("ExternalId") || e.denies(req.caller, "sts:AssumeRole")):
		return stsError(http.StatusForbidden, "AccessDenied",
			fmt.Sprintf("User: %s is not authorized to perform: sts:AssumeRole on resource: %s", req.caller.ARN, form.Get("RoleArn")))
	}
	duration := defaultSession
	if form.Has("DurationSeconds") {
		seconds, _ := strconv.Atoi(form.Get("DurationSeconds"))
		duration = time.Duration(seconds) * time.Second
	}
	switch {
	case duration > maxChainedSession && req.caller.isAssumedRole():
		return stsError(http.StatusBadRequest, "ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
	case duration > cmp.Or(role.MaxSession, defaultSession):
		return stsError(http.StatusBadRequest, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	result := e.newSession(role, form.Get("RoleSessionName"), duration)
	if web {
		result = append(result, newElement("SubjectFromWebIdentityToken", "subject"), newElement("Audience", "sts.amazonaws.com"))
	} else if form.Has("SourceIdentity") {
		result = append(result, newElement("SourceIdentity", form.Get("SourceIdentity")))
	}
	return stsOK(req, result...)
}

// stsParameters are constraints from the API model sts-2011-06-15.
var stsParameters = []struct {
	member, parameter string
	minLen, maxLen    int
	pattern           pattern
	required          bool
}{
	{"roleArn", "RoleArn", 20, 2048, newPattern(`(?s).*`), true},
	{"roleSessionName", "RoleSessionName", 2, 64, newPattern(`[\w+=,.@-]*`), true},
	{"externalId", "ExternalId", 2, 1224, newPattern(`[\w+=,.@:\/-]*`), false},
	{"sourceIdentity", "SourceIdentity", 2, 64, newPattern(`[\w+=,.@-]*`), false},
}

// validateSession returns the error for input that violates the API model, or nil.
func validateSession(form url.Values) *response {
	for _, p := range stsParameters {
		if !form.Has(p.parameter) && !p.required {
			continue
		}
		value := form.Get(p.parameter)
		if n := utf8.RuneCountInString(value); n < p.minLen || n > p.maxLen || !p.pattern.anchored.MatchString(value) {
			return validationError("'"+value+"'", p.member, fmt.Sprintf("Member must have length between %d and %d and satisfy regular expression pattern: %s", p.minLen, p.maxLen, p.pattern.text))
		}
	}
	if seconds, err := strconv.Atoi(form.Get("DurationSeconds")); form.Has("DurationSeconds") && (err != nil || seconds < 900 || seconds > 43200) {
		return validationError("'"+form.Get("DurationSeconds")+"'", "durationSeconds", "Member must have value between 900 and 43200")
	}
	return nil
}

// validationError returns the error for a parameter that violates the API model.
func validationError(value, member, text string) *response {
	return stsError(http.StatusBadRequest, "ValidationError", fmt.Sprintf("1 validation error detected: Value %s at '%s' failed to satisfy constraint: %s", value, member, text))
}

// newSession creates a session of a role and returns the elements of it that both
// operations return.
func (e *Endpoint) newSession(role Role, name string, duration time.Duration) []element {
	owner, _ := arn.Parse(role.ARN)
	p := principal{
		Credentials: Credentials{
			AccessKeyID:     randomID("ASIA"),
			SecretAccessKey: randomBase64(30),
			SessionToken:    randomBase64(300),
			AccountID:       owner.AccountID,
			ARN:             sessionARN(role.ARN, name),
			Expires:         e.now().Add(duration).Truncate(time.Second),
		},
		userID: randomID("AROA") + ":" + name,
	}
	e.addPrincipal(p)
	return []element{
		newElement("AssumedRoleUser", "", newElement("AssumedRoleId", p.userID), newElement("Arn", p.ARN)),
		newElement("Credentials", "", newElement("AccessKeyId", p.AccessKeyID), newElement("SecretAccessKey", p.SecretAccessKey),
			newElement("SessionToken", p.SessionToken), newElement("Expiration", p.Expires.Format(time.RFC3339))),
	}
}
