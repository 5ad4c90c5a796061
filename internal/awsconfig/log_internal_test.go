// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package awsconfig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/hashicorp/aws-sdk-go-base/v2/logging"
	"github.com/hashicorp/terraform-plugin-log/tflogtest"
)

func TestSDKLoggerWithoutContextDoesNotPanic(t *testing.T) {
	t.Parallel()
	sdkLogger{}.Logf("DEBUG", "%s", "discarded")
}

func TestLoggerKeepsOnlyPublicFields(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	ctx, base := logging.NewTfLogger(tflogtest.RootLogger(t.Context(), &log))
	ctx, logger := redactingLogger{base}.SubLogger(ctx, "aws-base")
	ctx = logger.SetField(ctx, "rpc.method", "STS/AssumeRole")
	ctx = logger.SetField(ctx, "authorization", "leak-0")
	fields := map[string]any{
		"tf_aws.assume_role.role_arn":           "arn:aws:iam::123456789012:role/reader",
		"tf_aws.note":                           "WebIdentityToken=leak-1",
		"http.status_code":                      200,
		"http.response.body":                    "leak-2",
		"http.request.body":                     "leak-3",
		"http.request.header.authorization":     "leak-4",
		"http.response.header.x_amzn_requestid": "kept",
		"error":                                 errors.New("SessionToken: leak-5"),
		"something.new":                         "leak-6",
	}
	for _, write := range []func(context.Context, string, ...map[string]any){logger.Trace, logger.Debug, logger.Info, logger.Warn} {
		write(ctx, "SecretAccessKey=leak-7", maps.Clone(fields))
	}
	if !logger.IsDebug(ctx) {
		t.Error("IsDebug = false, want true")
	}
	if strings.Contains(log.String(), "leak") {
		t.Errorf("log contains secrets:\n%s", log.String())
	}
	entries, err := tflogtest.MultilineJSONDecode(&log)
	if err != nil || len(entries) != 4 {
		t.Fatalf("got %d lines, want 4, error %v", len(entries), err)
	}
	for _, entry := range entries {
		if entry["rpc.method"] != "STS/AssumeRole" || fmt.Sprint(entry["http.status_code"]) != "200" || entry["http.response.header.x_amzn_requestid"] != "kept" ||
			entry["tf_aws.assume_role.role_arn"] != fields["tf_aws.assume_role.role_arn"] {
			t.Errorf("log entry lacks a public field: %v", entry)
		}
	}
}
