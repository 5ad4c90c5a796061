// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/awsconfig"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/transport"
)

var update = flag.Bool("update", false, "write the generated part of the troubleshooting guide")

// message is what a diagnostic says of a failure.
type message struct{ summary, advice string }

// ecrMessages returns what the provider says of every failure of a call.
func ecrMessages(t *testing.T) []message {
	t.Helper()
	var messages []message
	addError := func(failed *ecrlayer.CallError) {
		failed.Repository = ecrlayer.Repository{Name: faultRepository, RegistryID: faultAccount, Region: faultRegion}
		op := operation{resource: "image_tag", reference: failed.Resource, timeout: readTimeout}
		if failed.Resource == blobDigest {
			op.resource, op.reference = blobDigest, ""
		}
		summary, _, advice := newFailure(failed, failed, op).explain()
		messages = append(messages, message{summary, advice})
	}
	add := func(call ecrlayer.Call, err error) {
		call.Err = err
		addError(&ecrlayer.CallError{Call: call})
	}
	ended := func(operation string, timeout time.Duration) {
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		cancel()
		_, err := ecrlayer.NewClient(newFixture(t).cfg, nil).DownloadURL(ctx, ecrlayer.Repository{Name: faultRepository}, digest.FromString("layer"))
		failed, _ := errors.AsType[*ecrlayer.CallError](err)
		failed.Operation = operation
		addError(failed)
	}
	const image, layer = "BatchGetImage", "GetDownloadUrlForLayer"
	ended(image, time.Hour)
	ended(image, -time.Hour)
	ended(ecrlayer.OperationDownload, -time.Hour)

	platforms := []string{"linux/amd64", "linux/arm64/v8"}
	for _, err := range []error{
		&ecrlayer.PanicError{},
		&ecrlayer.MissingManifestError{},
		&ecrlayer.PlatformError{Requested: "windows/amd64", Available: []string{"windows(10.0.17763)/amd64", "windows(10.0.20348)/amd64"}, Ambiguous: true},
		&ecrlayer.PlatformError{Available: platforms},
		&ecrlayer.PlatformError{Requested: "linux/s390x", Available: platforms},
		&ecrlayer.PlatformError{Entries: []ecrlayer.IndexManifest{{Descriptor: ecrlayer.Descriptor{Digest: digest.FromString("entry"), MediaType: "application/vnd.oci.image.manifest.v1+json"}}}},
		&ecrlayer.PlatformError{Requested: "linux/amd64"},
		&ecrlayer.EmptyIndexError{},
		&ecrlayer.UnsupportedManifestError{},
		&ecrlayer.NotAnIndexError{},
		&ecrlayer.NotAnImageError{},
		&ecrlayer.TooManyReferrersError{},
		&ecrlayer.BrokenImageError{},
		&ecrlayer.InvalidResponseError{},
		&ecrlayer.ImageFailure{Code: "ImageNotFound"},
		&smithy.DeserializationError{Err: io.ErrNoProgress},
		&ecrlayer.ImageFailure{Code: "…"},
		&smithy.GenericAPIError{Code: "…"},
		&smithy.GenericAPIError{Code: "ThrottlingException"},
		&smithy.GenericAPIError{Code: "RepositoryNotFoundException"},
		&smithy.GenericAPIError{Code: "AccessDeniedException"},
		io.ErrNoProgress,
	} {
		add(ecrlayer.Call{Operation: image, Resource: "1.0", Attempts: 1}, err)
	}
	add(ecrlayer.Call{Operation: image, Resource: digest.FromString("image").String(), Attempts: 1}, &ecrlayer.ImageFailure{Code: "ImageNotFound"})
	add(ecrlayer.Call{Operation: image, Attempts: 1, StatusCode: http.StatusServiceUnavailable}, io.ErrNoProgress)
	add(ecrlayer.Call{Operation: layer, Resource: "1.0", Attempts: 1}, &smithy.GenericAPIError{Code: "LayersNotFoundException"})
	add(ecrlayer.Call{Operation: layer, Resource: blobDigest, Attempts: 1}, &smithy.GenericAPIError{Code: "LayersNotFoundException"})
	add(ecrlayer.Call{Operation: layer, Resource: "1.0", Attempts: 1}, &smithy.GenericAPIError{Code: "LayerInaccessibleException"})
	add(ecrlayer.Call{Operation: ecrlayer.OperationReferrers, Attempts: 1}, &smithy.GenericAPIError{Code: "UnknownOperationException"})
	for _, row := range codes {
		add(ecrlayer.Call{Operation: layer, Attempts: 1}, &smithy.GenericAPIError{Code: row.code})
	}

	const s3 = "prod-us-east-1-starport-layer-bucket.s3.us-east-1.amazonaws.com"
	for _, err := range []error{
		&ecrlayer.BrokenImageError{},
		&ecrlayer.BlobTooLargeError{},
		&ecrlayer.InvalidResponseError{},
		&ecrlayer.DownloadError{Host: s3, StatusCode: http.StatusServiceUnavailable, Code: "SlowDown"},
		&ecrlayer.DownloadError{Host: s3, StatusCode: http.StatusForbidden, Code: "AccessDenied"},
		&ecrlayer.DownloadError{Host: s3, StatusCode: http.StatusForbidden, Code: "SignatureDoesNotMatch"},
		&ecrlayer.DownloadError{Host: s3, StatusCode: http.StatusForbidden},
		&ecrlayer.DownloadError{Host: s3, StatusCode: http.StatusNotFound, Code: "…"},
		io.ErrNoProgress,
	} {
		add(ecrlayer.Call{Operation: ecrlayer.OperationDownload, Attempts: 1}, err)
	}
	return messages
}

