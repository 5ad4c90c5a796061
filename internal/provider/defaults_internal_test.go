// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/awsconfig"
)

// scriptedClient is an HTTP client without a network, for a fake clock.
type scriptedClient func(*http.Request) (int, string, error)

func (c scriptedClient) Do(request *http.Request) (*http.Response, error) {
	status, body, err := c(request)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: request}, nil
}

func awsError(status int, code string) func(*http.Request) (int, string, error) {
	return func(*http.Request) (int, string, error) {
		return status, fmt.Sprintf(`{"__type":%q,"message":"the message"}`, code), nil
	}
}

func noResponse(err error) func(*http.Request) (int, string, error) {
	return func(*http.Request) (int, string, error) {
		return 0, "", &net.OpError{Op: "dial", Net: "tcp", Err: err}
	}
}

func silent(request *http.Request) (int, string, error) {
	<-request.Context().Done()
	return 0, "", request.Context().Err()
}

// newDefaultObject returns an object with the settings that people run, whose requests
// are responded to by a function.
func newDefaultObject(t *testing.T, respond scriptedClient) *object {
	t.Helper()
	block := awsconfig.Model{Region: types.StringValue("us-east-1"), AccessKey: types.StringValue("AKIAEXAMPLE"), SecretKey: types.StringValue("secret-of-the-test")}
	loaded, diags := block.Load(t.Context(), "test", "1.0.0")
	if diags.HasError() {
		t.Fatal(diags)
	}
	loaded.AWS.HTTPClient = respond
	c, diags := newClient(loaded)
	if diags.HasError() {
		t.Fatal(diags)
	}
	return &object{client: c}
}

// With the settings that people run, whatever always fails ends with its own cause:
// by its own count, before the timeout. The clock is fake, the rest is not.
func TestFailuresEndInTheirCauseWithTheDefaults(t *testing.T) {
	const (
		layer    = "sha256:" + "0000000000000000000000000000000000000000000000000000000000000000"
		config   = `{"os":"linux","architecture":"amd64"}`
		limit    = defaultTimeout + time.Second
		attempts = 25
	)
	manifest := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},"layers":[]}`,
		digest.FromString(config), len(config))
	image := fmt.Sprintf(`{"images":[{"registryId":"123456789012","repositoryName":"team/app","imageId":{"imageDigest":%q,"imageTag":"1.0"},"imageManifest":%q}]}`, digest.FromString(manifest), manifest)
	url := fmt.Sprintf(`{"downloadUrl":"https://b.s3.amazonaws.com/k?X-Amz-Signature=0","layerDigest":%q}`, digest.FromString(config))

	// What is requested before the operation that fails succeeds.
	succeed := func(request *http.Request) (int, string, error) {
		switch {
		case strings.HasSuffix(request.Header.Get("X-Amz-Target"), "BatchGetImage"):
			return http.StatusOK, image, nil
		case request.Header.Get("X-Amz-Target") != "":
			return http.StatusOK, url, nil
		}
		return http.StatusOK, config, nil
	}
	operations := []struct {
		name  string // of the operation of ECR, "" for a download
		model func() model
	}{
		{"GetDownloadUrlForLayer", func() model {
			return &downloadURLModel{arguments: arguments{RepositoryName: types.StringValue("team/app")}, LayerDigest: types.StringValue(layer)}
		}},
		{"BatchGetImage", func() model {
			m := &imageModel{}
			m.RepositoryName, m.ImageTag = types.StringValue("team/app"), types.StringValue("1.0")
			return m
		}},
		{"", func() model {
			m := &imageConfigModel{}
			m.RepositoryName, m.ImageTag = types.StringValue("team/app"), types.StringValue("1.0")
			return m
		}},
	}
	failures := []struct {
		name     string
		respond  func(*http.Request) (int, string, error)
		summary  string
		download string // summary of the download, "" if it is the same
		attempts int
	}{
		{"throttled", awsError(http.StatusBadRequest, "ThrottlingException"), "Throttled", "Download refused", attempts},
		{"429 without a code", awsError(http.StatusTooManyRequests, ""), "Throttled", "Download failed", attempts},
		{"quota", awsError(http.StatusBadRequest, "LimitExceededException"), "Limit exceeded", "Download refused", 1},
		{"500", awsError(http.StatusInternalServerError, "ServerException"), "ECR failed", "Download failed", attempts},
		{"503 without a body", func(*http.Request) (int, string, error) { return http.StatusServiceUnavailable, "", nil }, "ECR failed", "Download failed", attempts},
		{"reset", noResponse(syscall.ECONNRESET), "Connection lost", "", attempts},
		{"refused", noResponse(syscall.ECONNREFUSED), "Connection refused", "", 9},
		{"silent", silent, "Timeout", "", 1},
		{"throttled, then silent", nil, "Throttled", "Download refused", 2},
	}
	for _, operation := range operations {
		for _, failure := range failures {
			if operation.name == "" && (failure.name == "throttled" || failure.name == "throttled, then silent") {
				continue // Amazon S3 has another format of errors, and a status of its own.
			}
			t.Run(operation.name+" "+failure.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					requests := 0
					respond := failure.respond
					o := newDefaultObject(t, func(request *http.Request) (int, string, error) {
						target := request.Header.Get("X-Amz-Target")
						if operation.name == "" && target != "" || operation.name != "" && !strings.HasSuffix(target, operation.name) {
							return succeed(request)
						}
						requests++
						if respond == nil && requests == 1 {
							return awsError(http.StatusBadRequest, "ThrottlingException")(request)
						} else if respond == nil {
							return silent(request)
						}
						return respond(request)
					})
					start := time.Now()
					diags := o.run(t.Context(), operation.model(), readTimeout)
					elapsed := time.Since(start)
					want := failure.summary
					if operation.name == "" && failure.download != "" {
						want = failure.download
					}
					if len(diags) != 1 || diags[0].Summary() != want || requests != failure.attempts {
						t.Errorf("%d requests in %s, want %d and %q:\n%v", requests, elapsed, failure.attempts, want, diags)
					}
					timesOut := strings.Contains(failure.name, "silent")
					if elapsed > limit || timesOut != (elapsed >= defaultTimeout) {
						t.Errorf("the read took %s", elapsed)
					}
				})
			})
		}
	}
}

// A batch fails for the same causes, within the same time.
func TestBatchesEndInTheirCauseWithTheDefaults(t *testing.T) {
	for _, test := range []struct {
		name    string
		respond func(*http.Request) (int, string, error)
		summary string
	}{
		{"throttled", awsError(http.StatusBadRequest, "ThrottlingException"), "Throttled"},
		{"quota", awsError(http.StatusBadRequest, "LimitExceededException"), "Limit exceeded"},
		{"500", awsError(http.StatusInternalServerError, "ServerException"), "ECR failed"},
		{"reset", noResponse(syscall.ECONNRESET), "Connection lost"},
		{"silent", silent, "Timeout"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newDefaultObject(t, test.respond)
				m := &downloadURLsModel{}
				m.RepositoryName = types.StringValue("team/app")
				for n := range 200 {
					m.LayerDigests = append(m.LayerDigests, digest.FromString(strconv.Itoa(n)))
				}
				start := time.Now()
				diags := o.run(t.Context(), m, readTimeout)
				if len(diags) == 0 || !strings.HasPrefix(diags[0].Summary(), test.summary) {
					t.Errorf("after %s: %v, want %q", time.Since(start), diags, test.summary)
				}
				if elapsed := time.Since(start); elapsed > defaultTimeout+time.Second {
					t.Errorf("the read took %s", elapsed)
				}
			})
		})
	}
}
