// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package awsconfig

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// IsThrottle reports whether AWS throttles with the error code.
func IsThrottle(code string) bool {
	_, ok := retry.DefaultThrottleErrorCodes[code]
	return ok
}

// ConnectionCauses are the ways in which a connection fails. {endpoint} stands for
// what sets the endpoint's URL, {host} for a host that has no address.
var ConnectionCauses = []Cause[error]{
	{When: func(err error) bool { return strings.Contains(missingHost(err), "-fips.") },
		Summary: "Host not found",
		Advice:  "The name {host} does not resolve. Not every region has FIPS endpoints. Check use_fips_endpoint in the provider block and the environment variable AWS_USE_FIPS_ENDPOINT."},
	{When: func(err error) bool { return missingHost(err) != "" },
		Summary: "Host not found",
		Advice:  "The name {host} does not resolve. Check the region, that this network resolves the names of AWS, and that private DNS is enabled if you use a VPC endpoint."},
	{When: func(err error) bool { op, ok := errors.AsType[*net.OpError](err); return ok && op.Op == "proxyconnect" },
		Summary: "Proxy failed",
		Advice:  "The proxy refused the connection or is unreachable. Check http_proxy, https_proxy and no_proxy in the provider block, and the environment variables of the same names."},
	{When: func(err error) bool { return errors.Is(err, http.ErrSchemeMismatch) },
		Summary: "TLS failed",
		Advice:  "The endpoint returned plain HTTP where HTTPS was expected. If that is intended, begin its URL with http://; otherwise something between this machine and the endpoint responds in its place."},
	{When: isTLS,
		Summary: "TLS failed",
		Advice:  "The certificate of the endpoint is not trusted. If a proxy inspects TLS, or the endpoint has a private certificate authority, set custom_ca_bundle in the provider block to a file with its certificates."},
	{When: func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) },
		Summary: "Connection refused",
		Advice:  "Nothing accepts connections at the endpoint. Check {endpoint}."},
	{When: func(err error) bool {
		return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
	},
		Summary: "Connection lost",
		Advice:  "The connection was closed before the response was complete. Check the proxies and firewalls between this machine and the endpoint, and run again."},
	{When: func(err error) bool { timeout, ok := errors.AsType[net.Error](err); return ok && timeout.Timeout() },
		Summary: "Connection timed out",
		Advice:  "The endpoint did not respond in time. Check the routes, security groups and firewalls between this machine and the endpoint, and {endpoint}."},
}

// ExplainConnection returns the cause of an error of a connection and true, or
// false for any other error. endpoint says what sets the endpoint's URL.
func ExplainConnection(err error, endpoint string) (Cause[error], bool) {
	cause, ok := FirstCause(ConnectionCauses, err)
	cause.Advice = Fill(cause.Advice, "{host}", missingHost(err), "{endpoint}", endpoint)
	return cause, ok
}

func missingHost(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns.Name
	}
	return ""
}

func isTLS(err error) bool {
	var (
		verification *tls.CertificateVerificationError
		authority    x509.UnknownAuthorityError
		host         x509.HostnameError
		invalid      x509.CertificateInvalidError
		header       tls.RecordHeaderError
		alert        tls.AlertError
	)
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid) ||
		errors.As(err, &header) || errors.As(err, &alert)
}

// RootCause returns the message of the innermost error, without the layers that
// the SDK wraps around it.
func RootCause(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns.Error()
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Error()
	}
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}
