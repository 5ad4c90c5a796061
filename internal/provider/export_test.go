// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

// Serve is how NewServer serves a provider.
var Serve = serve

// SummaryByCode returns the summaries of the error codes that there is advice for.
func SummaryByCode() map[string][]string {
	summaries := map[string][]string{}
	for _, table := range []map[string]advice{adviceByCode, adviceByFailure, adviceOfConfig} {
		for code, advice := range table {
			summaries[code] = append(summaries[code], advice.summary)
		}
	}
	for code, reason := range reasonByCode {
		summaries[code] = append(summaries[code], capitalised(reason.summary))
	}
	return summaries
}
