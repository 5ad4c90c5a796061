// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const (
	signingAlgorithm  = "AWS4-HMAC-SHA256"
	signingTerminator = "aws4_request"
	signingTimeFormat = "20060102T150405Z"
	signingDayFormat  = "20060102"

	// A request must reach AWS within five minutes of its signing time. Some
	// services allow more.
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
	signingWindow = 5 * time.Minute
)

// authorization is a parsed Authorization header.
type authorization struct {
	accessKeyID   string
	day           string
	region        string
	service       string
	terminator    string
	signedHeaders []string
	signature     string
}

// parseAuthorization parses an Authorization header. It also returns AWS's messages for
// what is missing or invalid. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func parseAuthorization(header string) (authorization, []string) {
	fields := map[string]string{}
	if rest, ok := strings.CutPrefix(header, signingAlgorithm+" "); ok {
		for part := range strings.SplitSeq(rest, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			fields[name] = value
		}
	}
	var problems []string
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if fields[name] == "" {
			problems = append(problems, "Authorization header requires '"+name+"' parameter.")
		}
	}
	a := authorization{signature: fields["Signature"], signedHeaders: strings.Split(fields["SignedHeaders"], ";")}
	if parts := strings.Split(fields["Credential"], "/"); len(parts) == 5 {
		a.accessKeyID, a.day, a.region, a.service, a.terminator = parts[0], parts[1], parts[2], parts[3], parts[4]
	} else if fields["Credential"] != "" {
		problems = append(problems, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '"+fields["Credential"]+"'")
	}
	return a, problems
}

// authErrorCode is the error code of a failed authentication in each service.
type authErrorCode struct {
	ecr       string
	sts       string
	stsStatus int
}

// The common errors of both services. ECR, like other JSON services, returns all of
// them with status 400. https://docs.aws.amazon.com/AmazonECR/latest/APIReference/CommonErrors.html
// https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
var (
	missingToken        = authErrorCode{"MissingAuthenticationTokenException", "MissingAuthenticationToken", http.StatusForbidden}
	incompleteSignature = authErrorCode{"IncompleteSignatureException", "IncompleteSignature", http.StatusBadRequest}
	unknownToken        = authErrorCode{"UnrecognizedClientException", "InvalidClientTokenId", http.StatusForbidden}
	expiredToken        = authErrorCode{"ExpiredTokenException", "ExpiredToken", http.StatusForbidden}
	invalidSignature    = authErrorCode{"InvalidSignatureException", "SignatureDoesNotMatch", http.StatusForbidden}
)

func (code authErrorCode) response(service, message string) *response {
	if service == serviceSTS {
		return stsError(code.stsStatus, code.sts, message)
	}
	return ecrError(http.StatusBadRequest, code.ecr, message)
}

