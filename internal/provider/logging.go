// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"

	"github.com/aws/smithy-go/logging"
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
		"subject":         call.Subject,
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