// credentialsMessages returns what the provider says of credentials.
func credentialsMessages(t *testing.T) []message {
	t.Helper()
	failed := func(service, operation, code string) error {
		return &smithy.OperationError{ServiceID: service, OperationName: operation, Err: &smithy.GenericAPIError{Code: code}}
	}
	metadata := func(status int) error {
		err := errors.New("no EC2 IMDS role found")
		if status != 0 {
			err = &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}}, Err: err}
		}
		return &smithy.OperationError{ServiceID: "ec2imds", Err: err}
	}
	failures := []error{
		context.Canceled,
		&ssocreds.InvalidTokenError{},
		failed("SSO", "GetRoleCredentials", "ForbiddenException"),
		errors.New("please reauthenticate"),
		&processcreds.ProviderError{Err: errors.New("exit status 1")},
		config.AssumeRoleTokenProviderNotSetError{},
		failed("STS", "GetCallerIdentity", "AccessDenied"),
		failed("STS", "AssumeRoleWithWebIdentity", "ExpiredTokenException"),
		failed("STS", "AssumeRole", "Throttling"),
		errors.New("deserialization failed"),
		failed("STS", "AssumeRole", "…"),
		metadata(http.StatusNotFound),
		metadata(http.StatusForbidden),
		metadata(0),
		errors.New("no EC2 IMDS role found: AssumeRoleUnauthorizedAccess"),
		errors.New("none"),
	}
	failures = append(failures, &smithy.OperationError{ServiceID: "STS", Err: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusInternalServerError}}, Err: &smithy.GenericAPIError{Code: "InternalFailure"}}})
	content := source(t, "../awsconfig/credentials.go")
	_, phrases, _ := strings.Cut(content, "var phrases = ")
	for _, row := range regexp.MustCompile(`(?m)^\t\{"([^"]+)", "`).FindAllStringSubmatch(content, -1) {
		if strings.Contains(phrases, row[0]) {
			failures = append(failures, errors.New(row[1]))
		} else {
			failures = append(failures, failed("STS", "AssumeRole", row[1]))
		}
	}
	messages := make([]message, len(failures))
	for i, err := range failures {
		messages[i].summary, _, messages[i].advice = awsconfig.NewCredentialsFailure(err, "dev").Explain()
	}
	return messages
}

// rejectionMessages returns what the provider says of the codes that reject
// credentials, and the sentence with which all of it ends.
func rejectionMessages() (messages []message, origin string) {
	const begin = "The credentials come from "
	for _, rejection := range transport.Rejections {
		summary, advice, _ := awsconfig.ExplainRejection(rejection.Codes[0])
		advice, origin, _ = strings.Cut(advice, " "+begin)
		messages = append(messages, message{summary, advice})
	}
	return messages, begin + origin
}

// connectionMessages returns what the provider says of connections.
func connectionMessages() []message {
	const endpoint = "endpoints in the provider block and the environment variables AWS_ENDPOINT_URL_ECR and AWS_ENDPOINT_URL"
	var messages []message
	for _, err := range []error{
		&net.DNSError{Name: "ecr-fips.me-south-1.amazonaws.com"},
		&net.DNSError{Name: "api.ecr.us-east-1.amazonaws.com"},
		&net.OpError{Op: "proxyconnect", Err: &net.DNSError{Name: "proxy.example.com"}},
		&net.OpError{Op: "proxyconnect", Err: io.EOF},
		&net.OpError{Op: "proxyconnect", Err: &net.DNSError{Name: "proxy.example.com"}},
		http.ErrSchemeMismatch,
		x509.UnknownAuthorityError{},
		syscall.ECONNREFUSED,
		syscall.ECONNRESET,
		context.DeadlineExceeded,
	} {
		summary, advice, _ := awsconfig.ExplainConnection(err, endpoint)
		messages = append(messages, message{summary, advice})
	}
	return messages
}

