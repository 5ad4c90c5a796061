// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/smithy-go/logging"
	baselogging "github.com/hashicorp/aws-sdk-go-base/v2/logging"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

// logCall writes one line for each finished call: all that helps to find it in
// CloudTrail, and nothing of the answer, which is a credential.
func logCall(ctx context.Context, call ecrlayer.Call) {
	fields := map[string]any{
		"operation":       call.Operation,
		"region":          call.Repository.Region,
		"registry_id":     call.Repository.RegistryID,
		"repository_name": call.Repository.Name,
		"subject":         call.Resource,
		"endpoint":        call.Endpoint,
		"attempts":        call.Attempts,
		"duration_ms":     call.Elapsed.Milliseconds(),
		"status":          call.StatusCode,
		"request_id":      call.RequestID,
	}
	if call.Err != nil {
		fields["error"] = ecrlayer.Redact(call.Err.Error())
		tflog.Warn(ctx, "Call failed", fields)
		return
	}
	tflog.Debug(ctx, "Call succeeded", fields)
}

// sdkLogger takes what the AWS SDK has to say into Terraform's log. Whatever the
// SDK's log mode, no secret of a pre-signed URL passes.
type sdkLogger struct {
	ctx context.Context
}

func (l sdkLogger) WithContext(ctx context.Context) logging.Logger {
	return sdkLogger{ctx: ctx}
}

func (l sdkLogger) Logf(classification logging.Classification, format string, arguments ...any) {
	if l.ctx == nil {
		return // The SDK gives every message of a call its context; there is no log without one.
	}
	message := ecrlayer.Redact(fmt.Sprintf(format, arguments...))
	if classification == logging.Warn {
		tflog.Warn(l.ctx, message)
		return
	}
	tflog.Debug(l.ctx, message)
}

// signInLogger takes what aws-sdk-go-base has to say into Terraform's log: which
// credentials it found, and a line for each request to STS and for its answer.
// It hands over the whole of both, bodies included, which are credentials; only
// what is known to be none passes.
type signInLogger struct {
	baselogging.Logger
}

func (l signInLogger) Warn(ctx context.Context, message string, fields ...map[string]any) {
	l.Logger.Warn(ctx, ecrlayer.Redact(message), discreet(fields))
}

func (l signInLogger) Info(ctx context.Context, message string, fields ...map[string]any) {
	l.Logger.Info(ctx, ecrlayer.Redact(message), discreet(fields))
}

func (l signInLogger) Debug(ctx context.Context, message string, fields ...map[string]any) {
	l.Logger.Debug(ctx, ecrlayer.Redact(message), discreet(fields))
}

func (l signInLogger) Trace(ctx context.Context, message string, fields ...map[string]any) {
	l.Logger.Trace(ctx, ecrlayer.Redact(message), discreet(fields))
}

func (l signInLogger) SetField(ctx context.Context, name string, value any) context.Context {
	value, ok := discreet([]map[string]any{{name: value}})[name]
	if ok {
		return l.Logger.SetField(ctx, name, value)
	}
	return ctx
}

func (l signInLogger) SubLogger(ctx context.Context, name string) (context.Context, baselogging.Logger) {
	ctx, logger := l.Logger.SubLogger(ctx, name)
	return ctx, signInLogger{logger}
}

// discreetFields are the fields of aws-sdk-go-base that hold no secret, besides
// those of the names that begin with "tf_aws.".
var discreetFields = map[string]bool{
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

func discreet(all []map[string]any) map[string]any {
	kept := map[string]any{}
	for _, fields := range all {
		for name, value := range fields {
			if !discreetFields[name] && !strings.HasPrefix(name, "tf_aws.") {
				continue
			}
			switch v := value.(type) {
			case string:
				value = ecrlayer.Redact(v)
			case error:
				value = ecrlayer.Redact(v.Error())
			}
			kept[name] = value
		}
	}
	return kept
}
