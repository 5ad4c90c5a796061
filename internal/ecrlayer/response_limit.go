// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"context"
	"fmt"
	"io"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// maxResponseSize is the most bytes that are read of a response, which the SDK
// reads into memory without a limit. A manifest of MaxManifestSize fits, even if
// JSON escapes every byte of it.
const maxResponseSize = 8 * MaxManifestSize

// limitResponse adds a middleware that limits the response's body.
func limitResponse(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("ecrlayer:LimitResponse",
		func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
			out, metadata, err := next.HandleDeserialize(ctx, in)
			if response, ok := out.RawResponse.(*smithyhttp.Response); ok {
				response.Body = LimitBody(response.Body, maxResponseSize)
			}
			return out, metadata, err
		}), middleware.After)
}

// LimitBody returns body, but reading more than limit bytes of it fails with an
// *InvalidResponseError.
func LimitBody(body io.ReadCloser, limit int) io.ReadCloser {
	return &limitedBody{body, limit, limit}
}

type limitedBody struct {
	io.ReadCloser
	limit, left int
}

func (b *limitedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, &InvalidResponseError{Reason: fmt.Sprintf("the response has more than %d bytes", b.limit)}
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left+1)]) // One more tells a longer body.
	b.left -= n
	return n, err
}
