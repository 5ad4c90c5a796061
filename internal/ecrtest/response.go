// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"
)

// response is a response of ECR, STS or the layer bucket.
type response struct {
	status int
	header http.Header
	body   []byte
	code   string // AWS's error code
	blob   *blob  // a layer, sent instead of body
	rate   int    // of the blob, see SetRate
}

func newResponse(status int, contentType string, body []byte) *response {
	return &response{status: status, header: http.Header{"Content-Type": {contentType}}, body: body}
}

// errorResponse returns an error in the format of the service.
func errorResponse(service string, status int, code, message string) *response {
	switch service {
	case serviceS3:
		return s3Error(status, code, message)
	case serviceSTS:
		return stsError(status, code, message)
	default:
		return ecrError(status, code, message)
	}
}

// ecrError returns an error of the JSON 1.1 protocol, with "__type" and "message"
// in the body.
func ecrError(status int, code, message string) *response {
	body, _ := json.Marshal(struct {
		Type    string `json:"__type"`
		Message string `json:"message,omitempty"`
	}{code, message})
	resp := newResponse(status, ecrContentType, body)
	resp.code = code
	return resp
}

// ecrUnknownOperation returns the response of AWS's JSON services to a request that
// does not use their protocol.
func ecrUnknownOperation() *response {
	resp := newResponse(http.StatusNotFound, "application/xml", []byte("<UnknownOperationException/>\n"))
	resp.code = "UnknownOperationException"
	return resp
}

// stsError returns an error of the AWS query protocol.
func stsError(status int, code, message string) *response {
	fault := "Sender"
	if status >= http.StatusInternalServerError {
		fault = "Receiver"
	}
	resp := stsResponse(status, "ErrorResponse",
		newElement("Error", "", newElement("Type", fault), newElement("Code", code), newElement("Message", message)),
		newElement("RequestId", requestIDPlaceholder))
	resp.code = code
	return resp
}

func stsResponse(status int, name string, children ...element) *response {
	root := xml.Name{Space: "https://sts.amazonaws.com/doc/2011-06-15/", Local: name}
	body, _ := xml.MarshalIndent(element{XMLName: root, Children: children}, "", "  ")
	return newResponse(status, "text/xml", append(body, '\n'))
}

// requestIDPlaceholder stands for the request ID in an XML body until send sets it.
const requestIDPlaceholder = "{request-id}"

// element is an XML element with either a value or children.
type element struct {
	XMLName  xml.Name
	Value    string    `xml:",chardata"`
	Children []element `xml:",any"`
}

func newElement(name, value string, children ...element) element {
	return element{xml.Name{Local: name}, value, children}
}

// s3Error returns an error in the format of Amazon S3.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
func s3Error(status int, code, message string, extra ...element) *response {
	all := slices.Concat([]element{newElement("Code", code), newElement("Message", message)}, extra,
		[]element{newElement("RequestId", requestIDPlaceholder), newElement("HostId", randomBase64(56))})
	body, _ := xml.Marshal(newElement("Error", "", all...))
	resp := newResponse(status, "application/xml", append([]byte(xml.Header), body...))
	resp.code = code
	return resp
}

// write sends the response.
func (resp *response) write(w http.ResponseWriter, r *http.Request) {
	maps.Copy(w.Header(), resp.header)
	if resp.blob != nil {
		// S3 serves one range per request, or else the whole object.
		if strings.Contains(r.Header.Get("Range"), ",") {
			r = r.Clone(r.Context())
			r.Header.Del("Range")
		}
		resp.blob.serve(w, r, resp.rate)
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(resp.body)))
	w.WriteHeader(resp.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(resp.body) //nolint:gosec // The content type is JSON or XML, which browsers do not run.
	}
}

// serve sends a blob, or the range of it that was requested, from where it is stored, at
// no more than bytesPerSecond unless that is 0.
func (b *blob) serve(w http.ResponseWriter, r *http.Request, bytesPerSecond int) {
	if bytesPerSecond > 0 {
		limiter := rate.NewLimiter(rate.Limit(bytesPerSecond), pacedBurst)
		limiter.AllowN(time.Now(), pacedBurst) // A burst makes up for a delay only.
		w = &pacedWriter{w, r, limiter}
	}
	http.ServeContent(w, r, "", b.stored, bytes.NewReader(b.content))
}

// pacedBurst is how many bytes a response may be late and catch up: on a busy machine,
// the rate is that of the connection all the same.
const pacedBurst = 1 << 20

// pacedWriter sends a response as slowly as its limiter wants.
type pacedWriter struct {
	http.ResponseWriter
	request *http.Request
	limiter *rate.Limiter
}

func (w *pacedWriter) Write(p []byte) (int, error) {
	if err := w.limiter.WaitN(w.request.Context(), len(p)); err != nil {
		return 0, err
	}
	return w.ResponseWriter.Write(p)
}

// send adds the headers and the request ID of the service to a response, records
// it in the call, and sends it with the changes of the fault, if any. It locks mu.
func (e *Endpoint) send(w http.ResponseWriter, req *request, resp *response, fault *Fault) {
	id, now := uuid.NewString(), time.Time{}
	e.set(func() { now = e.now() })
	if req.call.Service == serviceS3 {
		e.set(func() { now = e.urlNow() })
		id = randomID("")
		resp.header.Set("X-Amz-Request-Id", id)
		resp.header.Set("X-Amz-Id-2", randomBase64(56))
		resp.header.Set("Server", "AmazonS3")
	} else {
		resp.header.Set("X-Amzn-Requestid", id)
	}
	resp.header.Set("Date", now.Format(http.TimeFormat))
	if resp.code != "" || req.call.Service == serviceSTS {
		resp.body = bytes.ReplaceAll(resp.body, []byte(requestIDPlaceholder), []byte(id))
	}

	out := &recordingWriter{ResponseWriter: w, record: func(status int) {
		e.set(func() { req.call.Status, req.call.RequestID, req.call.ErrorCode = status, id, resp.code })
	}}
	if fault == nil {
		resp.write(out, req.Request)
		return
	}
	fault.send(out, req.Request, resp)
}

// recordingWriter calls record before it sends the status, so that a client that
// has the response also finds it in Calls.
type recordingWriter struct {
	http.ResponseWriter
	record func(status int)
}

func (w *recordingWriter) WriteHeader(status int) {
	w.record(status)
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets [http.ResponseController] reach the connection.
func (w *recordingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
