// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest

import (
	"cmp"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/hashicorp/aws-sdk-go-base/v2/endpoints"
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
	call   *Call
	ecr    ecrInput
	caller principal
	reject *response
}

// read reads a request and determines its service and operation.
func read(r *http.Request) *request {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		// The client disconnected.
		panic(http.ErrAbortHandler)
	}
	auth, _ := parseAuthorization(r.Header.Get("Authorization"))
	req := &request{Request: r, body: body, call: &Call{
		Time:        time.Now(),
		AccessKeyID: auth.accessKeyID,
		Region:      auth.region,
		Host:        r.Host,
		Method:      r.Method,
		UserAgent:   r.UserAgent(),
		Range:       r.Header.Get("Range"),
		Header:      r.Header.Clone(),
	}}
	host := apiHost(r.Host)
	switch {
	case r.URL.Path != "/" && r.URL.Path != "":
		readS3(req)
	case r.Header.Get("X-Amz-Target") == "" && (isForm(r) || auth.service == serviceSTS || host.service == serviceSTS):
		readSTS(req)
	default:
		readECR(req)
	}
	if host.region != "" {
		req.call.Region = host.region
	}
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
func readSTS(req *request) {
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
	p, _ := endpoints.PartitionForRegion(endpoints.DefaultPartitions(), region)
	return cmp.Or(p.ID(), endpoints.AwsPartitionID)
}
