// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest

import (
	"slices"
	"strings"
	"time"
)

// Credentials are an access key with whom it belongs to.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string // of temporary credentials
	AccountID       string
	ARN             string
	Expires         time.Time // the zero time means never
}

// principal is who a request comes from.
type principal struct {
	Credentials
	userID string
}

// assumedRole reports whether the principal is a role's session.
func (p principal) assumedRole() bool { return strings.Contains(p.ARN, ":assumed-role/") }

// Role is an IAM role that AssumeRole and AssumeRoleWithWebIdentity know.
type Role struct {
	ARN             string
	TrustedAccounts []string // accounts whose principals may assume it
	ExternalID      string   // that AssumeRole must give; empty: none is required
	// WebIdentityTokens are the tokens that AssumeRoleWithWebIdentity takes.
	WebIdentityTokens []string
	MaxSession        time.Duration // zero: one hour, IAM's default
}

// denial is an action that a principal's policies deny.
type denial struct{ arn, action string }

// AddUser makes an IAM user in an account and returns its access key.
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

// AddCredentials makes credentials valid until they expire, and takes the
// place of any with the same access key id. Without an ARN they are a user's.
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

// principal returns whom an access key belongs to, the zero value for nobody.
func (e *Endpoint) principal(accessKeyID string) principal {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.principals[accessKeyID]
}

// AddRole makes a role known, and takes the place of one with the same ARN.
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

// Deny makes the policies of a principal deny an action, such as
// "ecr:GetDownloadUrlForLayer". The principal is named by its ARN; the ARN of
// a role stands for all of its sessions. GetCallerIdentity cannot be denied.
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

// sessionARN returns the ARN of a session of a role. A role's path is not part
// of it. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
func sessionARN(roleARN, session string) string {
	parts := strings.SplitN(roleARN, ":", 6)
	if len(parts) != 6 {
		return roleARN
	}
	name := parts[5][strings.LastIndex(parts[5], "/")+1:]
	return "arn:" + parts[1] + ":sts::" + parts[4] + ":assumed-role/" + name + "/" + session
}

// arnAccount returns the account in an ARN.
func arnAccount(arn string) string {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 {
		return parts[4]
	}
	return ""
}
