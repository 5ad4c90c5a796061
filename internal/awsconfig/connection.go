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

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/transport"
)

// IsThrottle reports whether AWS throttles with the error code.
func IsThrottle(code string) bool {
	return transport.IsThrottle(code)
}

// ExplainConnection returns the summary of a connection that failed and what to do,
// and false for any other error. endpoint says what sets the endpoint's URL.
func ExplainConnection(err error, endpoint string) (summary, advice string, ok bool) {
	proxy, _ := errors.AsType[*net.OpError](err)
	timeout, _ := errors.AsType[net.Error](err)
	switch host := missingHost(err); {
	case host != "" && proxy != nil && proxy.Op == "proxyconnect":
		return "Proxy not found", "The name " + host + " of the proxy does not resolve. Correct http_proxy, https_proxy or no_proxy in the provider block, " +
			"or the environment variables of the same names.", true
	case strings.Contains(host, "-fips."):
		return "Host not found", "The name " + host + " does not resolve. Not every region has FIPS endpoints. " +
			"Check use_fips_endpoint in the provider block and the environment variable AWS_USE_FIPS_ENDPOINT.", true
	case host != "":
		return "Host not found", "The name " + host + " does not resolve. Check the region, that this network resolves the names of AWS, " +
			"and that private DNS is enabled if you use a VPC endpoint.", true
	case proxy != nil && proxy.Op == "proxyconnect":
		return "Proxy failed", "The proxy refused the connection or is unreachable. Check http_proxy, https_proxy and no_proxy in the provider block, " +
			"and the environment variables of the same names.", true
	case errors.Is(err, http.ErrSchemeMismatch):
		return "TLS failed", "The endpoint returned plain HTTP where HTTPS was expected. If that is intended, begin its URL with http://; " +
			"otherwise something between this machine and the endpoint responds in its place.", true
	case isTLS(err):
		return "TLS failed", "The certificate of the endpoint is not trusted. If a proxy inspects TLS, or the endpoint has a private certificate authority, " +
			"set custom_ca_bundle in the provider block to a file with its certificates.", true
	case errors.Is(err, syscall.ECONNREFUSED):
		return "Connection refused", "Nothing accepts connections at the endpoint. Check " + endpoint + ".", true
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return "Connection lost", "The connection was closed before the response was complete. Check the proxies and firewalls between this machine and the endpoint, and run again.", true
	case timeout != nil && timeout.Timeout():
		return "Connection timed out", "The endpoint did not respond in time. Check the routes, security groups and firewalls between this machine and the endpoint, and " + endpoint + ".", true
	}
	return "", "", false
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
