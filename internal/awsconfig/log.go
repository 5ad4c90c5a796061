// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package awsconfig

import (
	"context"
	"fmt"

	"github.com/aws/smithy-go/logging"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/redact"
)

// maxLogLine is the most bytes of a message of the SDK in the log. Its longest, a
// request with its signature, has about half of that.
const maxLogLine = 16 << 10

// sdkLogger passes the AWS SDK's messages to Terraform's log, each as one line.
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
	message := redact.Line(fmt.Sprintf(format, arguments...), maxLogLine)
	if classification == logging.Warn {
		tflog.Warn(l.ctx, message)
		return
	}
	tflog.Debug(l.ctx, message)
}
