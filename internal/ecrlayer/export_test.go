// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

// MaxConcurrentCalls is the bound of a Client's batches.
const MaxConcurrentCalls = maxConcurrentCalls
