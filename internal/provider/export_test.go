// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

// Serve is how NewServer serves a provider.
var Serve = serve