// verify returns the principal that signed a request to ECR or STS, or the error. It
// verifies the signature by signing the request again with the SDK's signer.
func (e *Endpoint) verify(req *request) (Credentials, *response) {
	fail := func(code authErrorCode, format string, args ...any) (Credentials, *response) {
		return Credentials{}, code.response(req.call.Service, fmt.Sprintf(format, args...))
	}
	header := req.Header.Get("Authorization")
	switch {
	case header == "" && req.call.Service == serviceSTS:
		return fail(missingToken, "Request is missing Authentication Token")
	case header == "":
		return fail(missingToken, "Missing Authentication Token")
	}
	auth, problems := parseAuthorization(header)
	date := req.Header.Get("X-Amz-Date")
	if date == "" {
		problems = append(problems, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	if len(problems) > 0 {
		return fail(incompleteSignature, "%s", strings.Join(problems, " "))
	}
	signed, err := time.Parse(signingTimeFormat, date)
	if err != nil {
		return fail(incompleteSignature, "Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601", date)
	}
	if name := unsignedHeader(req, auth.signedHeaders); name != "" {
		return fail(invalidSignature, "'%s' must be a 'SignedHeader' in the AWS Authorization.", name)
	}
	if message := checkScope(req, auth, signed); message != "" {
		return fail(invalidSignature, "%s", message)
	}

	caller := e.principals[auth.accessKeyID]
	token := req.Header.Get("X-Amz-Security-Token")
	if caller.AccessKeyID == "" || subtle.ConstantTimeCompare([]byte(token), []byte(caller.SessionToken)) == 0 {
		return fail(unknownToken, "The security token included in the request is invalid.")
	}
	now := e.now()
	if !caller.Expires.IsZero() && !now.Before(caller.Expires) {
		return fail(expiredToken, "The security token included in the request is expired")
	}
	if earliest := now.Add(-signingWindow); signed.Before(earliest) {
		return fail(invalidSignature, "Signature expired: %s is now earlier than %s (%s - 5 min.)", date, earliest.Format(signingTimeFormat), now.Format(signingTimeFormat))
	}
	if latest := now.Add(signingWindow); signed.After(latest) {
		return fail(invalidSignature, "Signature not yet current: %s is still later than %s (%s + 5 min.)", date, latest.Format(signingTimeFormat), now.Format(signingTimeFormat))
	}

	expected, err := expectedSignature(req, auth, caller, signed)
	if err != nil || subtle.ConstantTimeCompare([]byte(expected), []byte(auth.signature)) == 0 {
		return fail(invalidSignature, "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	}
	return caller, nil
}

// unsignedHeader returns the name of a header that must be signed and is not, or "".
// Required are Host, X-Amz-Date, and, if sent, Content-Type and other X-Amz- headers.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func unsignedHeader(req *request, signed []string) string {
	required := []string{"host", "x-amz-date"}
	for name := range req.Header {
		if name = strings.ToLower(name); name == "content-type" || strings.HasPrefix(name, "x-amz-") {
			required = append(required, name)
		}
	}
	slices.Sort(required)
	i := slices.IndexFunc(required, func(name string) bool { return !slices.Contains(signed, name) })
	switch {
	case i < 0:
		return ""
	case required[i] == "host":
		return "Host' or ':authority"
	}
	return textproto.CanonicalMIMEHeaderKey(required[i])
}

// checkScope returns AWS's message if the credential scope is not for the day of the
// signature, the requested service and the region of the host, and "" otherwise.
func checkScope(req *request, auth authorization, signed time.Time) string {
	host, day := apiHost(req.Host), signed.Format(signingDayFormat)
	switch {
	case auth.day != day:
		return fmt.Sprintf("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'.", auth.day, day, signed.Format(signingTimeFormat))
	case auth.region == "" || host.region != "" && auth.region != host.region:
		return "Credential should be scoped to a valid region. "
	case auth.service != req.call.Service || host.service != "" && auth.service != host.service:
		return "Credential should be scoped to correct service: '" + req.call.Service + "'. "
	case auth.terminator != signingTerminator:
		return fmt.Sprintf("Credential should be scoped with a valid terminator: '%s', not '%s'.", signingTerminator, auth.terminator)
	}
	return ""
}

// expectedSignature returns the signature that a request must have. It hashes the
// received body, whatever hash the request contains.
func expectedSignature(req *request, auth authorization, caller Credentials, signed time.Time) (string, error) {
	rebuilt := &http.Request{
		Method: req.Method,
		URL:    &url.URL{Scheme: scheme(req.Request), Host: req.Host, Path: req.URL.Path, RawPath: req.URL.RawPath, RawQuery: req.URL.RawQuery},
		Host:   req.Host,
		Header: http.Header{},
	}
	for _, name := range auth.signedHeaders {
		name = textproto.CanonicalMIMEHeaderKey(name)
		switch name {
		case "Host":
		case "Content-Length":
			rebuilt.ContentLength = int64(len(req.body))
		default:
			rebuilt.Header[name] = slices.Clone(req.Header[name])
		}
	}
	// A signer caches keys by access key ID, whose secret may have been replaced, so
	// each request gets a new one.
	credentials := aws.Credentials{AccessKeyID: caller.AccessKeyID, SecretAccessKey: caller.SecretAccessKey, SessionToken: caller.SessionToken}
	err := v4.NewSigner().SignHTTP(req.Context(), credentials, rebuilt, hexSHA256(req.body), auth.service, auth.region, signed)
	if err != nil {
		return "", err
	}
	expected, _ := parseAuthorization(rebuilt.Header.Get("Authorization"))
	return expected.signature, nil
}

func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
