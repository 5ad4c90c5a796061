// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest

import (
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// Service names, as used in [Call] and [Fault].
const (
	serviceECR = "ecr"
	serviceSTS = "sts"
	serviceS3  = "s3"
)

const (
	ecrTargetPrefix = "AmazonEC2ContainerRegistry_V20150921."
	ecrContentType  = "application/x-amz-json-1.1"
	formContentType = "application/x-www-form-urlencoded"

	// maxBody limits the body of an API request. The largest valid request, a
	// BatchGetImage of 100 images, is far smaller.
	maxBody = 1 << 20
)

// request is a request to ECR, STS or the layer bucket, parsed as far as possible
// before authentication.
type request struct {
	*http.Request
	body   []byte
	call   Call
	ecr    ecrInput
	bucket string
	key    string
	caller principal
	reject *response
}

// read reads a request and determines its service and operation.
func (e *Endpoint) read(r *http.Request) *request {
	req := &request{Request: r}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		// The client disconnected.
		panic(http.ErrAbortHandler)
	}
	req.body = body

	req.call = Call{
		Time:      time.Now(),
		Host:      r.Host,
		Method:    r.Method,
		UserAgent: r.UserAgent(),
		Range:     r.Header.Get("Range"),
		Header:    r.Header.Clone(),
	}
	auth, _ := parseAuthorization(r.Header.Get("Authorization"))
	req.call.AccessKeyID = auth.accessKeyID
	req.call.Region = auth.region

	switch {
	case r.URL.Path != "/" && r.URL.Path != "":
		e.readS3(req)
	case r.Header.Get("X-Amz-Target") != "":
		e.readECR(req)
	case isForm(r) || auth.service == serviceSTS || apiHost(r.Host).service == serviceSTS:
		e.readSTS(req)
	default:
		e.readECR(req)
	}

	if host := apiHost(r.Host); host.region != "" {
		req.call.Region = host.region
	}
	req.call.AccountID = e.principal(req.call.AccessKeyID).AccountID
	if len(body) > maxBody {
		req.reject = errorResponse(req.call.Service, http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "Request size exceeded the limit.")
	}
	return req
}

func isForm(r *http.Request) bool {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && mediaType == formContentType
}

// readSTS reads a request in the AWS query protocol.
func (e *Endpoint) readSTS(req *request) {
	req.call.Service = serviceSTS
	if req.Method != http.MethodPost || !isForm(req.Request) {
		req.reject = errorResponse(serviceSTS, http.StatusNotFound, "MissingAction", "The request must contain the parameter Action")
		return
	}
	form, err := url.ParseQuery(string(req.body))
	if err != nil {
		req.reject = errorResponse(serviceSTS, http.StatusBadRequest, "MalformedQueryString", "The query string contains a syntax error")
		return
	}
	req.call.Form = form
	req.call.Operation = form.Get("Action")
}

// awsHost is the service and region of an AWS host name.
type awsHost struct{ service, region string }

// Hosts of regional, FIPS and dual-stack endpoints in every partition, from the
// endpoint rules of ECR and STS.
const awsSuffix = `(?:amazonaws\.com(?:\.cn)?|amazonaws\.eu|api\.aws|api\.amazonwebservices\.(?:com\.cn|eu)|c2s\.ic\.gov|sc2s\.sgov\.gov|csp\.hci\.ic\.gov|cloud\.adc-e\.uk)`

var (
	ecrHost = regexp.MustCompile(`^(?:api\.)?ecr(?:-fips)?\.([a-z0-9-]+)\.` + awsSuffix + `$`)
	stsHost = regexp.MustCompile(`^sts(?:-fips)?\.([a-z0-9-]+)\.` + awsSuffix + `$`)
)

// apiHost returns the service and region of an AWS endpoint host. It returns the
// zero value for any other host, which serves every service in every region.
func apiHost(host string) awsHost {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(host)
	if host == "sts.amazonaws.com" {
		// The global endpoint accepts only signatures for us-east-1.
		return awsHost{serviceSTS, "us-east-1"}
	}
	if m := ecrHost.FindStringSubmatch(host); m != nil {
		return awsHost{serviceECR, m[1]}
	}
	if m := stsHost.FindStringSubmatch(host); m != nil {
		return awsHost{serviceSTS, m[1]}
	}
	return awsHost{}
}

// partition returns the partition of a region, as in an ARN.
func partition(region string) string {
	for _, p := range []struct{ prefix, name string }{
		{"cn-", "aws-cn"},
		{"us-gov-", "aws-us-gov"},
		{"us-isob-", "aws-iso-b"},
		{"us-isof-", "aws-iso-f"},
		{"us-iso-", "aws-iso"},
		{"eu-isoe-", "aws-iso-e"},
		{"eusc-", "aws-eusc"},
	} {
		if strings.HasPrefix(region, p.prefix) {
			return p.name
		}
	}
	return "aws"
}
