// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package transport_test

import (
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"go.uber.org/goleak"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/redact"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve returns a client, and the URL of a server with the handler.
func serve(t *testing.T, handler http.HandlerFunc) (*transport.Client, string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return transport.Wrap(server.Client()), server.URL
}

func newRequest(t *testing.T, method, target, body string) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return request
}

func TestResponsesAreBounded(t *testing.T) {
	t.Parallel()
	const limit = 10_000
	for _, test := range []struct {
		name        string
		status      int
		size        int
		chunked     bool
		limit, want int64 // want is the number of bytes, -1 for a SizeError
	}{
		{"at the limit", http.StatusOK, limit, false, limit, limit},
		{"one byte too many", http.StatusOK, limit + 1, false, limit, -1},
		{"one byte too many, without a length", http.StatusOK, limit + 1, true, limit, -1},
		{"without a limit of its own", http.StatusOK, 1<<20 + 1, true, -1, -1},
		{"of unlimited size", http.StatusOK, 1<<20 + 1, false, 0, 1<<20 + 1},
		{"an error", http.StatusForbidden, limit, false, 10, limit},
		{"a large error", http.StatusBadGateway, 1 << 20, true, 0, -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client, target := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				if test.chunked {
					_ = http.NewResponseController(w).Flush()
				}
				_, _ = w.Write(make([]byte, test.size))
			})
			request := newRequest(t, http.MethodGet, target, "")
			if test.limit >= 0 {
				request = request.WithContext(transport.WithMaxResponse(t.Context(), test.limit))
			}
			response, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			n, err := io.Copy(io.Discard, response.Body)
			var large *transport.SizeError
			switch {
			case test.want < 0 && !errors.As(err, &large):
				t.Errorf("read %d bytes with error %v, want a SizeError", n, err)
			case test.want >= 0 && (err != nil || n != test.want):
				t.Errorf("read %d bytes with error %v, want %d bytes", n, err, test.want)
			}
		})
	}
}

// Whatever the source of a credential, an endpoint that repeats it finds it known.
func TestSecretsOfRequestsAreRegistered(t *testing.T) {
	t.Parallel()
	// $ is replaced, because a secret stays known, also as a part of another one.
	for _, test := range []struct{ name, header, body, target, secret string }{
		{"session token", "X-Amz-Security-Token: $", "", "", "$"},
		{"IAM Identity Center", "X-Amz-Sso_bearer_token: $", "", "", "$"},
		{"instance metadata", "X-Aws-Ec2-Metadata-Token: $", "", "", "$"},
		{"container", "Authorization: $", "", "", "$"},
		{"bearer", "Authorization: Bearer $", "", "", "$"},
		{"web identity", "", "Action=AssumeRoleWithWebIdentity&WebIdentityToken=to%2Bken$", "", "to+ken$"},
		{"refresh token", "", `{"clientSecret":"another$","refreshToken":"$"}`, "", "$"},
		{"client secret", "", `{"clientSecret":"$"}`, "", "$"},
		{"endpoint with a password", "", "", "http://user:pa%27ss$@", "pa'ss$"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			unique := rand.Text()
			for _, value := range []*string{&test.header, &test.body, &test.target, &test.secret} {
				*value = strings.ReplaceAll(*value, "$", unique)
			}
			text := "you sent " + test.secret + " to us"
			if redact.Text(text) != text {
				t.Fatal("the secret is known before the request")
			}
			known := false
			client, target := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				known = redact.Text(text) == "you sent REDACTED to us"
				w.WriteHeader(http.StatusForbidden)
			})
			request := newRequest(t, http.MethodPost, strings.Replace(target, "http://", "http://"+strings.TrimPrefix(test.target, "http://"), 1), test.body)
			if name, value, ok := strings.Cut(test.header, ": "); ok {
				request.Header.Set(name, value)
			}
			response, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if !known {
				t.Error("the secret is not known when the request arrives")
			}
		})
	}
}

func TestErrorsHaveNoURL(t *testing.T) {
	t.Parallel()
	client, target := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	response, err := client.Do(newRequest(t, http.MethodGet, target+"/key?X-Amz-Signature=0123", ""))
	if err == nil {
		response.Body.Close()
		t.Fatal("no error")
	}
	var failure *url.Error
	if !errors.As(err, &failure) || failure.URL != target || !errors.Is(err, io.EOF) {
		t.Errorf("error = %v, want one with the host and the cause", err)
	}
}

func TestRequestBodyIsSentWhole(t *testing.T) {
	t.Parallel()
	got := ""
	client, target := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body)
		got = string(content)
	})
	response, err := client.Do(newRequest(t, http.MethodPost, target, "body"))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if got != "body" {
		t.Errorf("got body %q", got)
	}
}

func TestProxyThatRefusesIsNamed(t *testing.T) {
	t.Parallel()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusProxyAuthRequired) }))
	t.Cleanup(proxy.Close)
	through := func(tr *http.Transport) {
		tr.Proxy = func(r *http.Request) (*url.URL, error) { return r.URL.Parse(proxy.URL) }
	}
	for name, client := range map[string]aws.HTTPClient{
		"new":           transport.New(through),
		"with timeouts": transport.New(through).WithTimeouts(1<<30, 1<<30),
		"the SDK's":     awshttp.NewBuildableClient().WithTransportOptions(through),
	} {
		wrapped := transport.Wrap(client)
		if again := transport.Wrap(wrapped); again != wrapped {
			t.Errorf("%s: wrapped twice", name)
		}
		response, err := wrapped.Do(newRequest(t, http.MethodGet, "https://sts.invalid", ""))
		if err == nil {
			response.Body.Close()
		}
		var refused *net.OpError
		if !errors.As(err, &refused) || refused.Op != "proxyconnect" || !strings.Contains(err.Error(), "407 Proxy Authentication Required") {
			t.Errorf("%s: error = %v, want that of the proxy", name, err)
		}
	}
}

// A call that always fails must end by itself before the default timeout of 5 minutes.
func TestDelaysEndBeforeTheDefaultTimeout(t *testing.T) {
	t.Parallel()
	const attempts = 25
	retryer, sum := transport.NewRetryer(aws.RetryModeStandard, attempts, 0), time.Duration(0)
	for attempt := 1; attempt < attempts; attempt++ {
		var longest time.Duration
		for range 1000 {
			delay, err := retryer.RetryDelay(attempt, errors.New("failed"))
			if err != nil {
				t.Fatal(err)
			}
			longest = max(longest, delay)
		}
		sum += longest
	}
	if sum > 240*time.Second {
		t.Errorf("the delays of %d attempts add up to %s", attempts, sum)
	}
}
