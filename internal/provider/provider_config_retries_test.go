// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// attemptsMade returns the calls that were made in one read, and how many there
// are to be at most, which the SDK says in each request.
func (w *env) attemptsMade(t *testing.T) (calls []ecrtest.Call, most string) {
	t.Helper()
	calls = w.CallsTo("ecr", "")
	for i, call := range calls {
		header := call.Header.Get("Amz-Sdk-Request")
		match := regexp.MustCompile(`attempt=(\d+); max=(\d+)`).FindStringSubmatch(header)
		if match == nil || match[1] != strconv.Itoa(i+1) {
			t.Fatalf("request %d says %q", i+1, header)
		}
		most = match[2]
	}
	return calls, most
}

func TestMaxRetriesIsFoundWhereTheAWSProviderFindsIt(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		provider string
		env      map[string]string
		config   string
		want     string
	}{
		"default":              {want: "25"},
		"max_retries":          {provider: "max_retries = 7", want: "7"},
		"AWS_MAX_ATTEMPTS":     {env: map[string]string{"AWS_MAX_ATTEMPTS": "9"}, want: "9"},
		"max_attempts":         {config: "max_attempts = 11", want: "11"},
		"argument first":       {provider: "max_retries = 7", env: map[string]string{"AWS_MAX_ATTEMPTS": "9"}, config: "max_attempts = 11", want: "7"},
		"environment second":   {env: map[string]string{"AWS_MAX_ATTEMPTS": "9"}, config: "max_attempts = 11", want: "9"},
		"adaptive, by default": {provider: `retry_mode = "adaptive"`, want: "25"},
		"adaptive":             {provider: "retry_mode = \"adaptive\"\nmax_retries = 7", want: "7"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newEnv(t)
			session{
				Provider: w.endpoints() + keys(w.user) + test.provider,
				Reads:    []string{w.read()},
				env:      test.env,
				files:    map[string]string{".aws/config": "[default]\n" + test.config},
			}.run(t).mustRead(t, 1)
			if _, most := w.attemptsMade(t); most != test.want {
				t.Errorf("at most %s attempts, want %s", most, test.want)
			}
		})
	}
}

func TestRetryModeIsFoundWhereTheAWSProviderFindsIt(t *testing.T) {
	t.Parallel()
	// The modes differ once a call has been throttled: adaptive holds the calls after
	// it back, for more than a second in all here.
	const standard, adaptive = false, true
	tests := map[string]struct {
		provider string
		env      map[string]string
		config   string
		want     bool
	}{
		"default":              {want: standard},
		"retry_mode":           {provider: `retry_mode = "adaptive"`, want: adaptive},
		"AWS_RETRY_MODE":       {env: map[string]string{"AWS_RETRY_MODE": "adaptive"}, want: adaptive},
		"profile":              {config: "retry_mode = adaptive", want: adaptive},
		"argument first":       {provider: `retry_mode = "standard"`, env: map[string]string{"AWS_RETRY_MODE": "adaptive"}, want: standard},
		"environment second":   {env: map[string]string{"AWS_RETRY_MODE": "standard"}, config: "retry_mode = adaptive", want: standard},
		"empty is no argument": {provider: `retry_mode = ""`, env: map[string]string{"AWS_RETRY_MODE": "adaptive"}, want: adaptive},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newEnv(t)
			w.Inject(ecrtest.Fault{Service: "ecr", Code: "ThrottlingException", Message: "Rate exceeded", Times: 1})
			session{
				Provider: w.endpoints() + keys(w.user) + test.provider,
				Reads:    []string{w.read(), w.read(), w.read(), w.read()},
				env:      test.env,
				files:    map[string]string{".aws/config": "[default]\n" + test.config},
			}.run(t).mustRead(t, 4)
			calls := w.CallsTo("ecr", "")
			if took := calls[4].Time.Sub(calls[1].Time); took > 700*time.Millisecond != test.want {
				t.Errorf("the calls after the throttled one took %s; adaptive: %t", took, test.want)
			}
		})
	}
}

