// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// recorder records strings from several goroutines, such as the requests to a stub.
type recorder struct {
	mu      sync.Mutex
	entries []string
}

func (r *recorder) record(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries = append(r.entries, s)
}

func (r *recorder) list() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.entries)
}

func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// temporaryCredentials returns credentials of a session in the account that expire in an
// hour.
func (e *env) temporaryCredentials(name string) ecrtest.Credentials {
	c := ecrtest.Credentials{
		AccessKeyID:     "ASIA" + strings.ToUpper(name),
		SecretAccessKey: "secret-of-" + name,
		SessionToken:    "token-of-" + name,
		AccountID:       account,
		Expires:         time.Now().Add(time.Hour),
	}
	e.AddCredentials(c)
	return c
}

// credentialsDocument returns credentials in the format of the container endpoints,
// the instance metadata service and credential_process.
func credentialsDocument(c ecrtest.Credentials) map[string]any {
	return map[string]any{
		"Version":         1,
		"Code":            "Success",
		"Type":            "AWS-HMAC",
		"LastUpdated":     time.Now().UTC().Format(time.RFC3339),
		"AccessKeyId":     c.AccessKeyID,
		"SecretAccessKey": c.SecretAccessKey,
		"Token":           c.SessionToken,
		"SessionToken":    c.SessionToken,
		"Expiration":      c.Expires.UTC().Format(time.RFC3339),
	}
}

// sequence returns a function that returns all in order, then repeats the last.
func sequence(all ...ecrtest.Credentials) func() ecrtest.Credentials {
	var mu sync.Mutex
	return func() ecrtest.Credentials {
		mu.Lock()
		defer mu.Unlock()
		c := all[0]
		if len(all) > 1 {
			all = all[1:]
		}
		return c
	}
}

// instanceMetadata serves the EC2 instance metadata service of an instance with a role
// in a region. It requires IMDSv2.
func instanceMetadata(t *testing.T, region string, credentials func() ecrtest.Credentials) (string, *recorder) {
	t.Helper()
	const session = "instance-session"
	requests := &recorder{}
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests.record(r.Method + " " + r.URL.Path)
		if r.URL.Path == "/latest/api/token" && r.Method == http.MethodPut && r.Header.Get("X-Aws-Ec2-Metadata-Token-Ttl-Seconds") != "" {
			w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
			_, _ = io.WriteString(w, session)
			return
		}
		if r.Header.Get("X-Aws-Ec2-Metadata-Token") != session {
			http.Error(w, "unauthorized", http.StatusUnauthorized)
			return
		}
		switch r.URL.Path {
		case "/latest/meta-data/iam/security-credentials/":
			_, _ = io.WriteString(w, "instance-role")
		case "/latest/meta-data/iam/security-credentials/instance-role":
			writeJSON(w, credentialsDocument(credentials()))
		case "/latest/dynamic/instance-identity/document":
			writeJSON(w, map[string]string{"region": region, "accountId": account})
		default:
			http.NotFound(w, r)
		}
	}), requests
}

// containerCredentials serves the credentials of a container, as Amazon ECS and EKS Pod
// Identity do. It requires the authorization token.
func containerCredentials(t *testing.T, token string, credentials func() ecrtest.Credentials) string {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/credentials" || r.Header.Get("Authorization") != token {
			w.WriteHeader(http.StatusForbidden)
			writeJSON(w, map[string]string{"code": "AccessDenied", "message": "wrong token"})
			return
		}
		writeJSON(w, credentialsDocument(credentials()))
	})
}

const (
	ssoStartURL = "https://example.awsapps.com/start"
	ssoToken    = "sso-access-token"
)