func source(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// The guide is generated after the marker: "make docs" sets -update. It has every
// summary in the sources.
func TestTroubleshootingGuide(t *testing.T) {
	guide := filepath.Join("..", "..", "templates", "guides", "troubleshooting.md")
	content := source(t, guide)
	const marker = "<!-- The rest is generated from the messages by \"make docs\". -->\n"
	want, _, ok := strings.Cut(content, marker)
	if !ok {
		t.Fatal("marker not found in the guide")
	}
	var text strings.Builder
	text.WriteString(want + marker)
	rejections, origin := rejectionMessages()
	returned := regexp.MustCompile(`return "([A-Z][^"]*)"(?: \+ \w+\.\w+)?, `)
	for _, section := range []struct {
		title, intro, file string
		messages           []message
	}{
		{"Errors of ECR and of downloads", "", "errors_causes.go", ecrMessages(t)},
		{"Credentials", "", "../awsconfig/credentials.go", credentialsMessages(t)},
		{"Rejected credentials", origin, "../transport/rejection.go", rejections},
		{"Connections", "", "../awsconfig/connection.go", connectionMessages()},
	} {
		advice := map[string][]string{} // by summary
		var summaries []string
		for _, m := range section.messages {
			if m.summary == "" || m.advice == "" || strings.ContainsAny(m.advice, "{}") {
				t.Errorf("%s: the advice is %q", m.summary, m.advice)
			}
			if advice[m.summary] == nil {
				summaries = append(summaries, m.summary)
			}
			if !slices.Contains(advice[m.summary], m.advice) {
				advice[m.summary] = append(advice[m.summary], m.advice)
			}
		}
		fmt.Fprintf(&text, "\n## %s\n", section.title)
		if section.intro != "" {
			fmt.Fprintf(&text, "\n%s\n", section.intro)
		}
		for _, summary := range summaries {
			fmt.Fprintf(&text, "\n### %s\n\n%s\n", summary, strings.Join(advice[summary], "\n\n"))
		}
		missing := map[string]int{}
		for _, m := range returned.FindAllStringSubmatch(source(t, section.file), -1) {
			missing[strings.TrimSuffix(m[1], " ")]++
		}
		for summary, n := range missing {
			if found := len(advice[summary]) + len(advice[summary+" …"]); found < n {
				t.Errorf("%d of %d messages %q are in the guide", found, n, summary)
			}
		}
	}
	want = text.String() + "\n## Invalid arguments and settings\n\n"
	for _, summary := range summariesInSources(t) {
		if strings.HasPrefix(summary, "Invalid ") {
			want += "- " + summary + "\n"
		} else if !strings.Contains(want, "### "+summary) && !strings.Contains(want, ", "+summary) {
			t.Errorf("the guide has no section %q", summary)
		}
	}
	expectFile(t, guide, want)
}

// summaryLiteral matches where the code says the summary of a diagnostic.
var summaryLiteral = regexp.MustCompile(`(?:(?:Add(?:Attribute)?(?:Error|Warning)|New(?:Attribute)?(?:Error|Warning)Diagnostic|errorAt)\((?:[^"()]|\([^()]*\))*?|` +
	`String\{Summary: +|summary(?:, \w+)* :?= )"([A-Z][^",]+)"`)

// summariesInSources returns the sorted summaries that the packages pass to diagnostics.
func summariesInSources(t *testing.T) []string {
	t.Helper()
	var summaries []string
	for _, pattern := range []string{"*.go", "../awsconfig/*.go", "../validate/*.go"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			for _, match := range summaryLiteral.FindAllStringSubmatch(source(t, name), -1) {
				summaries = append(summaries, strings.TrimRight(match[1], ": "))
			}
		}
	}
	slices.Sort(summaries)
	return slices.Compact(summaries)
}

// The pages of the objects include these policies.
func TestPolicies(t *testing.T) {
	type statement struct {
		Effect   string
		Action   []string
		Resource string
	}
	type policy struct {
		Version   string
		Statement []statement
	}
	p := &ecrlayerProvider{}
	var objects []object
	for _, source := range p.DataSources(t.Context()) {
		objects = append(objects, source().(*dataSource).object)
	}
	for _, resource := range p.EphemeralResources(t.Context()) {
		objects = append(objects, resource().(*ephemeralResource).object)
	}
	for _, resource := range p.Resources(t.Context()) {
		objects = append(objects, resource().(*imageLayoutResource).object)
	}
	for _, o := range objects {
		if len(o.actions) == 0 || o.hosts == "" {
			t.Errorf("ecrlayer%s has no actions or no hosts", o.name)
		}
		minimum, err := json.MarshalIndent(policy{"2012-10-17", []statement{{"Allow", o.actions, "arn:aws:ecr:us-east-1:123456789012:repository/team/app"}}}, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		expectFile(t, filepath.Join("..", "..", "examples", "policies", "ecrlayer"+o.name+".json"), string(minimum)+"\n")
	}
}

// expectFile fails unless a file has this content, or writes it.
func expectFile(t *testing.T, name, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if source(t, name) != want {
		t.Errorf("%s is stale: run 'make docs'", name)
	}
}
