// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	smithylogging "github.com/aws/smithy-go/logging"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflogtest"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/awsconfig"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

const everyMode = aws.LogSigning | aws.LogRetries | aws.LogRequest | aws.LogRequestWithBody | aws.LogResponse | aws.LogResponseWithBody |
	aws.LogDeprecatedUsage | aws.LogRequestEventMessage | aws.LogResponseEventMessage

func TestSDKLogModesRedactSecrets(t *testing.T) {
	t.Parallel()
	modes := map[string]struct {
		mode aws.ClientLogMode
		has  string // that shows that the mode is on
	}{
		"none":               {0, ""},
		"signing":            {aws.LogSigning, "CANONICAL STRING"},
		"retries":            {aws.LogRetries, "retrying request"},
		"request":            {aws.LogRequest, "POST / HTTP/1.1"},
		"request with body":  {aws.LogRequestWithBody, "repositoryName"},
		"response":           {aws.LogResponse, "X-Amzn-Requestid"},
		"response with body": {aws.LogResponseWithBody, "downloadUrl"},
		"all":                {everyMode, "downloadUrl"},
	}
	for name, test := range modes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newFixture(t)
			w.user.SessionToken = "IQoJb3JpZ2luX2VjEJv//////////wEaCXVzLWVhc3QtMSJHMEUCIQ=="
			w.AddCredentials(w.user)
			w.cfg.Credentials = credentials.NewStaticCredentialsProvider(w.user.AccessKeyID, w.user.SecretAccessKey, w.user.SessionToken)
			w.cfg.Logger, w.cfg.ClientLogMode = sdkLogger(t), test.mode

			var log bytes.Buffer
			ctx := tflogtest.RootLogger(t.Context(), &log)
			client := ecrlayer.NewClient(w.cfg, logCall)
			repo := ecrlayer.Repository{Name: faultRepository}
			w.Inject(ecrtest.Fault{Service: "ecr", Code: "ThrottlingException", Message: "Rate exceeded", Times: 2})
			got, err := client.DownloadURL(ctx, repo, digest.Digest(w.layer))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := client.DownloadURL(ctx, repo, digest.FromString("another")); err == nil {
				t.Fatal("a layer that is not there was found")
			}
			// What AWS says of a wrong signature repeats the headers that are signed.
			w.Inject(ecrtest.Fault{Service: "ecr", Code: "InvalidSignatureException", Status: http.StatusForbidden,
				Message: "The Canonical String for this request should have been\n'POST\n/\n\nx-amz-security-token:" + w.user.SessionToken + "\n'"})
			if _, err := client.DownloadURL(ctx, repo, digest.Digest(w.layer)); err == nil {
				t.Fatal("a wrong signature was accepted")
			}

			expectNoSecret(t, log.String(), w.user, got.URL)
			if !strings.Contains(log.String(), test.has) {
				t.Errorf("the log has no %q: the log mode is not on\n%s", test.has, log.String())
			}
			entries, err := tflogtest.MultilineJSONDecode(&log)
			if err != nil {
				t.Fatal(err)
			}
			entries = slices.DeleteFunc(entries, func(e map[string]any) bool { return e["operation"] == nil })
			if len(entries) != 3 {
				t.Fatalf("%d lines for 3 calls: %v", len(entries), entries)
			}
			expectCall(t, entries[0], "debug", map[string]any{"operation": "GetDownloadUrlForLayer", "region": faultRegion, "repository_name": faultRepository, "resource": w.layer, "attempts": 3.0, "status": 200.0})
			expectCall(t, entries[1], "warn", map[string]any{"operation": "GetDownloadUrlForLayer", "region": faultRegion, "attempts": 1.0, "status": 400.0})
		})
	}
}

// sdkLogger returns the logger that a provider block comes to.
func sdkLogger(t *testing.T) smithylogging.Logger {
	t.Helper()
	block := awsconfig.Model{Region: types.StringValue(faultRegion), AccessKey: types.StringValue("AKIA"), SecretKey: types.StringValue("s")}
	config, diags := block.Load(t.Context(), "test", "1.0.0")
	if diags.HasError() {
		t.Fatal(diags)
	}
	return config.AWS.Logger
}

// expectNoSecret checks that a text holds none of what a pre-signed URL or
// credentials keep secret.
func expectNoSecret(t *testing.T, text string, user ecrtest.Credentials, url string) {
	t.Helper()
	secrets := map[string]string{"secret key": user.SecretAccessKey, "session token": user.SessionToken}
	for _, parameter := range []string{"X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token"} {
		_, value, _ := strings.Cut(url, parameter+"=")
		secrets[parameter], _, _ = strings.Cut(value, "&")
	}
	for name, secret := range secrets {
		if secret == "" {
			t.Errorf("there is no %s", name)
		} else if strings.Contains(text, secret) {
			t.Errorf("the %s is in:\n%s", name, text)
		}
	}
}

func expectCall(t *testing.T, entry map[string]any, level string, want map[string]any) {
	t.Helper()
	if entry["@level"] != level {
		t.Errorf("the level is %v, want %s", entry["@level"], level)
	}
	for name, value := range want {
		if entry[name] != value {
			t.Errorf("%s is %v, want %v", name, entry[name], value)
		}
	}
	for _, name := range []string{"request_id", "endpoint"} {
		if value, _ := entry[name].(string); value == "" {
			t.Errorf("there is no %s", name)
		}
	}
	if _, ok := entry["duration_ms"].(float64); !ok {
		t.Error("there is no duration")
	}
}
