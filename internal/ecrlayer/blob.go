// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awsxml "github.com/aws/aws-sdk-go-v2/aws/protocol/xml"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// OperationDownload is the Operation of the Call that gets a blob from where a
// pre-signed URL leads to. It is no operation of ECR.
const OperationDownload = "Download"

// MaxConfigSize is the most bytes of an image's config: 8 MiB. Usual configs have
// a few KiB.
const MaxConfigSize = 8 << 20

// maxErrorSize is the most bytes that are read of an error response.
const maxErrorSize = 64 << 10

// DownloadError is an answer to the download of a blob that is not the blob.
type DownloadError struct {
	// StatusCode is the HTTP status.
	StatusCode int
	// Code is Amazon S3's error code, such as "AccessDenied", or empty if the
	// answer is not S3's (a proxy's, say).
	Code string
	// Message is Amazon S3's explanation.
	Message string
	// Host is where the blob was asked for: its first label names the S3 bucket,
	// or the bucket is the path's beginning.
	Host string
}

// Error returns the status, the host and what Amazon S3 said.
func (e *DownloadError) Error() string {
	s := fmt.Sprintf("%s answered %d %s", e.Host, e.StatusCode, http.StatusText(e.StatusCode))
	if e.Code != "" {
		s += fmt.Sprintf(" (%s: %s)", e.Code, e.Message)
	}
	return s
}

// HTTPStatusCode tells the SDK's retryer whether to try again.
func (e *DownloadError) HTTPStatusCode() int {
	return e.StatusCode
}

// ErrorCode tells it, too.
func (e *DownloadError) ErrorCode() string {
	return e.Code
}

// download gets a blob from where presigned leads to, checks its size and its
// digest, and gives it to use. It connects and retries as for ECR, but signs
// nothing and runs none of the steps that log requests: the URL is a credential.
// The error is a *CallError; it wraps a *DownloadError, an *InvalidResponseError or what
// use returns.
func (c *Client) download(ctx context.Context, repo Repository, blob Descriptor, presigned string, use func([]byte) error) error {
	return c.do(ctx, OperationDownload, repo, blob.Digest.String(), func(ctx context.Context, options func(*ecr.Options)) error {
		target, err := url.Parse(presigned)
		if err != nil {
			return checkURL(presigned)
		}
		stack := middleware.NewStack(OperationDownload, func() any {
			return &smithyhttp.Request{Request: &http.Request{
				Method: http.MethodGet,
				URL:    target,
				Header: http.Header{"Accept-Encoding": {"identity"}},
			}}
		})
		var added ecr.Options
		options(&added)
		own, reader := c.ecr.Options(), &blobReader{blob: blob}
		errs := []error{
			stack.Finalize.Add(retry.NewAttemptMiddleware(own.Retryer, smithyhttp.RequestCloner), middleware.After),
			stack.Deserialize.Add(reader, middleware.After),
		}
		for _, add := range added.APIOptions {
			errs = append(errs, add(stack))
		}
		if err := errors.Join(errs...); err != nil {
			return err
		}
		handler := smithyhttp.NewClientHandlerWithOptions(redactingClient{own.HTTPClient})
		if _, _, err := middleware.DecorateHandler(handler, stack).Handle(ctx, nil); err != nil {
			return err
		}
		return use(reader.content)
	})
}

// redactingClient is an HTTP client whose errors tell no more of a URL than
// scheme and host.
type redactingClient struct {
	smithyhttp.ClientDo
}

// Do sends a request.
func (c redactingClient) Do(request *http.Request) (*http.Response, error) {
	response, err := c.ClientDo.Do(request)
	if failure, ok := errors.AsType[*url.Error](err); ok {
		return response, &url.Error{Op: failure.Op, URL: request.URL.Scheme + "://" + request.URL.Host, Err: failure.Err}
	}
	return response, err
}

// blobReader is the step of the SDK's stack that reads what each attempt to get
// a blob brings.
type blobReader struct {
	blob    Descriptor
	content []byte
}

// ID returns the name of the step.
func (*blobReader) ID() string {
	return "ecrlayer:Blob"
}

// HandleDeserialize reads the answer.
func (r *blobReader) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
	out, metadata, err := next.HandleDeserialize(ctx, in)
	response, ok := out.RawResponse.(*smithyhttp.Response)
	if err != nil || !ok {
		return out, metadata, err
	}
	defer response.Body.Close()
	if id := response.Header.Get("X-Amz-Request-Id"); id != "" {
		awsmiddleware.SetRequestIDMetadata(&metadata, id)
	}
	if response.StatusCode != http.StatusOK {
		failure := &DownloadError{StatusCode: response.StatusCode}
		if request, ok := in.Request.(*smithyhttp.Request); ok {
			failure.Host = request.URL.Host
		}
		// What is not Amazon S3's XML leaves code and message empty.
		said, _ := awsxml.GetErrorResponseComponents(io.LimitReader(response.Body, maxErrorSize), true)
		failure.Code, failure.Message = said.Code, said.Message
		return out, metadata, failure
	}
	r.content, err = r.read(response.Body)
	return out, metadata, err
}

func (r *blobReader) read(body io.Reader) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(body, MaxConfigSize+1))
	size := int64(len(content))
	if err != nil {
		// The connection broke, so that another attempt may succeed.
		return nil, &smithyhttp.RequestSendError{Err: fmt.Errorf("after %d of %d bytes: %w", size, r.blob.Size, err)}
	}
	if size > MaxConfigSize {
		return nil, &InvalidResponseError{Reason: fmt.Sprintf("the blob has more than %d bytes, and %d according to the manifest", MaxConfigSize, r.blob.Size)}
	}
	if actual := r.blob.Digest.Algorithm().FromBytes(content); actual != r.blob.Digest {
		return nil, &InvalidResponseError{Reason: fmt.Sprintf("the blob has %d bytes and the digest %s, according to the manifest %d bytes and %s", size, actual, r.blob.Size, r.blob.Digest)}
	}
	if size != r.blob.Size {
		return nil, &BrokenImageError{Reason: fmt.Sprintf("the blob has %d bytes, and %d according to the manifest", size, r.blob.Size)}
	}
	return content, nil
}
