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

	// A request must reach AWS within five minutes of the time it is signed
	// with. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
	// Some services allow for more; what passes here passes there.
	signingWindow = 5 * time.Minute
)

// authorization is what an Authorization header says.
type authorization struct {
	accessKeyID   string
	day           string
	region        string
	service       string
	terminator    string
	signedHeaders []string
	signature     string
}

// parseAuthorization reads an Authorization header, and lists what it lacks in
// AWS's words. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func parseAuthorization(header string) (authorization, []string) {
	var a authorization
	rest, ok := strings.CutPrefix(header, signingAlgorithm+" ")
	fields := map[string]string{}
	if ok {
		for part := range strings.SplitSeq(rest, ",") {
			name, value, found := strings.Cut(strings.TrimSpace(part), "=")
			if found {
				fields[name] = value
			}
		}
	}

	var lacking []string
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if fields[name] == "" {
			lacking = append(lacking, "Authorization header requires '"+name+"' parameter.")
		}
	}
	a.signature = fields["Signature"]
	a.signedHeaders = strings.Split(fields["SignedHeaders"], ";")
	if credential := fields["Credential"]; credential != "" {
		parts := strings.Split(credential, "/")
		if len(parts) != 5 {
			lacking = append(lacking, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '"+credential+"'")
		} else {
			a.accessKeyID, a.day, a.region, a.service, a.terminator = parts[0], parts[1], parts[2], parts[3], parts[4]
		}
	}
	return a, lacking
}

// refusal is why the caller of an API request is not known for sure.
type refusal struct {
	reason  reason
	message string
}

// reason is the error code that the services call the refusal by.
type reason struct {
	ecr       string
	sts       string
	stsStatus int
}

// The common errors of both services. ECR, as other JSON services, responds to all
// of them with 400. https://docs.aws.amazon.com/AmazonECR/latest/APIReference/CommonErrors.html
// https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
var (
	missingToken        = reason{"MissingAuthenticationTokenException", "MissingAuthenticationToken", http.StatusForbidden}
	incompleteSignature = reason{"IncompleteSignatureException", "IncompleteSignature", http.StatusBadRequest}
	unknownToken        = reason{"UnrecognizedClientException", "InvalidClientTokenId", http.StatusForbidden}
	expiredToken        = reason{"ExpiredTokenException", "ExpiredToken", http.StatusForbidden}
	invalidSignature    = reason{"InvalidSignatureException", "SignatureDoesNotMatch", http.StatusForbidden}
)

func (f *refusal) response(service string) *response {
	if service == serviceSTS {
		return stsError(f.reason.stsStatus, f.reason.sts, f.message)
	}
	return ecrError(http.StatusBadRequest, f.reason.ecr, f.message)
}

func refuse(r reason, format string, args ...any) (principal, *refusal) {
	return principal{}, &refusal{r, fmt.Sprintf(format, args...)}
}

const mismatch = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."

