// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest

import (
	"cmp"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/aws-sdk-go-base/v2/endpoints"
)

// Call is a request that ECR, STS or the layer bucket received. Requests to the
// registry are not recorded.
type Call struct {
	Service   string // "ecr", "sts" or "s3"
	Operation string // "GetDownloadUrlForLayer", "AssumeRole", "GetObject", …

	AccountID   string // of the caller; empty if the access key is unknown
	AccessKeyID string // from the signature
	Region      string
	Host        string
	UserAgent   string
	Header      http.Header

	// RegistryID is the one in an ECR request, empty for the caller's own registry.
	// For an S3 request, it is the registry of the layer.
	RegistryID     string
	RepositoryName string
	// References are the digest of the requested layer, or the requested images, each
	// as "tag", "sha256:…" or "tag@sha256:…".
	References []string

	Form  url.Values // of an STS request
	Range string     // header of an S3 request

	// Status is 0 until a response is sent.
	Status    int
	RequestID string
	ErrorCode string
}

// SessionTags returns the tags of an AssumeRole request by key.
func (c Call) SessionTags() map[string]string {
	tags, values := map[string]string{}, c.Members("Tags", "Value")
	for i, key := range c.Members("Tags", "Key") {
		tags[key] = values[i]
	}
	return tags
}

// Members returns a list parameter of an STS request, for example
// Members("PolicyArns", "arn") or Members("TransitiveTagKeys", "").
func (c Call) Members(list, field string) []string {
	var values []string
	for i := 1; ; i++ {
		name := list + ".member." + strconv.Itoa(i)
		if field != "" {
			name += "." + field
		}
		if !c.Form.Has(name) {
			return values
		}
		values = append(values, c.Form.Get(name))
	}
}

// clone returns a copy that shares only data that nothing modifies.
func (c Call) clone() Call {
	c.References = slices.Clone(c.References)
	c.Form = maps.Clone(c.Form)
	c.Header = c.Header.Clone()
	return c
}

// record completes the call of a request with what the endpoint knows of its caller and
// its object, and adds it to Calls. It locks mu.
func (e *Endpoint) record(req *request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := req.call
	c.AccountID = e.principals[c.AccessKeyID].AccountID
	if o, ok := e.objects[req.URL.Path]; ok {
		c.RegistryID, c.RepositoryName, c.References = o.repository.account, o.repository.name, []string{o.digest.String()}
	}
	if !e.forget {
		e.calls = append(e.calls, c)
	}
}

// Calls returns the calls to ECR, STS and the layer bucket in the order in which they
// were received, including calls in progress. The status of a call is recorded before
// the client receives the response.
func (e *Endpoint) Calls() []Call {
	e.mu.Lock()
	defer e.mu.Unlock()
	calls := make([]Call, len(e.calls))
	for i, c := range e.calls {
		calls[i] = c.clone()
	}
	return calls
}

// CallsTo returns the calls to an operation of a service, or to all of its operations
// if operation is empty.
func (e *Endpoint) CallsTo(service, operation string) []Call {
	return slices.DeleteFunc(e.Calls(), func(c Call) bool {
		return c.Service != service || operation != "" && c.Operation != operation
	})
}

// Reset removes the calls recorded so far.
func (e *Endpoint) Reset() { e.set(func() { e.calls = nil }) }

// DiscardCalls ends recording, for an endpoint that serves for a long time.
func (e *Endpoint) DiscardCalls() { e.set(func() { e.calls, e.forget = nil, true }) }

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
	caller Credentials
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
		AccessKeyID: auth.accessKeyID,
		Region:      auth.region,
		Host:        r.Host,
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

var awsHosts = regexp.MustCompile(`^(?:api\.)?(ecr|sts)(?:-fips)?\.([a-z0-9-]+)\.` + awsSuffix + `$`)

// apiHost returns the service and region of an AWS endpoint host. It returns the
// zero value for any other host, which serves every service in every region.
func apiHost(host string) awsHost {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if host = strings.ToLower(host); host == "sts.amazonaws.com" {
		return awsHost{serviceSTS, "us-east-1"} // The global endpoint accepts only signatures for it.
	}
	if m := awsHosts.FindStringSubmatch(host); m != nil {
		return awsHost{m[1], m[2]}
	}
	return awsHost{}
}

// partition returns the partition of a region, as in an ARN.
func partition(region string) string {
	p, _ := endpoints.PartitionForRegion(endpoints.DefaultPartitions(), region)
	return cmp.Or(p.ID(), endpoints.AwsPartitionID)
}
