// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
)

// Credentials are an access key and the principal that it belongs to.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string // only of temporary credentials
	AccountID       string
	ARN             string
	Expires         time.Time // zero means never
	userID          string
}

// Role is an IAM role for AssumeRole and AssumeRoleWithWebIdentity.
type Role struct {
	ARN             string
	TrustedAccounts []string // accounts whose principals may assume it
	ExternalID      string   // that AssumeRole requires unless it is empty
	// WebIdentityTokens are the tokens that AssumeRoleWithWebIdentity accepts.
	WebIdentityTokens []string
	MaxSession        time.Duration // zero means one hour, IAM's default
}

// denial is an action that a principal's policies deny.
type denial struct{ arn, action string }

// AddUser creates an IAM user in an account and returns its access key.
func (e *Endpoint) AddUser(accountID string) Credentials {
	name := "arn:aws:iam::" + accountID + ":user/" + randomID("user-")
	c := Credentials{AccessKeyID: randomID("AKIA"), SecretAccessKey: randomBase64(30), AccountID: accountID, ARN: name}
	e.AddCredentials(c)
	return c
}

// AddCredentials adds credentials, and replaces those with the same access key ID.
// They are valid until they expire. Without an ARN they belong to an IAM user.
func (e *Endpoint) AddCredentials(c Credentials) {
	if c.ARN == "" {
		c.ARN = "arn:aws:iam::" + c.AccountID + ":user/" + c.AccessKeyID
	}
	c.userID = randomID("AIDA")
	e.set(func() { e.principals[c.AccessKeyID] = c })
}

// AddRole adds a role, and replaces the one with the same ARN.
func (e *Endpoint) AddRole(r Role) {
	r.TrustedAccounts = slices.Clone(r.TrustedAccounts)
	r.WebIdentityTokens = slices.Clone(r.WebIdentityTokens)
	e.set(func() { e.roles[r.ARN] = r })
}

// Deny adds an explicit deny of an action, such as "ecr:GetDownloadUrlForLayer", to
// the policies of a principal. The ARN of a role applies to all of its sessions.
// GetCallerIdentity cannot be denied.
func (e *Endpoint) Deny(principalARN, action string) {
	e.set(func() { e.denied[denial{principalARN, action}] = true })
}

// denies reports whether an action is denied to a principal.
func (e *Endpoint) denies(p Credentials, action string) bool {
	if e.denied[denial{p.ARN, action}] {
		return true
	}
	for d := range e.denied {
		if d.action == action && strings.Contains(d.arn, ":role/") && strings.HasPrefix(p.ARN, sessionARN(d.arn, "")) {
			return true
		}
	}
	return false
}

// sessionARN returns the ARN of a session of a role, which does not contain the
// role's path. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
func sessionARN(roleARN, session string) string {
	a, _ := arn.Parse(roleARN)
	a.Service, a.Region, a.Resource = "sts", "", "assumed-role/"+path.Base(a.Resource)+"/"+session
	return a.String()
}

// randomBytes returns n random bytes. rand.Read never returns an error; it crashes the
// program instead.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func randomBase64(n int) string { return base64.StdEncoding.EncodeToString(randomBytes(n)) }

// randomID returns an ID in the format of IAM: a prefix for the type, and 16 letters
// and digits.
func randomID(prefix string) string { return prefix + rand.Text()[:16] }

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
	return stsResponse(http.StatusOK, req.call.Operation+"Response", newElement(req.call.Operation+"Result", "", result...),
		newElement("ResponseMetadata", "", newElement("RequestId", requestIDPlaceholder)))
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
	case duration > maxChainedSession && strings.Contains(req.caller.ARN, ":assumed-role/"):
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
	c := Credentials{
		AccessKeyID:     randomID("ASIA"),
		SecretAccessKey: randomBase64(30),
		SessionToken:    randomBase64(300),
		AccountID:       owner.AccountID,
		ARN:             sessionARN(role.ARN, name),
		Expires:         e.now().Add(duration).Truncate(time.Second),
		userID:          randomID("AROA") + ":" + name,
	}
	e.principals[c.AccessKeyID] = c
	return []element{
		newElement("AssumedRoleUser", "", newElement("AssumedRoleId", c.userID), newElement("Arn", c.ARN)),
		newElement("Credentials", "", newElement("AccessKeyId", c.AccessKeyID), newElement("SecretAccessKey", c.SecretAccessKey),
			newElement("SessionToken", c.SessionToken), newElement("Expiration", c.Expires.Format(time.RFC3339))),
	}
}