// identityCenter serves IAM Identity Center: the credentials of a role for the access
// token, and a new access token for the refresh token.
func identityCenter(t *testing.T, all ...ecrtest.Credentials) string {
	t.Helper()
	next := sequence(all...)
	fail := func(w http.ResponseWriter, status int, code, message string) {
		w.Header().Set("X-Amzn-Errortype", code)
		w.WriteHeader(status)
		writeJSON(w, map[string]string{"message": message})
	}
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		switch {
		case r.URL.Path == "/token":
			var input struct {
				GrantType    string `json:"grantType"`
				RefreshToken string `json:"refreshToken"`
			}
			_ = json.NewDecoder(r.Body).Decode(&input)
			if input.GrantType != "refresh_token" || input.RefreshToken != "refresh-token" {
				fail(w, http.StatusBadRequest, "InvalidGrantException", "Invalid refresh token provided")
				return
			}
			writeJSON(w, map[string]any{"accessToken": ssoToken, "expiresIn": 28800, "tokenType": "Bearer", "refreshToken": "refresh-token"})
		case r.Header.Get("X-Amz-Sso_bearer_token") != ssoToken:
			fail(w, http.StatusUnauthorized, "UnauthorizedException", "Session token not found or invalid")
		case query.Get("account_id") != account || query.Get("role_name") != "Puller":
			fail(w, http.StatusForbidden, "ForbiddenException", "No access")
		default:
			c := next()
			writeJSON(w, map[string]any{"roleCredentials": map[string]any{
				"accessKeyId":     c.AccessKeyID,
				"secretAccessKey": c.SecretAccessKey,
				"sessionToken":    c.SessionToken,
				"expiration":      c.Expires.UnixMilli(),
			}})
		}
	})
}

// ssoCache returns the token cache that "aws sso login" writes for a start URL or the
// name of an sso-session.
func ssoCache(name, token string, expires time.Time, extra map[string]string) map[string]string {
	sum := sha1.Sum([]byte(name))
	fields := mergeMaps(extra, map[string]string{
		"accessToken": token,
		"expiresAt":   expires.UTC().Format(time.RFC3339),
		"region":      region,
		"startUrl":    ssoStartURL,
	})
	content, _ := json.Marshal(fields)
	return map[string]string{".aws/sso/cache/" + hex.EncodeToString(sum[:]) + ".json": string(content)}
}

// tlsProxy is a proxy that forwards every host to the local endpoint. It terminates TLS
// with certificates of its own CA.
type tlsProxy struct {
	url      string
	caPEM    string
	requests *recorder // CONNECT host:port, and plain HTTP requests
}

// newTLSProxy returns a proxy that forwards to the endpoint of e.
func newTLSProxy(t *testing.T, e *env) *tlsProxy {
	t.Helper()
	ca := newCertificateAuthority(t)
	secure := httptest.NewUnstartedServer(e.Endpoint)
	secure.TLS = &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return ca.issue(hello.ServerName)
	}}
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // It would log every failed handshake.
	secure.StartTLS()
	t.Cleanup(secure.Close)

	p := &tlsProxy{caPEM: ca.pem, requests: &recorder{}}
	p.url = serve(t, func(w http.ResponseWriter, r *http.Request) {
		entry := r.Method + " " + r.Host
		if password := r.Header.Get("Proxy-Authorization"); password != "" {
			entry += " " + password
		}
		p.requests.record(entry)
		if r.Method != http.MethodConnect {
			r.URL.Scheme, r.URL.Host = "", ""
			e.ServeHTTP(w, r)
			return
		}
		tunnel(w, secure.Listener.Addr().String())
	})
	return p
}

// tunnel copies data between the client and an address.
func tunnel(w http.ResponseWriter, address string) {
	server, err := net.Dial("tcp", address)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	client, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		server.Close()
		return
	}
	_, _ = io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() {
		_, _ = io.Copy(server, client)
		server.Close()
	}()
	_, _ = io.Copy(client, server)
	client.Close()
}

// certificateAuthority issues certificates.
type certificateAuthority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         string
}

func newCertificateAuthority(t *testing.T) *certificateAuthority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "Test CA"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &certificateAuthority{template, key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
}

// issue returns a certificate for a host.
func (a *certificateAuthority) issue(host string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{host},
	}
	if host == "" { // Clients send no server name for an IP address.
		template.DNSNames, template.IPAddresses = nil, []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
