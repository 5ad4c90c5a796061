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

const allLogModes = aws.LogSigning | aws.LogRetries | aws.LogRequest | aws.LogRequestWithBody | aws.LogResponse | aws.LogResponseWithBody |
	aws.LogDeprecatedUsage | aws.LogRequestEventMessage | aws.LogResponseEventMessage

func TestSDKLogModesRedactSecrets(t *testing.T) {
	t.Parallel()
	modes := map[string]struct {
		mode aws.ClientLogMode
		want string // output of the mode
	}{
		"none":               {0, ""},
		"signing":            {aws.LogSigning, "CANONICAL STRING"},
		"retries":            {aws.LogRetries, "retrying request"},
		"request":            {aws.LogRequest, "POST / HTTP/1.1"},
		"request with body":  {aws.LogRequestWithBody, "repositoryName"},
		"response":           {aws.LogResponse, "X-Amzn-Requestid"},
		"response with body": {aws.LogResponseWithBody, "downloadUrl"},
		"all":                {allLogModes, "downloadUrl"},
	}
	for name, test := range modes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.user.SessionToken = "IQoJb3JpZ2luX2VjEJv//////////wEaCXVzLWVhc3QtMSJHMEUCIQ=="
			f.AddCredentials(f.user)
			f.cfg.Credentials = credentials.NewStaticCredentialsProvider(f.user.AccessKeyID, f.user.SecretAccessKey, f.user.SessionToken)
			f.cfg.Logger, f.cfg.ClientLogMode = sdkLogger(t), test.mode

			var log bytes.Buffer
			ctx := tflogtest.RootLogger(t.Context(), &log)
			client := ecrlayer.NewClient(f.cfg, logCall)
			repo := ecrlayer.Repository{Name: faultRepository}
			f.Inject(ecrtest.Fault{Service: "ecr", Code: "ThrottlingException", Message: "Rate exceeded", Times: 2})
			got, err := client.DownloadURL(ctx, repo, digest.Digest(f.layer))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := client.DownloadURL(ctx, repo, digest.FromString("another")); err == nil {
				t.Fatal("reading an absent layer succeeded")
			}
			// AWS includes the signed headers in the message for an invalid signature.
			f.Inject(ecrtest.Fault{Service: "ecr", Code: "InvalidSignatureException", Status: http.StatusForbidden,
				Message: "The Canonical String for this request should have been\n'POST\n/\n\nx-amz-security-token:" + f.user.SessionToken + "\n'"})
			if _, err := client.DownloadURL(ctx, repo, digest.Digest(f.layer)); err == nil {
				t.Fatal("an invalid signature was accepted")
			}

			expectRedacted(t, log.String(), f.user, got.URL)
			if !strings.Contains(log.String(), test.want) {
				t.Errorf("the log does not contain %q of this log mode:\n%s", test.want, log.String())
			}
			entries, err := tflogtest.MultilineJSONDecode(&log)
			if err != nil {
				t.Fatal(err)
			}
			entries = slices.DeleteFunc(entries, func(e map[string]any) bool { return e["operation"] == nil })
			if len(entries) != 3 {
				t.Fatalf("got %d log lines for 3 calls: %v", len(entries), entries)
			}
			expectCall(t, entries[0], "debug", map[string]any{"operation": "GetDownloadUrlForLayer", "region": faultRegion, "repository_name": faultRepository, "resource": f.layer, "attempts": 3.0, "status": 200.0})
			expectCall(t, entries[1], "warn", map[string]any{"operation": "GetDownloadUrlForLayer", "region": faultRegion, "attempts": 1.0, "status": 400.0})
		})
	}
}

// sdkLogger returns the logger that awsconfig configures.
func sdkLogger(t *testing.T) smithylogging.Logger {
	t.Helper()
	block := awsconfig.Model{Region: types.StringValue(faultRegion), AccessKey: types.StringValue("AKIA"), SecretKey: types.StringValue("s")}
	config, diags := block.Load(t.Context(), "test", "1.0.0")
	if diags.HasError() {
		t.Fatal(diags)
	}
	return config.AWS.Logger
}

// expectRedacted fails if a text contains a secret of the credentials or the
// pre-signed URL.
func expectRedacted(t *testing.T, text string, user ecrtest.Credentials, url string) {
	t.Helper()
	secrets := map[string]string{"secret key": user.SecretAccessKey, "session token": user.SessionToken}
	for _, parameter := range []string{"X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token"} {
		_, value, _ := strings.Cut(url, parameter+"=")
		secrets[parameter], _, _ = strings.Cut(value, "&")
	}
	for name, secret := range secrets {
		if secret == "" {
			t.Errorf("%s is not set", name)
		} else if strings.Contains(text, secret) {
			t.Errorf("the %s is not redacted:\n%s", name, text)
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
			t.Errorf("%s is not set", name)
		}
	}
	if _, ok := entry["duration_ms"].(float64); !ok {
		t.Error("duration_ms is not set")
	}
}
