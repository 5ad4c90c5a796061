// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package transport

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/redact"
)

// secretHeaders are the headers that carry a token: those of AWS session tokens, IAM
// Identity Center, the EC2 instance metadata service and container credentials.
// Authorization with Signature Version 4 has none.
var secretHeaders = []string{"X-Amz-Security-Token", "X-Amz-Sso_bearer_token", "X-Aws-Ec2-Metadata-Token", "Authorization", "Proxy-Authorization"}

// secretFields are the fields of forms (STS) and of JSON bodies (the OIDC API of IAM
// Identity Center, AWS sign-in) that carry one.
var secretFields = []string{"WebIdentityToken", "accessToken", "refreshToken", "clientSecret", "deviceCode", "code", "codeVerifier", "assertion"}

// registerSecrets registers whatever an endpoint could repeat of the request. This is
// where all secrets pass, whichever source they come from.
func registerSecrets(request *http.Request) {
	if request.URL.User != nil {
		redact.SecretURL((&url.URL{Scheme: request.URL.Scheme, User: request.URL.User, Host: request.URL.Host}).String())
	}
	for _, name := range secretHeaders {
		value := request.Header.Get(name)
		if value == "" || strings.HasPrefix(value, "AWS4-") {
			continue
		}
		redact.Secret(value)
		if _, token, ok := strings.Cut(value, " "); ok { // After the scheme, such as Bearer.
			redact.Secret(token)
		}
	}
	if request.GetBody == nil || request.Header.Get("X-Amz-Target") != "" { // A body of ECR has none.
		return
	}
	body, err := request.GetBody()
	if err != nil {
		return
	}
	content, _ := io.ReadAll(body)
	fields, _ := url.ParseQuery(string(content))
	var object map[string]any
	_ = json.Unmarshal(content, &object)
	for _, name := range secretFields {
		redact.Secret(fields[name]...)
		if value, ok := object[name].(string); ok {
			redact.Secret(value)
		}
	}
}
