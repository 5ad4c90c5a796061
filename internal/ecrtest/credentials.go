// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest

import (
	"crypto/rand"
	"encoding/base64"
	"path"
	"slices"
	"strings"
	"time"

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
		ARN:             "arn:aws:iam::" + accountID + ":user/" + randomID("user-"),
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
	e.set(func() { e.addPrincipal(principal{Credentials: c, userID: randomID("AIDA")}) })
}

func (e *Endpoint) addPrincipal(p principal) { e.principals[p.AccessKeyID] = p }

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
func (e *Endpoint) denies(p principal, action string) bool {
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
