// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrtest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// URLStyle is the form of the pre-signed URLs of a repository's blobs.
type URLStyle int

// The upstream's CDN may serve the layers of a pull-through cache instead of S3. A
// CloudFront URL carries its expiry; a Cloudflare URL carries its signing time.
const (
	S3URLs         URLStyle = iota
	CloudFrontURLs          // ?Expires=<unix>&Signature=…&Key-Pair-Id=…
	CloudflareURLs          // ?verify=<unix>-…
)

const (
	cdnBucket = "registry-v2" // the first element of the path of a CDN's URL
	keyPairID = "K2JCJMDEHXQW5F"
)

// SetURLStyle sets the form of the pre-signed URLs of a repository, and creates the
// repository if it does not exist. The host is that of S3 URLs, see
// [Endpoint.SetLayerHost].
func (e *Endpoint) SetURLStyle(accountID, region, name string, style URLStyle) {
	e.edit(accountID, region, name, func(r *repository) { r.urls = style })
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
