// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

// Guard is what NewServer puts around the provider.
var Guard = guard
