// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// How often each binary is started.
const starts = 30

// startUp compares how the provider starts with how the leanest one does.
//
// Of what this provider takes more, nothing is this module's own: its packages
// make fewer than 150 allocations before main, which a test watches over. What is
// left, as GODEBUG=inittrace=1 shows, is a larger binary, and the packages of the
// AWS SDK. The schemas of package ecr are the largest part. Each service's package
// compiles the regular expressions of all AWS partitions: those of ecr, sts, sso,
// ssooidc and signin, which credentials may need, and those of dynamodb, iam, s3,
// sns and sqs, which only aws-sdk-go-base refers to, for its log and for accounts
// that STS does not tell. Neither library offers a way without them.
func (b *bench) startUp(ctx context.Context) error {
	ours, lean := &startTimes{}, &startTimes{}
	for range starts {
		// In turns, so that both meet the same machine.
		if err := errors.Join(b.start(ctx, b.provider, ours), b.start(ctx, b.lean, lean)); err != nil {
			return err
		}
	}
	const leanest = "leanest framework provider: "
	ratio := func(ours, lean time.Duration) string { return fmt.Sprintf("%.1f×", float64(ours)/float64(lean)) }
	b.table.add("start: from exec to handshake", show(ours.handshake), leanest+show(lean.handshake), ratio(ours.handshake, lean.handshake), "")
	b.table.add("start: from exec to schema", show(ours.schema), leanest+show(lean.schema), ratio(ours.schema, lean.schema), "")
	size, leanSize, err := sizesOf(b.provider, b.lean)
	if err != nil {
		return err
	}
	b.table.add("size of the binary", fmt.Sprintf("%.1f MB", size), fmt.Sprintf("%s%.1f MB", leanest, leanSize), fmt.Sprintf("%.1f×", size/leanSize), "")
	return nil
}

func sizesOf(a, b string) (float64, float64, error) {
	first, err := os.Stat(a)
	if err != nil {
		return 0, 0, err
	}
	second, err := os.Stat(b)
	if err != nil {
		return 0, 0, err
	}
	return float64(first.Size()) / 1e6, float64(second.Size()) / 1e6, nil
}

// startTimes are the best times from the start of a process.
type startTimes struct {
	handshake, schema time.Duration
}

// start starts a provider as Terraform does, by the protocol of
// github.com/hashicorp/go-plugin, until it has told its schema.
func (b *bench) start(ctx context.Context, binary string, times *startTimes) error {
	certificate, encoded, err := newCertificate()
	if err != nil {
		return err
	}
	command := b.command(ctx, b.work, binary)
	command.Env = append(command.Env,
		"TF_PLUGIN_MAGIC_COOKIE=d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2",
		"PLUGIN_PROTOCOL_VERSIONS=6", "PLUGIN_MIN_PORT=10000", "PLUGIN_MAX_PORT=25000", "PLUGIN_CLIENT_CERT="+encoded)
	output, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := command.Start(); err != nil {
		return err
	}
	defer func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	}()
	line, err := bufio.NewReader(output).ReadString('\n')
	handshake := time.Since(begin)
	if err != nil {
		return fmt.Errorf("%s: no handshake: %w", binary, err)
	}
	if err := getSchema(ctx, line, certificate); err != nil {
		return fmt.Errorf("%s: %w", binary, err)
	}
	schema := time.Since(begin)
	if times.handshake == 0 {
		*times = startTimes{handshake, schema}
	}
	times.handshake, times.schema = min(times.handshake, handshake), min(times.schema, schema)
	return nil
}

// getSchema asks the provider that has sent a handshake for its schema.
func getSchema(ctx context.Context, handshake string, certificate tls.Certificate) error {
	// go-plugin's version, the protocol's, network, address, kind of the protocol,
	// certificate.
	parts := strings.Split(strings.TrimSpace(handshake), "|")
	if len(parts) < 6 {
		return fmt.Errorf("the handshake is %q", handshake)
	}
	raw, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil {
		return err
	}
	server, err := x509.ParseCertificate(raw)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AddCert(server)
	target := parts[3]
	if parts[2] == "unix" {
		target = "unix:" + target
	}
	connection, err := grpc.NewClient(target,
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
			Certificates: []tls.Certificate{certificate}, RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS12,
		})),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(rawCodec{}), grpc.MaxCallRecvMsgSize(64<<20)))
	if err != nil {
		return err
	}
	defer connection.Close()
	var answer []byte
	if err := connection.Invoke(ctx, "/tfplugin6.Provider/GetProviderSchema", []byte{}, &answer); err != nil {
		return err
	}
	if len(answer) == 0 {
		return errors.New("the schema is empty")
	}
	return nil
}

// rawCodec leaves messages as they are: what is in a schema does not matter here.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) ([]byte, error) {
	message, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("cannot marshal a %T", v)
	}
	return message, nil
}

func (rawCodec) Unmarshal(data []byte, v any) error {
	message, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("cannot unmarshal to a %T", v)
	}
	*message = append([]byte(nil), data...)
	return nil
}

// newCertificate returns a certificate of this machine's, also in PEM format.
func newCertificate() (tls.Certificate, string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, "", err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "localhost"},
		DNSNames:              []string{"localhost"},
		SerialNumber:          big.NewInt(1),
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, "", err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), nil
}