func TestCallIsAttemptedAsOftenAsTheBlockSays(t *testing.T) {
	t.Parallel()
	throttled := ecrtest.Fault{Service: "ecr", Code: "ThrottlingException", Message: "Rate exceeded"}
	tests := map[string]struct {
		provider string
		env      map[string]string
		fault    ecrtest.Fault
		want     int
		says     []string
	}{
		"once":                    {provider: "max_retries = 1", fault: throttled, want: 1, says: []string{"Throttled", "1 attempt in", "max_retries"}},
		"three times":             {provider: "max_retries = 3", fault: throttled, want: 3, says: []string{"Throttled", "3 attempts in", "max_retries"}},
		"AWS_MAX_ATTEMPTS":        {env: map[string]string{"AWS_MAX_ATTEMPTS": "2"}, fault: throttled, want: 2, says: []string{"Throttled", "2 attempts in"}},
		"failures of ECR":         {provider: "max_retries = 3", fault: ecrtest.Fault{Service: "ecr", Status: 503}, want: 3, says: []string{"ECR failed", "3 attempts in"}},
		"connections that break":  {provider: "max_retries = 3", fault: ecrtest.Fault{Service: "ecr", Reset: true}, want: 3, says: []string{"Connection lost", "3 attempts in"}},
		"adaptive":                {provider: "max_retries = 3\nretry_mode = \"adaptive\"", fault: throttled, want: 3, says: []string{"Throttled", "3 attempts in"}},
		"not, if it is no use":    {provider: "max_retries = 3", fault: ecrtest.Fault{Service: "ecr", Code: "AccessDeniedException", Message: "no"}, want: 1, says: []string{"Access denied", "1 attempt in"}},
		"until the bucket is dry": {provider: "max_retries = 9\ntoken_bucket_rate_limiter_capacity = 10", fault: throttled, want: 3, says: []string{"Throttled", "3 attempts in"}},
		"no bucket":               {provider: "max_retries = 3\ntoken_bucket_rate_limiter_capacity = 0", fault: throttled, want: 3, says: []string{"Throttled", "3 attempts in"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newEnv(t)
			w.Inject(test.fault)
			o := session{Provider: w.endpoints() + keys(w.user) + test.provider, Reads: []string{w.read()}, env: test.env}.run(t)
			attribute := ""
			if strings.HasPrefix(name, "not") {
				attribute = "repository_name"
			}
			o.mustFail(t, attribute, test.says...)
			if calls, _ := w.attemptsMade(t); len(calls) != test.want {
				t.Errorf("%d requests, want %d", len(calls), test.want)
			}
		})
	}
}

func TestTokenBucketIsSharedByAllCalls(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	w.Inject(ecrtest.Fault{Service: "ecr", Code: "ThrottlingException", Message: "Rate exceeded", Times: 1})
	w.Inject(ecrtest.Fault{Service: "ecr", Code: "ThrottlingException", Message: "Rate exceeded", Times: 1, Match: func(ecrtest.Call) bool {
		return len(w.CallsTo("ecr", "")) == 3
	}})
	// The retry of the first read takes 5 of 7 tokens, which its success gives back;
	// the one of the second read is possible only because of that.
	session{Provider: w.endpoints() + keys(w.user) + "token_bucket_rate_limiter_capacity = 7", Reads: []string{w.read(), w.read()}}.run(t).mustRead(t, 2)
	if n := len(w.CallsTo("ecr", "")); n != 4 {
		t.Errorf("%d requests, want 4", n)
	}
}

func TestAttemptsAreSpaced(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	w.Inject(ecrtest.Fault{Service: "ecr", Status: 500})
	session{Provider: w.endpoints() + keys(w.user) + "max_retries = 4", Reads: []string{w.read()}}.run(t).mustFail(t, "", "ECR failed", "4 attempts in")
	calls, _ := w.attemptsMade(t)
	for i := 1; i < len(calls); i++ {
		// Each wait is by chance, up to 2, 4 and 8 seconds.
		if wait, most := calls[i].Time.Sub(calls[i-1].Time), time.Duration(1<<i)*time.Second; wait > most+2*time.Second {
			t.Errorf("waited %s before attempt %d, want %s at most", wait, i+1, most)
		}
	}
	if all := calls[3].Time.Sub(calls[0].Time); all < 100*time.Millisecond {
		t.Errorf("waited only %s between four attempts", all)
	}
}

func TestSignInIsAttemptedAFewTimesOnly(t *testing.T) {
	t.Parallel()
	w := newEnv(t)
	w.Inject(ecrtest.Fault{Service: "sts", Status: 500})
	session{
		Provider: w.endpoints() + keys(w.user) + fmt.Sprintf("assume_role {\nrole_arn = %q\n}", w.trust("a")),
		Reads:    []string{w.read()},
	}.run(t).mustFail(t, "assume_role[0]", "Cannot assume role", w.trust("a"))
	w.expectCalls(t, "sts:AssumeRole", "sts:AssumeRole", "sts:AssumeRole")
}
