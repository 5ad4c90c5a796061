// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/google/uuid"
	"github.com/opencontainers/go-digest"
)

const (
	unsignedPayload = "UNSIGNED-PAYLOAD"

	// S3 rejects URLs that are valid for longer than a week.
	maxURLLifetime = 7 * 24 * time.Hour

	cdnBucket = "registry-v2" // the first element of the path of a CDN's URL
	keyPairID = "K2JCJMDEHXQW5F"
)

// objectKey is a key in a layer bucket.
type objectKey struct{ bucket, key string }

// objectBlob is the blob under a key in a layer bucket.
type objectBlob struct {
	repository repositoryKey
	digest     digest.Digest
	urls       URLStyle
}

// URLStyle is the form of the pre-signed URLs of a repository's blobs.
type URLStyle int

// The upstream's CDN may serve the layers of a pull-through cache instead of S3. A
// CloudFront URL carries its expiry; a Cloudflare URL carries its signing time.
const (
	S3URLs         URLStyle = iota
	CloudFrontURLs          // ?Expires=<unix>&Signature=…&Key-Pair-Id=…
	CloudflareURLs          // ?verify=<unix>-…
)

// SetURLStyle sets the form of the pre-signed URLs of a repository, and creates the
// repository if it does not exist. The host is that of S3 URLs, see
// [Endpoint.SetLayerHost].
func (e *Endpoint) SetURLStyle(accountID, region, name string, style URLStyle) {
	e.edit(accountID, region, name, func(r *repository) { r.urls = style })
}

func layerBucket(region string) string { return "prod-" + region + "-starport-layer-bucket" }

// presign returns a pre-signed URL of a blob, by default at the host that the request
// was sent to. New temporary credentials sign each URL, so that every URL is different.
// The parameters are in the order of ECR's URLs.
func (e *Endpoint) presign(req *request, k repositoryKey, d digest.Digest) (string, error) {
	style := e.repositories[k].urls
	object := objectKey{layerBucket(k.region), layerKey(k, d)}
	if style != S3URLs {
		object.bucket = cdnBucket
	}
	e.objects[object] = objectBlob{k, d, style}

	u := url.URL{Scheme: scheme(req.Request), Host: cmp.Or(e.layerHost, req.Host), Path: "/" + object.bucket + "/" + object.key}
	switch style {
	case CloudFrontURLs:
		u.RawQuery = e.cdnQuery(style, u.Path, e.urlNow().Add(e.urlLifetime))
		return u.String(), nil
	case CloudflareURLs:
		u.RawQuery = e.cdnQuery(style, u.Path, e.urlNow())
		return u.String(), nil
	case S3URLs:
	}
	u.RawQuery = url.Values{"X-Amz-Expires": {strconv.Itoa(int(e.urlLifetime / time.Second))}}.Encode()
	signed, err := signURL(req.Request, e.urlCredentials(randomBytes(267)), k.region, http.MethodGet, u, e.urlNow())
	if err != nil {
		return "", err
	}
	return sortParameters(signed), nil
}

// urlCredentials returns the temporary credentials that belong to a seed. The session
// token holds the seed, so that the endpoint need not keep the credentials of each URL.
func (e *Endpoint) urlCredentials(seed []byte) aws.Credentials {
	mac := func(what string) []byte {
		h := hmac.New(sha512.New, e.urlKey)
		h.Write([]byte(what))
		h.Write(seed)
		return h.Sum(nil)
	}
	return aws.Credentials{
		AccessKeyID:     "ASIA" + base32.StdEncoding.EncodeToString(mac("access key"))[:16],
		SecretAccessKey: base64.StdEncoding.EncodeToString(mac("secret key")[:30]),
		SessionToken:    base64.StdEncoding.EncodeToString(slices.Concat(seed, mac("token")[:33])),
	}
}

