// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package awsconfig

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/smithy-go/logging"
	baselogging "github.com/hashicorp/aws-sdk-go-base/v2/logging"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/redact"
)

// sdkLogger passes the AWS SDK's messages to Terraform's log, redacted.
type sdkLogger struct {
	ctx context.Context
}

func (l sdkLogger) WithContext(ctx context.Context) logging.Logger {
	return sdkLogger{ctx: ctx}
}

func (l sdkLogger) Logf(classification logging.Classification, format string, arguments ...any) {
	if l.ctx == nil {
		return // The SDK passes a context with every message of a call, and tflog requires one.
	}
	message := redact.Text(fmt.Sprintf(format, arguments...))
	if classification == logging.Warn {
		tflog.Warn(l.ctx, message)
		return
	}
	tflog.Debug(l.ctx, message)
}

// redactingLogger passes the messages of aws-sdk-go-base to Terraform's log:
// which credentials it found, and a line per request and response. Its fields
// include whole bodies, which hold credentials, so only known fields pass.
type redactingLogger struct {
	baselogging.Logger
}

func (l redactingLogger) Warn(ctx context.Context, message string, fields ...map[string]any) {
	l.Logger.Warn(ctx, redact.Text(message), redactFields(fields))
}

func (l redactingLogger) Info(ctx context.Context, message string, fields ...map[string]any) {
	l.Logger.Info(ctx, redact.Text(message), redactFields(fields))
}

func (l redactingLogger) Debug(ctx context.Context, message string, fields ...map[string]any) {
	l.Logger.Debug(ctx, redact.Text(message), redactFields(fields))
}

func (l redactingLogger) Trace(ctx context.Context, message string, fields ...map[string]any) {
	l.Logger.Trace(ctx, redact.Text(message), redactFields(fields))
}

func (l redactingLogger) SetField(ctx context.Context, name string, value any) context.Context {
	value, ok := redactFields([]map[string]any{{name: value}})[name]
	if ok {
		return l.Logger.SetField(ctx, name, value)
	}
	return ctx
}

func (l redactingLogger) SubLogger(ctx context.Context, name string) (context.Context, baselogging.Logger) {
	ctx, logger := l.Logger.SubLogger(ctx, name)
	return ctx, redactingLogger{logger}
}

// publicFields are the fields of aws-sdk-go-base that hold no credentials, as do
// those whose names begin with "tf_aws.".
var publicFields = map[string]bool{
	"aws.region":                            true,
	"error":                                 true,
	"http.duration":                         true,
	"http.method":                           true,
	"http.resend_count":                     true,
	"http.response.header.x_amzn_requestid": true,
	"http.status_code":                      true,
	"http.url":                              true,
	"rpc.method":                            true,
	"rpc.service":                           true,
	"rpc.system":                            true,
}

func redactFields(all []map[string]any) map[string]any {
	kept := map[string]any{}
	for _, fields := range all {
		for name, value := range fields {
			if !publicFields[name] && !strings.HasPrefix(name, "tf_aws.") {
				continue
			}
			switch v := value.(type) {
			case string:
				value = redact.Text(v)
			case error:
				value = redact.Text(v.Error())
			}
			kept[name] = value
		}
	}
	return kept
}
