// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

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

func sessionOf(c *types.Credentials) ecrtest.Credentials {
	return ecrtest.Credentials{
		AccessKeyID:     aws.ToString(c.AccessKeyId),
		SecretAccessKey: aws.ToString(c.SecretAccessKey),
		SessionToken:    aws.ToString(c.SessionToken),
	}
}

func TestAssumedRoleCallsECR(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.addRoles()
	e.CreateRepository(other, region, repo)
	out, err := e.sts(e.user).AssumeRole(t.Context(), assume(func(in *sts.AssumeRoleInput) {
		in.DurationSeconds = aws.Int32(7200)
	}))
	if err != nil {
		t.Fatal(err)
	}
	wantARN := "arn:aws:sts::" + other + ":assumed-role/puller/session"
	if aws.ToString(out.AssumedRoleUser.Arn) != wantARN || time.Until(*out.Credentials.Expiration).Round(time.Minute) != 2*time.Hour {
		t.Errorf("%+v %+v", out.AssumedRoleUser, out.Credentials.Expiration)
	}
	session := sessionOf(out.Credentials)
	identity, err := e.sts(session).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil || aws.ToString(identity.Arn) != wantARN || aws.ToString(identity.Account) != other {
		t.Errorf("%+v, %v", identity, err)
	}
	_, err = e.ecr(session).GetDownloadUrlForLayer(t.Context(), layerInput(anyDigest))
	wantError(t, err, http.StatusBadRequest, "LayersNotFoundException", "registry with id '"+other+"'")

	e.Skew(3 * time.Hour)
	_, err = e.ecr(session).GetDownloadUrlForLayer(t.Context(), layerInput(anyDigest))
	wantError(t, err, http.StatusBadRequest, "ExpiredTokenException", "expired")
}

func TestAssumeRoleIsRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*sts.AssumeRoleInput)
		denied bool
		status int
		code   string
		text   string
	}{
		{"no external id", func(in *sts.AssumeRoleInput) { in.ExternalId = nil }, false, http.StatusForbidden, "AccessDenied", "is not authorized to perform: sts:AssumeRole on resource: " + roleARN},
		{"no such role", func(in *sts.AssumeRoleInput) { in.RoleArn = aws.String(roleARN + "x") }, false, http.StatusForbidden, "AccessDenied", roleARN + "x"},
		{"account not trusted", func(in *sts.AssumeRoleInput) { in.RoleArn = aws.String(chainARN) }, false, http.StatusForbidden, "AccessDenied", chainARN},
		{"denied", nil, true, http.StatusForbidden, "AccessDenied", roleARN},
		{"short ARN", func(in *sts.AssumeRoleInput) { in.RoleArn = aws.String("arn") }, false, http.StatusBadRequest, "ValidationError", "Value 'arn' at 'roleArn' failed to satisfy constraint: Member must have length between 20 and 2048"},
		{"session name", func(in *sts.AssumeRoleInput) { in.RoleSessionName = aws.String("a b") }, false, http.StatusBadRequest, "ValidationError", `Value 'a b' at 'roleSessionName' failed to satisfy constraint: Member must have length between 2 and 64`},
		{"long duration", func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(43201) }, false, http.StatusBadRequest, "ValidationError", "durationSeconds"},
		{"longer than the role allows", func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(7201) }, false, http.StatusBadRequest, "ValidationError", "exceeds the MaxSessionDuration set for this role"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := start(t)
			e.addRoles()
			if test.denied {
				e.Deny(e.user.ARN, "sts:AssumeRole")
			}
			_, err := e.sts(e.user).AssumeRole(t.Context(), assume(test.change))
			wantError(t, err, test.status, test.code, test.text)
		})
	}
}

func TestWebIdentity(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.addRoles()
	const webARN = "arn:aws:iam::" + account + ":role/web"
	e.AddRole(ecrtest.Role{ARN: webARN, WebIdentityTokens: []string{"good token"}})
	anonymous := e.sts(ecrtest.Credentials{}, func(o *sts.Options) { o.Credentials = aws.AnonymousCredentials{} })
	input := func(role, token string) *sts.AssumeRoleWithWebIdentityInput {
		return &sts.AssumeRoleWithWebIdentityInput{RoleArn: aws.String(role), RoleSessionName: aws.String("web"), WebIdentityToken: aws.String(token)}
	}

	out, err := anonymous.AssumeRoleWithWebIdentity(t.Context(), input(webARN, "good token"))
	if err != nil {
		t.Fatal(err)
	}
	identity, err := e.sts(sessionOf(out.Credentials)).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil || aws.ToString(identity.Arn) != "arn:aws:sts::"+account+":assumed-role/web/web" {
		t.Errorf("%+v, %v", identity, err)
	}

	_, err = anonymous.AssumeRoleWithWebIdentity(t.Context(), input(webARN, "bad token"))
	wantError(t, err, http.StatusBadRequest, "InvalidIdentityToken", "")
	_, err = anonymous.AssumeRoleWithWebIdentity(t.Context(), input(roleARN, "good token"))
	wantError(t, err, http.StatusForbidden, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
	_, err = anonymous.AssumeRoleWithWebIdentity(t.Context(), input(webARN, "x"))
	wantError(t, err, http.StatusBadRequest, "ValidationError", "webIdentityToken")
	long := input(webARN, "good token")
	long.DurationSeconds = aws.Int32(3601)
	_, err = anonymous.AssumeRoleWithWebIdentity(t.Context(), long)
	wantError(t, err, http.StatusBadRequest, "ValidationError", "MaxSessionDuration")
}
