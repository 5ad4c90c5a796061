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

// requests are those that a stub got, by what the stub notes of each.
type requests struct {
	mu    sync.Mutex
	noted []string
}

func (r *requests) note(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.noted = append(r.noted, s)
}

func (r *requests) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.noted)
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

// temporary returns credentials of a session in the env's account that lasts
// for d.
func (e *env) temporary(name string, d time.Duration) ecrtest.Credentials {
	c := ecrtest.Credentials{
		AccessKeyID:     "ASIA" + strings.ToUpper(name),
		SecretAccessKey: "secret of " + name,
		SessionToken:    "token-of-" + name,
		AccountID:       account,
		Expires:         time.Now().Add(d),
	}
	e.AddCredentials(c)
	return c
}

// credentialsDocument is how containers' endpoints, the instance metadata service
// and credential processes tell credentials.
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

// inTurn returns one after the other, and the last again and again.
func inTurn(all ...ecrtest.Credentials) func() ecrtest.Credentials {
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

// instanceMetadata serves version 2 of the EC2 instance metadata service, of an
// instance with a role in a region. Version 1 is off.
func instanceMetadata(t *testing.T, region string, credentials func() ecrtest.Credentials) (string, *requests) {
	t.Helper()
	const session = "instance-session"
	got := &requests{}
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		got.note(r.Method + " " + r.URL.Path)
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
	}), got
}

// containerCredentials serves a container's credentials to who has the token, as
// Amazon ECS and EKS Pod Identity do.
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

// identityCenter serves the credentials of a role in IAM Identity Center to who
// has the access token, and a new access token to who has the refresh token.
func identityCenter(t *testing.T, all ...ecrtest.Credentials) (string, *requests) {
	t.Helper()
	next := inTurn(all...)
	got := &requests{}
	fail := func(w http.ResponseWriter, status int, code, message string) {
		w.Header().Set("X-Amzn-Errortype", code)
		w.WriteHeader(status)
		writeJSON(w, map[string]string{"message": message})
	}
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		got.note(r.Method + " " + r.URL.Path)
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
	}), got
}

// ssoCache returns the file that "aws sso login" leaves for a start URL or the
// name of a session.
func ssoCache(name, token string, expires time.Time, more map[string]string) map[string]string {
	sum := sha1.Sum([]byte(name))
	fields := merged(more, map[string]string{
		"accessToken": token,
		"expiresAt":   expires.UTC().Format(time.RFC3339),
		"region":      region,
		"startUrl":    ssoStartURL,
	})
	content, _ := json.Marshal(fields)
	return map[string]string{".aws/sso/cache/" + hex.EncodeToString(sum[:]) + ".json": string(content)}
}

// internet stands for the network between the provider and AWS: a proxy that
// connects to the local endpoint whatever the host, with a certificate for it
// that an authority of its own has issued.
type internet struct {
	proxy     string // its URL
	authority string // its certificate, in PEM
	*requests        // those for a connection (CONNECT host:port), and plain ones
}

// newInternet returns an internet with the env's endpoint behind every host.
func newInternet(t *testing.T, e *env) *internet {
	t.Helper()
	authority := newAuthority(t)
	secure := httptest.NewUnstartedServer(e.Endpoint)
	secure.TLS = &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return authority.issue(hello.ServerName)
	}}
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // It tells of every handshake that a test makes fail.
	secure.StartTLS()
	t.Cleanup(secure.Close)

	n := &internet{authority: authority.pem, requests: &requests{}}
	n.proxy = serve(t, func(w http.ResponseWriter, r *http.Request) {
		noted := r.Method + " " + r.Host
		if password := r.Header.Get("Proxy-Authorization"); password != "" {
			noted += " " + password
		}
		n.note(noted)
		if r.Method != http.MethodConnect {
			r.URL.Scheme, r.URL.Host = "", ""
			e.ServeHTTP(w, r)
			return
		}
		tunnel(w, secure.Listener.Addr().String())
	})
	return n
}

// tunnel connects a client with an address.
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

// authority issues certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "an authority of the tests"},
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
	return &authority{template, key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
}

// issue returns a certificate for a host.
func (a *authority) issue(host string) (*tls.Certificate, error) {
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
	if host == "" { // A client that asks an IP address names no server.
		template.DNSNames, template.IPAddresses = nil, []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
