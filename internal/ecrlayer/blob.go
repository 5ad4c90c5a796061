// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"context"
	"fmt"
	"io"
	"net/http"

	awsxml "github.com/aws/aws-sdk-go-v2/aws/protocol/xml"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/redact"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/transport"
)

// OperationDownload is the Operation of the Call that downloads a blob by its
// pre-signed URL. It is not an operation of ECR.
const OperationDownload = "Download"

// MaxConfigSize is the most bytes of an image's config: 8 MiB. Usual configs have
// a few KiB.
const MaxConfigSize = 8 << 20

// DownloadError is a response to the download of a blob that is not the blob.
type DownloadError struct {
	// StatusCode is the HTTP status.
	StatusCode int
	// Code is the error code of Amazon S3, such as "AccessDenied", or empty if the
	// response is not S3's.
	Code string
	// Message is Amazon S3's explanation, in one line without secrets, or where a
	// redirect that was not followed leads to.
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

// BlobTooLargeError is a blob with more bytes than can be read.
type BlobTooLargeError struct {
	// Reason says how many it has, as a clause.
	Reason string
}

// Error returns the reason.
func (e *BlobTooLargeError) Error() string {
	return e.Reason
}

// HTTPStatusCode is for the SDK's retryer.
func (e *DownloadError) HTTPStatusCode() int {
	return e.StatusCode
}

// ErrorCode is for the SDK's retryer.
func (e *DownloadError) ErrorCode() string {
	return e.Code
}

// newDownloadError returns the error of a response, whose body it reads.
func newDownloadError(response *http.Response) *DownloadError {
	failure := &DownloadError{StatusCode: response.StatusCode, Host: redact.Line(response.Request.URL.Host, maxCode)}
	// A response that is not Amazon S3's XML leaves code and message empty.
	described, _ := awsxml.GetErrorResponseComponents(response.Body, true)
	failure.Code, failure.Message = hostSays(response, described.Code, maxCode), hostSays(response, described.Message, redact.MaxMessage)
	if location, err := response.Location(); err == nil && failure.StatusCode >= http.StatusTemporaryRedirect {
		failure.Message = hostSays(response, "a redirect to "+location.Host, maxCode)
	}
	return failure
}

// hostSays returns a text of a response as a line, without what makes the URL of the
// request a credential.
func hostSays(response *http.Response, text string, limit int) string {
	return redact.Line(redact.WithoutQuery(text, response.Request.URL), limit)
}

// get requests a pre-signed URL once, as an attempt of call, and passes the response
// to read if its status is accepted. It signs nothing and logs nothing, because the
// URL is a credential.
func (c *Client) get(ctx context.Context, call *Call, presigned string, header http.Header, accepted func(status int) bool, read func(*http.Response) error) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, presigned, http.NoBody)
	if err != nil {
		return &InvalidResponseError{Reason: "the download URL cannot be requested"} // err contains it.
	}
	request.Header = header
	request.Header.Set("Accept-Encoding", "identity")
	call.begin(request)
	response, err := c.downloads.Do(request)
	if err != nil {
		err = &smithyhttp.RequestSendError{Err: err}
		call.end(ctx, 0, "", err)
		return err
	}
	defer response.Body.Close()
	if accepted(response.StatusCode) {
		err = read(response)
	} else {
		err = newDownloadError(response)
	}
	call.end(ctx, response.StatusCode, hostSays(response, response.Header.Get("X-Amz-Request-Id"), maxCode), err)
	return err
}

// unknownSize is the Size of a Descriptor of which only the digest is known.
const unknownSize = -1

// download downloads a blob of at most limit bytes, checks its digest and, unless it is
// unknown, its size, and passes it to use. It connects and retries as requests to ECR do.
// The error is a *CallError; it wraps a *DownloadError, an *InvalidResponseError, a
// *BlobTooLargeError if the size is unknown, a *BrokenImageError, or what use returns.
func (c *Client) download(ctx context.Context, repo Repository, blob Descriptor, limit int64, presigned string, use func([]byte) error) error {
	call := &Call{Operation: OperationDownload, Repository: c.withRegion(repo), Resource: blob.Digest.String()}
	return c.run(ctx, call, func(ctx context.Context) error {
		var content []byte
		ctx = transport.WithMaxResponse(ctx, limit)
		err := c.retry(ctx, call, func(ctx context.Context) error {
			return c.get(ctx, call, presigned, http.Header{}, func(status int) bool { return status == http.StatusOK }, func(response *http.Response) (err error) {
				content, err = readBlob(response, blob, limit)
				return err
			})
		})
		if err != nil {
			return err
		}
		return use(content)
	})
}

func readBlob(response *http.Response, blob Descriptor, limit int64) ([]byte, error) {
	according := ""
	if blob.Size != unknownSize {
		according = fmt.Sprintf(", and %d according to the manifest", blob.Size)
	} else if response.ContentLength > limit {
		return nil, &BlobTooLargeError{Reason: fmt.Sprintf("the blob has %d bytes, and the maximum is %d", response.ContentLength, limit)}
	}
	content, err := io.ReadAll(response.Body)
	size := int64(len(content))
	switch {
	case isTooLarge(err) && blob.Size == unknownSize:
		return nil, &BlobTooLargeError{Reason: fmt.Sprintf("the blob has more than %d bytes", limit)}
	case isTooLarge(err):
		return nil, &InvalidResponseError{Reason: fmt.Sprintf("the blob has more than %d bytes%s", limit, according)}
	case err != nil:
		// The connection broke, so that another attempt may succeed.
		return nil, &smithyhttp.RequestSendError{Err: fmt.Errorf("after %d bytes%s: %w", size, according, err)}
	}
	if actual := blob.Digest.Algorithm().FromBytes(content); actual != blob.Digest {
		return nil, &InvalidResponseError{Reason: fmt.Sprintf("the blob has the digest %s instead of %s; it has %d bytes%s", actual, blob.Digest, size, according)}
	}
	if blob.Size != unknownSize && size != blob.Size {
		return nil, &BrokenImageError{Reason: fmt.Sprintf("the blob has %d bytes%s", size, according)}
	}
	return content, nil
}
