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

// OperationDownload is the Operation of the Call that downloads a blob by its
// pre-signed URL. It is not an operation of ECR.
const OperationDownload = "Download"

// MaxConfigSize is the most bytes of an image's config: 8 MiB. Usual configs have
// a few KiB.
const MaxConfigSize = 8 << 20

// maxErrorSize is the most bytes that are read of an error response.
const maxErrorSize = 64 << 10

// DownloadError is a response to the download of a blob that is not the blob.
type DownloadError struct {
	// StatusCode is the HTTP status.
	StatusCode int
	// Code is the error code of Amazon S3, such as "AccessDenied", or empty if the
	// response is not S3's.
	Code string
	// Message is Amazon S3's explanation, or where a redirect that was not followed
	// leads to.
	Message string
	// Host is the host of the request. If it is S3's, its first label or the
	// beginning of the path is the name of the bucket.
	Host string
}

// Error returns the host, the status, the code and the message.
func (e *DownloadError) Error() string {
	s := fmt.Sprintf("%s responded %d %s", e.Host, e.StatusCode, http.StatusText(e.StatusCode))
	switch {
	case e.Code != "":
		s += fmt.Sprintf(" (%s: %s)", e.Code, e.Message)
	case e.Message != "":
		s += fmt.Sprintf(" (%s)", e.Message)
	}
	return s
}

// HTTPStatusCode is for the SDK's retryer.
func (e *DownloadError) HTTPStatusCode() int {
	return e.StatusCode
}

// ErrorCode is for the SDK's retryer.
func (e *DownloadError) ErrorCode() string {
	return e.Code
}

// download downloads a blob, checks its digest and its size, and passes it to
// use. It connects and retries as requests to ECR do, but signs nothing and runs
// none of the middlewares that log requests, because the URL is a credential. The
// error is a *CallError; it wraps a *DownloadError, an *InvalidResponseError, a
// *BrokenImageError or what use returns.
func (c *Client) download(ctx context.Context, repo Repository, blob Descriptor, presigned string, use func([]byte) error) error {
	_, err := c.do(ctx, OperationDownload, repo, blob.Digest.String(), func(ctx context.Context, options func(*ecr.Options)) error {
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
	return err
}

// redactingClient is an HTTP client whose errors contain only the scheme and the
// host of a URL.
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

// blobReader is the middleware that reads the response to each attempt.
type blobReader struct {
	blob    Descriptor
	content []byte
}

// ID returns the name of the middleware.
func (*blobReader) ID() string {
	return "ecrlayer:Blob"
}

// HandleDeserialize reads the response.
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
		// A response that is not Amazon S3's XML leaves code and message empty.
		described, _ := awsxml.GetErrorResponseComponents(io.LimitReader(response.Body, maxErrorSize), true)
		failure.Code, failure.Message = described.Code, described.Message
		if location, err := response.Location(); err == nil && failure.StatusCode >= http.StatusTemporaryRedirect {
			failure.Message = "a redirect to " + location.Host
		}
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
