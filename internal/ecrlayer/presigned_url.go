// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const (
	// maxURL is the most bytes of a URL. Those of Amazon S3 have less than 3,000.
	maxURL = 16 << 10
	// maxURLLifetime is the longest lifetime of a URL by Signature Version 4.
	maxURLLifetime = 7 * 24 * time.Hour
	// maxExpires is the last second that RFC 3339 can express.
	maxExpires = 253402300799
)

// urlExpiry returns when a pre-signed URL expires, in UTC: X-Amz-Date plus
// X-Amz-Expires, which is in seconds, or Expires, which is in Unix seconds, of
// Amazon CloudFront and of Amazon S3's Signature Version 2. It returns false if
// the URL carries no valid expiry.
//
// See https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html,
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-canned-policy.html
// and https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
func urlExpiry(presigned string) (time.Time, bool) {
	u, err := url.Parse(presigned)
	if err != nil {
		return time.Time{}, false
	}
	query := u.Query()
	if !query.Has("X-Amz-Date") && !query.Has("X-Amz-Expires") {
		expires, err := strconv.ParseUint(query.Get("Expires"), 10, 64)
		if err != nil || expires == 0 || expires > maxExpires {
			return time.Time{}, false
		}
		return time.Unix(int64(expires), 0).UTC(), true
	}
	signed, err := time.Parse("20060102T150405Z", query.Get("X-Amz-Date"))
	if err != nil {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseUint(query.Get("X-Amz-Expires"), 10, 32)
	if err != nil {
		return time.Time{}, false
	}
	lifetime := time.Duration(seconds) * time.Second
	if lifetime == 0 || lifetime > maxURLLifetime {
		return time.Time{}, false
	}
	expires := signed.Add(lifetime)
	if expires.Unix() > maxExpires {
		return time.Time{}, false
	}
	return expires, true
}

// checkURL returns an *InvalidResponseError if s is not a URL that an HTTP client
// can request. The error does not contain the URL.
//
// Only ASCII is a URL (RFC 3986, section 2). Other characters would not stay byte
// for byte the same, either: JSON decoders and Terraform replace some of them.
func checkURL(s string) error {
	if s == "" {
		return &InvalidResponseError{Reason: "the response contains no download URL"}
	}
	if len(s) > maxURL {
		return &InvalidResponseError{Reason: fmt.Sprintf("the download URL in the response has %d bytes, and the maximum is %d", len(s), maxURL)}
	}
	u, err := url.Parse(s)
	if err != nil || strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII }) || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return &InvalidResponseError{Reason: "the download URL in the response is not an HTTP URL"}
	}
	return nil
}
