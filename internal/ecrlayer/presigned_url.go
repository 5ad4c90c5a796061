// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// The longest that a pre-signed URL can live, as Signature Version 4 has it.
const maxURLLifetime = 7 * 24 * time.Hour

// URLExpiry returns when a pre-signed URL stops working, in UTC: X-Amz-Date
// plus X-Amz-Expires, which is in seconds. It returns false where the URL does
// not carry both in their valid form.
//
// See https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
func URLExpiry(presigned string) (time.Time, bool) {
	u, err := url.Parse(presigned)
	if err != nil {
		return time.Time{}, false
	}
	query := u.Query()
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
	return signed.Add(lifetime), true
}

// checkURL returns an *InvalidResponseError if s is not a URL that an HTTP client could
// fetch. The error does not hold the URL.
//
// What is not ASCII is no URL (RFC 3986, section 2). It could not be handed on
// byte for byte, either: JSON decoders and Terraform replace some of it.
func checkURL(s string) error {
	if s == "" {
		return &InvalidResponseError{Reason: "the answer holds no download URL"}
	}
	u, err := url.Parse(s)
	if err != nil || strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII }) || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return &InvalidResponseError{Reason: "the download URL in the answer is not an HTTP URL"}
	}
	return nil
}
