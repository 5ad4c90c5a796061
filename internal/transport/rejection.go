// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package transport

import "slices"

// Rejection is a reason for which any service of AWS rejects the credentials of a
// request, whatever was requested.
type Rejection struct {
	// Codes are the error codes of the services.
	Codes []string
	// Summary names the reason, and Advice says what to do.
	Summary, Advice string
}

// Rejections are all of them.
var Rejections = []Rejection{
	{[]string{"ExpiredTokenException", "ExpiredToken"}, "Credentials expired",
		"The session of these credentials has expired. Authenticate again (with IAM Identity Center: aws sso login), or pass fresh credentials."},
	{[]string{"UnrecognizedClientException", "InvalidClientTokenId"}, "Invalid credentials",
		"AWS does not recognize this access key or session token in this region. Temporary credentials require their session token, and keys that were deleted or deactivated are not recognized. " +
			"If they are valid in other regions, enable this region in the account; it also rejects session tokens of the global STS endpoint, unless the account allows them."},
	{[]string{"InvalidSignatureException", "SignatureDoesNotMatch"}, "Invalid signature",
		"Check that the secret key belongs to the access key and has no newline or space at its end, as secrets of CI systems often do, that the clock of this machine is right (AWS allows 15 minutes), and that no proxy alters requests."},
	{[]string{"IncompleteSignatureException", "IncompleteSignature"}, "Invalid signature",
		"The access key or the session token has invalid characters. Copy them again."},
	{[]string{"MissingAuthenticationTokenException", "MissingAuthenticationToken"}, "Missing signature",
		"The request reached AWS without its signature. Check that no proxy removes headers."},
	{[]string{"OptInRequired"}, "Account or region not enabled",
		"Enable the region in the account, or use another region."},
}

// FindRejection returns the Rejection of an error code, and whether there is one.
func FindRejection(code string) (Rejection, bool) {
	i := slices.IndexFunc(Rejections, func(r Rejection) bool { return slices.Contains(r.Codes, code) })
	if i < 0 {
		return Rejection{}, false
	}
	return Rejections[i], true
}
