// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest

import (
	"slices"
	"strings"
	"time"
)

// Credentials are an access key and the principal that it belongs to.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string // only of temporary credentials
	AccountID       string
	ARN             string
	Expires         time.Time // zero means never
}

// principal is an IAM user or a session of a role.
type principal struct {
	Credentials
	userID string
}

// isAssumedRole reports whether the principal is a session of a role.
func (p principal) isAssumedRole() bool { return strings.Contains(p.ARN, ":assumed-role/") }

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
	c := Credentials{
		AccessKeyID:     randomID("AKIA"),
		SecretAccessKey: randomBase64(30),
		AccountID:       accountID,
		ARN:             "arn:aws:iam::" + accountID + ":user/user-" + randomHex(4),
	}
	e.AddCredentials(c)
	return c
}

// AddCredentials adds credentials, and replaces those with the same access key ID.
// They are valid until they expire. Without an ARN they belong to an IAM user.
func (e *Endpoint) AddCredentials(c Credentials) {
	if c.ARN == "" {
		c.ARN = "arn:aws:iam::" + c.AccountID + ":user/" + c.AccessKeyID
	}
	e.addPrincipal(principal{Credentials: c, userID: randomID("AIDA")})
}

func (e *Endpoint) addPrincipal(p principal) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.principals[p.AccessKeyID] = p
}

// principal returns the owner of an access key, or the zero value if it is unknown.
func (e *Endpoint) principal(accessKeyID string) principal {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.principals[accessKeyID]
}

// AddRole adds a role, and replaces the one with the same ARN.
func (e *Endpoint) AddRole(r Role) {
	r.TrustedAccounts = slices.Clone(r.TrustedAccounts)
	r.WebIdentityTokens = slices.Clone(r.WebIdentityTokens)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.roles[r.ARN] = r
}

func (e *Endpoint) role(arn string) (Role, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r, ok := e.roles[arn]
	return r, ok
}

// Deny adds an explicit deny of an action, such as "ecr:GetDownloadUrlForLayer", to
// the policies of a principal. The ARN of a role applies to all of its sessions.
// GetCallerIdentity cannot be denied.
func (e *Endpoint) Deny(principalARN, action string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.denied[denial{principalARN, action}] = true
}

// denies reports whether an action is denied to a principal.
func (e *Endpoint) denies(p principal, action string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
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
	parts := strings.SplitN(roleARN, ":", 6)
	if len(parts) != 6 {
		return roleARN
	}
	name := parts[5][strings.LastIndex(parts[5], "/")+1:]
	return "arn:" + parts[1] + ":sts::" + parts[4] + ":assumed-role/" + name + "/" + session
}

// arnAccount returns the account ID in an ARN, or "" if the ARN is invalid.
func arnAccount(arn string) string {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 {
		return parts[4]
	}
	return ""
}
