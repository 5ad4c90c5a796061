// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

const (
	roleARN  = "arn:aws:iam::" + other + ":role/ci/puller"
	chainARN = "arn:aws:iam::" + account + ":role/chained"
)

func (e *env) addRoles() {
	e.AddRole(ecrtest.Role{ARN: roleARN, TrustedAccounts: []string{account}, ExternalID: "external", MaxSession: 2 * time.Hour})
	e.AddRole(ecrtest.Role{ARN: chainARN, TrustedAccounts: []string{other}, MaxSession: 12 * time.Hour})
}

func assume(change func(*sts.AssumeRoleInput)) *sts.AssumeRoleInput {
	input := &sts.AssumeRoleInput{
		RoleArn:         aws.String(roleARN),
		RoleSessionName: aws.String("session"),
		ExternalId:      aws.String("external"),
	}
	if change != nil {
		change(input)
	}
	return input
}

func TestAssumeRoleErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*sts.AssumeRoleInput)
		denied bool
		status int
		code   string
		text   string
	}{
		{"no external ID", func(in *sts.AssumeRoleInput) { in.ExternalId = nil }, false, http.StatusForbidden, "AccessDenied", "is not authorized to perform: sts:AssumeRole on resource: " + roleARN},
		{"unknown role", func(in *sts.AssumeRoleInput) { in.RoleArn = aws.String(roleARN + "x") }, false, http.StatusForbidden, "AccessDenied", roleARN + "x"},
		{"account not trusted", func(in *sts.AssumeRoleInput) { in.RoleArn = aws.String(chainARN) }, false, http.StatusForbidden, "AccessDenied", chainARN},
		{"denied", nil, true, http.StatusForbidden, "AccessDenied", roleARN},
		{"short ARN", func(in *sts.AssumeRoleInput) { in.RoleArn = aws.String("arn") }, false, http.StatusBadRequest, "ValidationError", "Value 'arn' at 'roleArn' failed to satisfy constraint: Member must have length between 20 and 2048"},
		{"invalid session name", func(in *sts.AssumeRoleInput) { in.RoleSessionName = aws.String("a b") }, false, http.StatusBadRequest, "ValidationError", `Value 'a b' at 'roleSessionName' failed to satisfy constraint: Member must have length between 2 and 64`},
		{"duration over 12 hours", func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(43201) }, false, http.StatusBadRequest, "ValidationError", "durationSeconds"},
		{"duration over the role's maximum", func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(7201) }, false, http.StatusBadRequest, "ValidationError", "exceeds the MaxSessionDuration set for this role"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.addRoles()
			if test.denied {
				e.Deny(e.user.ARN, "sts:AssumeRole")
			}
			_, err := e.sts(e.user).AssumeRole(t.Context(), assume(test.change))
			wantError(t, err, test.status, test.code, test.text)
		})
	}
}