// verify returns who has signed a request to ECR or STS. The signature is
// checked by signing the request again, with the SDK's own signer.
func (e *Endpoint) verify(req *request) (principal, *refusal) {
	header := req.Header.Get("Authorization")
	if header == "" {
		if req.call.Service == serviceSTS {
			return refuse(missingToken, "Request is missing Authentication Token")
		}
		return refuse(missingToken, "Missing Authentication Token")
	}
	auth, lacking := parseAuthorization(header)
	date := req.Header.Get("X-Amz-Date")
	if date == "" {
		lacking = append(lacking, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	if len(lacking) > 0 {
		return refuse(incompleteSignature, "%s", strings.Join(lacking, " "))
	}
	signed, err := time.Parse(signingTimeFormat, date)
	if err != nil {
		return refuse(incompleteSignature, "Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601", date)
	}
	if name := unsignedHeader(req, auth.signedHeaders); name != "" {
		return refuse(invalidSignature, "'%s' must be a 'SignedHeader' in the AWS Authorization.", name)
	}
	if f := checkScope(req, auth, signed); f != nil {
		return principal{}, f
	}

	caller := e.principal(auth.accessKeyID)
	token := req.Header.Get("X-Amz-Security-Token")
	if caller.AccessKeyID == "" || subtle.ConstantTimeCompare([]byte(token), []byte(caller.SessionToken)) == 0 {
		return refuse(unknownToken, "The security token included in the request is invalid.")
	}
	now := e.now()
	if !caller.Expires.IsZero() && !now.Before(caller.Expires) {
		return refuse(expiredToken, "The security token included in the request is expired")
	}
	if earliest := now.Add(-signingWindow); signed.Before(earliest) {
		return refuse(invalidSignature, "Signature expired: %s is now earlier than %s (%s - 5 min.)", date, earliest.Format(signingTimeFormat), now.Format(signingTimeFormat))
	}
	if latest := now.Add(signingWindow); signed.After(latest) {
		return refuse(invalidSignature, "Signature not yet current: %s is still later than %s (%s + 5 min.)", date, latest.Format(signingTimeFormat), now.Format(signingTimeFormat))
	}

	again, err := signAgain(req, auth, caller, signed)
	if err != nil || subtle.ConstantTimeCompare([]byte(again), []byte(auth.signature)) == 0 {
		return refuse(invalidSignature, mismatch)
	}
	return caller, nil
}

// unsignedHeader returns the name of a header that must be signed and is not:
// the host, and where they are sent the content type and all x-amz- headers.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func unsignedHeader(req *request, signed []string) string {
	must := []string{"host", "x-amz-date"}
	for name := range req.Header {
		if name = strings.ToLower(name); name == "content-type" || strings.HasPrefix(name, "x-amz-") {
			must = append(must, name)
		}
	}
	slices.Sort(must)
	for _, name := range must {
		switch {
		case slices.Contains(signed, name):
		case name == "host":
			return "Host' or ':authority"
		default:
			return textproto.CanonicalMIMEHeaderKey(name)
		}
	}
	return ""
}

// checkScope returns what is wrong with the scope of the credential: it must
// be for the day of the signature, the service requested, and the region
// that the host serves.
func checkScope(req *request, auth authorization, signed time.Time) *refusal {
	host := apiHost(req.Host)
	day := signed.Format(signingDayFormat)
	var message string
	switch {
	case auth.day != day:
		message = fmt.Sprintf("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'.", auth.day, day, signed.Format(signingTimeFormat))
	case auth.region == "" || host.region != "" && auth.region != host.region:
		message = "Credential should be scoped to a valid region. "
	case auth.service != req.call.Service || host.service != "" && auth.service != host.service:
		message = "Credential should be scoped to correct service: '" + req.call.Service + "'. "
	case auth.terminator != signingTerminator:
		message = fmt.Sprintf("Credential should be scoped with a valid terminator: '%s', not '%s'.", signingTerminator, auth.terminator)
	default:
		return nil
	}
	return &refusal{invalidSignature, message}
}

// signAgain returns the signature that a request must have. The hash in it is
// that of the body that has come in, whatever the request claims.
func signAgain(req *request, auth authorization, caller principal, signed time.Time) (string, error) {
	rebuilt := &http.Request{
		Method: req.Method,
		URL: &url.URL{
			Scheme:   scheme(req.Request),
			Host:     req.Host,
			Path:     req.URL.Path,
			RawPath:  req.URL.RawPath,
			RawQuery: req.URL.RawQuery,
		},
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
	// A signer of its own each time: it caches keys by access key id, and
	// the secret of one may have been replaced.
	err := v4.NewSigner().SignHTTP(req.Context(), aws.Credentials{
		AccessKeyID:     caller.AccessKeyID,
		SecretAccessKey: caller.SecretAccessKey,
		SessionToken:    caller.SessionToken,
	}, rebuilt, hexSHA256(req.body), auth.service, auth.region, signed)
	if err != nil {
		return "", err
	}
	again, _ := parseAuthorization(rebuilt.Header.Get("Authorization"))
	return again.signature, nil
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
