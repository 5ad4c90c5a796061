// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base32"
	"encoding/base64"
	"net/http"
	"net/url"
	"path"
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
	urlLifetime = time.Hour // of ECR's URLs

	// S3 rejects URLs that are valid for longer than a week.
	maxURLSeconds = 7 * 24 * 60 * 60

	// macSize is the number of bytes that authenticate a session token of a URL.
	macSize = 33

	cdnBucket = "registry-v2" // the first element of the path of a CDN's URL
	keyPairID = "K2JCJMDEHXQW5F"
)

// objectBlob is the blob under a path of a layer bucket or a CDN.
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

// s3Parameters are the parameters of a pre-signed URL, in the order of ECR's URLs.
var s3Parameters = []string{"X-Amz-Security-Token", "X-Amz-Algorithm", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Expires", "X-Amz-Credential", "X-Amz-Signature"}

// presign returns a pre-signed URL of a blob, by default at the host that the request
// was sent to. New temporary credentials sign each URL, so that every URL is different.
func (e *Endpoint) presign(req *request, k repositoryKey, d digest.Digest) (string, error) {
	style, now, bucket := e.repositories[k].urls, e.urlNow(), "prod-"+k.region+"-starport-layer-bucket"
	if style != S3URLs {
		bucket = cdnBucket
	}
	u := url.URL{Scheme: scheme(req.Request), Host: cmp.Or(e.layerHost, req.Host), Path: "/" + bucket + "/" + layerKey(k, d)}
	e.objects[u.Path] = objectBlob{k, d, style}
	switch style {
	case CloudFrontURLs:
		u.RawQuery = e.cdnQuery(style, u.Path, now.Add(urlLifetime))
	case CloudflareURLs:
		u.RawQuery = e.cdnQuery(style, u.Path, now)
	case S3URLs:
		u.RawQuery = "X-Amz-Expires=" + strconv.Itoa(int(urlLifetime/time.Second))
		signed, err := signURL(req.Request, e.urlCredentials(randomBytes(267)), k.region, http.MethodGet, u, now)
		if err != nil {
			return "", err
		}
		var parameters []string
		for _, name := range s3Parameters {
			parameters = append(parameters, name+"="+url.QueryEscape(signed.Get(name)))
		}
		u.RawQuery = strings.Join(parameters, "&")
	}
	return u.String(), nil
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
		SessionToken:    base64.StdEncoding.EncodeToString(slices.Concat(seed, mac("token")[:macSize])),
	}
}

