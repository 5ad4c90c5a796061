// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"maps"
	"net/http"
	"strconv"
	"strings"
)

// response is what is sent back for a request to ECR, STS or the layer bucket.
type response struct {
	status int
	header http.Header
	body   []byte
	code   string // AWS's error code
	blob   *blob  // a layer, sent instead of body
}

func newResponse(status int, contentType string, body []byte) *response {
	return &response{status: status, header: http.Header{"Content-Type": {contentType}}, body: body}
}

// errorResponse returns an error in the shape that the service gives it.
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

// ecrError returns an error as the JSON 1.1 protocol has it: "__type" and
// "message" in the body.
func ecrError(status int, code, message string) *response {
	body, _ := json.Marshal(struct {
		Type    string `json:"__type"`
		Message string `json:"message,omitempty"`
	}{code, message})
	a := newResponse(status, ecrContentType, body)
	a.code = code
	return a
}

// ecrUnknown returns what AWS's JSON services respond to a request that is none
// of their protocol.
func ecrUnknown() *response {
	a := newResponse(http.StatusNotFound, "application/xml", []byte("<UnknownOperationException/>\n"))
	a.code = "UnknownOperationException"
	return a
}

// stsError returns an error as the query protocol has it.
func stsError(status int, code, message string) *response {
	fault := "Sender"
	if status >= http.StatusInternalServerError {
		fault = "Receiver"
	}
	type detail struct{ Type, Code, Message string }
	body, _ := xml.MarshalIndent(struct {
		XMLName   xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ ErrorResponse"`
		Error     detail
		RequestID string `xml:"RequestId"`
	}{Error: detail{fault, code, message}, RequestID: requestIDPlaceholder}, "", "  ")
	a := newResponse(status, "text/xml", append(body, '\n'))
	a.code = code
	return a
}

// An XML body carries the request id, which is made when the response is sent.
const requestIDPlaceholder = "{request-id}"

// element is one more element of an S3 error.
type element struct {
	XMLName xml.Name
	Value   string `xml:",chardata"`
}

func newElement(name, value string) element {
	return element{XMLName: xml.Name{Local: name}, Value: value}
}

// s3Error returns an error as Amazon S3 writes it.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
func s3Error(status int, code, message string, more ...element) *response {
	body, _ := xml.Marshal(struct {
		XMLName   xml.Name `xml:"Error"`
		Code      string
		Message   string
		More      []element
		RequestID string `xml:"RequestId"`
		HostID    string `xml:"HostId"`
	}{Code: code, Message: message, More: more, RequestID: requestIDPlaceholder, HostID: randomBase64(56)})
	a := newResponse(status, "application/xml", append([]byte(xml.Header), body...))
	a.code = code
	return a
}

// write sends the response.
func (a *response) write(w http.ResponseWriter, r *http.Request) {
	maps.Copy(w.Header(), a.header)
	if a.blob != nil {
		// One range per request is all that S3 serves, else the whole object.
		if strings.Contains(r.Header.Get("Range"), ",") {
			r = r.Clone(r.Context())
			r.Header.Del("Range")
		}
		http.ServeContent(w, r, "", a.blob.stored, bytes.NewReader(a.blob.content))
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(a.body) //nolint:gosec // Its type is JSON or XML, which no browser runs.
	}
}

// send completes the response with what every one of the service's carries,
// notes it in the call, and sends it, changed by the fault if there is one.
func (e *Endpoint) send(w http.ResponseWriter, r *http.Request, call *Call, reply *response, fault *Fault) {
	id := newUUID()
	switch call.Service {
	case serviceS3:
		id = strings.ToUpper(randomHex(8))
		reply.header.Set("X-Amz-Request-Id", id)
		reply.header.Set("X-Amz-Id-2", randomBase64(56))
		reply.header.Set("Server", "AmazonS3")
		reply.header.Set("Date", e.urlNow().Format(http.TimeFormat))
	default:
		reply.header.Set("X-Amzn-Requestid", id)
		reply.header.Set("Date", e.now().Format(http.TimeFormat))
	}
	if reply.code != "" || call.Service == serviceSTS {
		reply.body = bytes.ReplaceAll(reply.body, []byte(requestIDPlaceholder), []byte(id))
	}

	out := &notingWriter{ResponseWriter: w, note: func(status int) {
		e.finish(call, status, id, reply.code)
	}}
	if fault == nil {
		reply.write(out, r)
		return
	}
	fault.send(out, r, reply)
}

// notingWriter calls note before the first byte of a response leaves, so that
// whoever has the response finds it noted.
type notingWriter struct {
	http.ResponseWriter
	note  func(status int)
	noted bool
}

func (w *notingWriter) WriteHeader(status int) {
	if !w.noted {
		w.noted = true
		w.note(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets [http.ResponseController] reach the connection.
func (w *notingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// bufferingWriter keeps a response in memory.
type bufferingWriter struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *bufferingWriter) Header() http.Header         { return w.header }
func (w *bufferingWriter) WriteHeader(status int)      { w.status = status }
func (w *bufferingWriter) Write(p []byte) (int, error) { return w.body.Write(p) }