// signURL returns u with a signature. Host is the only signed header.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
func signURL(r *http.Request, c aws.Credentials, region, method string, u url.URL, at time.Time) (string, error) {
	unsigned := &http.Request{Method: method, URL: &u, Host: u.Host, Header: http.Header{}}
	signed, _, err := v4.NewSigner().PresignHTTP(r.Context(), c, unsigned, unsignedPayload, serviceS3, region, at,
		func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	return signed, err
}

func sortParameters(signed string) string {
	base, query, _ := strings.Cut(signed, "?")
	order := []string{"X-Amz-Security-Token", "X-Amz-Algorithm", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Expires", "X-Amz-Credential", "X-Amz-Signature"}
	parameters := strings.Split(query, "&")
	slices.SortStableFunc(parameters, func(a, b string) int {
		nameA, _, _ := strings.Cut(a, "=")
		nameB, _, _ := strings.Cut(b, "=")
		return slices.Index(order, nameA) - slices.Index(order, nameB)
	})
	return base + "?" + strings.Join(parameters, "&")
}

// layerKey returns the key of a blob in the form
// 1a2b-111122223333-<uuid of the registry>/<uuid of the blob>.
func layerKey(k repositoryKey, d digest.Digest) string {
	registry := uuid.NewSHA1(uuid.Nil, []byte(k.account+"/"+k.region)).String()
	layer := uuid.NewSHA1(uuid.Nil, []byte(k.name+"@"+d.String())).String()
	return registry[:4] + "-" + k.account + "-" + registry + "/" + layer
}

// readS3 reads a request for an object.
func readS3(req *request) {
	c := req.call
	c.Service = serviceS3
	switch req.Method {
	case http.MethodGet:
		c.Operation = "GetObject"
	case http.MethodHead:
		c.Operation = "HeadObject"
	default:
		req.reject = s3Error(http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource.", newElement("Method", req.Method))
		req.reject.header.Set("Allow", "GET, HEAD")
	}
	req.bucket, req.key, _ = strings.Cut(strings.TrimPrefix(req.URL.Path, "/"), "/")

	query := req.URL.Query()
	if scope := strings.Split(query.Get("X-Amz-Credential"), "/"); len(scope) == 5 {
		c.AccessKeyID, c.Region = scope[0], scope[2]
	}
}

// authenticateObject returns an error if ECR did not sign the URL of the request or the
// URL has expired, and nil otherwise.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
func (e *Endpoint) authenticateObject(req *request) *response {
	if req.bucket == cdnBucket {
		return e.authenticateCDN(req)
	}
	query, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		return s3Error(http.StatusBadRequest, "InvalidURI", "Couldn't parse the specified URI.")
	}
	if !query.Has("X-Amz-Algorithm") && !query.Has("X-Amz-Signature") && !query.Has("X-Amz-Credential") {
		return s3Error(http.StatusForbidden, "AccessDenied", "Access Denied")
	}
	if req.Header.Get("Authorization") != "" {
		return s3Error(http.StatusBadRequest, "InvalidArgument",
			"Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified",
			newElement("ArgumentName", "Authorization"), newElement("ArgumentValue", "[redacted]"))
	}
	signed, lifetime, failure := checkParameters(query)
	if failure != nil {
		return failure
	}

	token, _ := base64.StdEncoding.DecodeString(query.Get("X-Amz-Security-Token"))
	signer := e.urlCredentials(token[:max(0, len(token)-33)])
	scope := strings.Split(query.Get("X-Amz-Credential"), "/")
	switch {
	case !hmac.Equal([]byte(query.Get("X-Amz-Security-Token")), []byte(signer.SessionToken)):
		return s3Error(http.StatusBadRequest, "InvalidToken", "The provided token is malformed or otherwise invalid.")
	case scope[0] != signer.AccessKeyID:
		return s3Error(http.StatusForbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", newElement("AWSAccessKeyId", scope[0]))
	}

	now := e.urlNow()
	if expires := signed.Add(lifetime); now.After(expires) {
		return s3Error(http.StatusForbidden, "AccessDenied", "Request has expired",
			newElement("X-Amz-Expires", query.Get("X-Amz-Expires")),
			newElement("Expires", expires.Format(time.RFC3339)),
			newElement("ServerTime", now.Format(time.RFC3339)))
	}
	if signed.After(now.Add(15 * time.Minute)) {
		return s3Error(http.StatusForbidden, "AccessDenied", "Request is not valid yet")
	}

	rest := url.Values{}
	for name, values := range query {
		if name != "X-Amz-Signature" {
			rest[name] = values
		}
	}
	u := url.URL{Scheme: scheme(req.Request), Host: req.Host, Path: req.URL.Path, RawPath: req.URL.RawPath, RawQuery: rest.Encode()}
	region := strings.TrimSuffix(strings.TrimPrefix(req.bucket, "prod-"), "-starport-layer-bucket")
	expected, err := signURL(req.Request, signer, region, req.Method, u, signed)
	if err != nil || !sameParameters(expected, query) {
		return s3Error(http.StatusForbidden, "SignatureDoesNotMatch",
			"The request signature we calculated does not match the signature you provided. Check your key and signing method.",
			newElement("AWSAccessKeyId", signer.AccessKeyID), newElement("SignatureProvided", query.Get("X-Amz-Signature")))
	}
	return nil
}

// checkParameters returns the signing time and the lifetime of a URL, or the error if
// its parameters are not those of a pre-signed URL.
func checkParameters(query url.Values) (time.Time, time.Duration, *response) {
	bad := func(message string) (time.Time, time.Duration, *response) {
		return time.Time{}, 0, s3Error(http.StatusBadRequest, "AuthorizationQueryParametersError", message)
	}
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Expires"} {
		if len(query[name]) != 1 || query.Get(name) == "" {
			return bad("Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
		}
	}
	if query.Get("X-Amz-Algorithm") != signingAlgorithm {
		return bad(`X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"`)
	}
	scope := strings.Split(query.Get("X-Amz-Credential"), "/")
	if len(scope) != 5 {
		return bad(`Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`)
	}
	signed, err := time.Parse(signingTimeFormat, query.Get("X-Amz-Date"))
	if err != nil {
		return bad(`X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd'T'HHmmss'Z'"`)
	}
	seconds, err := strconv.Atoi(query.Get("X-Amz-Expires"))
	lifetime := time.Duration(seconds) * time.Second
	if err != nil || seconds < 0 || lifetime > maxURLLifetime {
		return bad("X-Amz-Expires must be a number of seconds, non-negative and less than a week")
	}
	return signed, lifetime, nil
}

// sameParameters reports whether the expected URL has the parameters of the received
// one, including the signature.
func sameParameters(expected string, query url.Values) bool {
	u, err := url.Parse(expected)
	if err != nil {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(u.Query().Encode()), []byte(query.Encode())) == 1
}

// serveObject returns the layer of an authenticated request.
func (e *Endpoint) serveObject(req *request) *response {
	o := e.objects[objectKey{req.bucket, req.key}]
	b := e.existing(o.repository).blobs[o.digest]
	if b == nil {
		return s3Error(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.", newElement("Key", req.key))
	}
	resp := newResponse(http.StatusOK, "binary/octet-stream", nil)
	resp.header.Set("Etag", b.etag)
	resp.header.Set("Accept-Ranges", "bytes")
	resp.blob, resp.rate = b, e.rate
	return resp
}

// cdnQuery returns the query that signs a path of a CDN. timestamp is the expiry or
// the signing time, depending on the style.
func (e *Endpoint) cdnQuery(style URLStyle, path string, timestamp time.Time) string {
	unix := strconv.FormatInt(timestamp.Unix(), 10)
	mac := hmac.New(sha256.New, e.urlKey)
	mac.Write([]byte(path + "?" + unix))
	signature := base64.StdEncoding.EncodeToString(mac.Sum(nil))
	if style == CloudflareURLs {
		return "verify=" + unix + "-" + url.QueryEscape(signature)
	}
	signature = strings.NewReplacer("+", "-", "=", "_", "/", "~").Replace(signature)
	return "Expires=" + unix + "&Signature=" + signature + "&Key-Pair-Id=" + keyPairID
}

// authenticateCDN returns an error if the CDN did not sign the URL or the URL has
// expired, and nil otherwise.
func (e *Endpoint) authenticateCDN(req *request) *response {
	style := e.objects[objectKey{req.bucket, req.key}].urls
	text, lifetime := req.URL.Query().Get("Expires"), time.Duration(0)
	if style == CloudflareURLs {
		text, _, _ = strings.Cut(req.URL.Query().Get("verify"), "-")
		lifetime = e.urlLifetime
	}
	unix, _ := strconv.ParseInt(text, 10, 64)
	timestamp := time.Unix(unix, 0)
	if style == S3URLs || !hmac.Equal([]byte(req.URL.RawQuery), []byte(e.cdnQuery(style, req.URL.Path, timestamp))) ||
		!e.urlNow().Before(timestamp.Add(lifetime)) {
		return s3Error(http.StatusForbidden, "AccessDenied", "Access denied")
	}
	return nil
}