// signURL returns the query of u with a signature. Host is the only signed header.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
func signURL(r *http.Request, c aws.Credentials, region, method string, u url.URL, at time.Time) (url.Values, error) {
	unsigned := &http.Request{Method: method, URL: &u, Host: u.Host, Header: http.Header{}}
	signed, _, err := v4.NewSigner().PresignHTTP(r.Context(), c, unsigned, "UNSIGNED-PAYLOAD", serviceS3, region, at,
		func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err != nil {
		return nil, err
	}
	result, err := url.Parse(signed)
	if err != nil {
		return nil, err
	}
	return result.Query(), nil
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
	if scope := strings.Split(req.URL.Query().Get("X-Amz-Credential"), "/"); len(scope) == 5 {
		c.AccessKeyID, c.Region = scope[0], scope[2]
	}
}

// authenticateObject returns an error if ECR did not sign the URL of the request or the
// URL has expired, and nil otherwise.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
func (e *Endpoint) authenticateObject(req *request) *response {
	bucket, _, _ := strings.Cut(req.URL.Path[1:], "/")
	if bucket == cdnBucket {
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
	bad := func(message string) *response {
		return s3Error(http.StatusBadRequest, "AuthorizationQueryParametersError", message)
	}
	for _, name := range s3Parameters[1:] {
		if len(query[name]) != 1 || query.Get(name) == "" {
			return bad("Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
		}
	}

	scope := strings.Split(query.Get("X-Amz-Credential"), "/")
	signed, invalidDate := time.Parse(signingTimeFormat, query.Get("X-Amz-Date"))
	seconds, invalidSeconds := strconv.Atoi(query.Get("X-Amz-Expires"))
	now, expires := e.urlNow(), signed.Add(time.Duration(seconds)*time.Second)
	token, _ := base64.StdEncoding.DecodeString(query.Get("X-Amz-Security-Token"))
	signer := e.urlCredentials(token[:max(0, len(token)-macSize)])
	switch {
	case query.Get("X-Amz-Algorithm") != signingAlgorithm:
		return bad(`X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"`)
	case len(scope) != 5:
		return bad(`Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`)
	case invalidDate != nil:
		return bad(`X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd'T'HHmmss'Z'"`)
	case invalidSeconds != nil || seconds < 0 || seconds > maxURLSeconds:
		return bad("X-Amz-Expires must be a number of seconds, non-negative and less than a week")
	case !hmac.Equal([]byte(query.Get("X-Amz-Security-Token")), []byte(signer.SessionToken)):
		return s3Error(http.StatusBadRequest, "InvalidToken", "The provided token is malformed or otherwise invalid.")
	case scope[0] != signer.AccessKeyID:
		return s3Error(http.StatusForbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", newElement("AWSAccessKeyId", scope[0]))
	case now.After(expires):
		return s3Error(http.StatusForbidden, "AccessDenied", "Request has expired", newElement("X-Amz-Expires", query.Get("X-Amz-Expires")),
			newElement("Expires", expires.Format(time.RFC3339)), newElement("ServerTime", now.Format(time.RFC3339)))
	case signed.After(now.Add(15 * time.Minute)):
		return s3Error(http.StatusForbidden, "AccessDenied", "Request is not valid yet")
	}

	received, signature := query.Encode(), query.Get("X-Amz-Signature")
	query.Del("X-Amz-Signature")
	u := url.URL{Scheme: scheme(req.Request), Host: req.Host, Path: req.URL.Path, RawPath: req.URL.RawPath, RawQuery: query.Encode()}
	region := strings.TrimSuffix(strings.TrimPrefix(bucket, "prod-"), "-starport-layer-bucket")
	expected, err := signURL(req.Request, signer, region, req.Method, u, signed)
	if err != nil || !hmac.Equal([]byte(expected.Encode()), []byte(received)) {
		return s3Error(http.StatusForbidden, "SignatureDoesNotMatch",
			"The request signature we calculated does not match the signature you provided. Check your key and signing method.",
			newElement("AWSAccessKeyId", signer.AccessKeyID), newElement("SignatureProvided", signature))
	}
	return nil
}

// serveObject returns the layer of an authenticated request.
func (e *Endpoint) serveObject(req *request) *response {
	o := e.objects[req.URL.Path]
	b := e.existing(o.repository).blobs[o.digest]
	if b == nil {
		return s3Error(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.", newElement("Key", path.Base(req.URL.Path)))
	}
	resp := newResponse(http.StatusOK, "binary/octet-stream", nil)
	resp.header.Set("Etag", b.etag)
	resp.header.Set("Accept-Ranges", "bytes")
	resp.blob, resp.rate = b, e.blobRate
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
	style := e.objects[req.URL.Path].urls
	text, lifetime := req.URL.Query().Get("Expires"), time.Duration(0)
	if style == CloudflareURLs {
		text, _, _ = strings.Cut(req.URL.Query().Get("verify"), "-")
		lifetime = urlLifetime
	}
	unix, _ := strconv.ParseInt(text, 10, 64)
	timestamp := time.Unix(unix, 0)
	if style == S3URLs || !hmac.Equal([]byte(req.URL.RawQuery), []byte(e.cdnQuery(style, req.URL.Path, timestamp))) ||
		!e.urlNow().Before(timestamp.Add(lifetime)) {
		return s3Error(http.StatusForbidden, "AccessDenied", "Access denied")
	}
	return nil
}
