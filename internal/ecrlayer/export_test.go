// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import "golang.org/x/sync/semaphore"

// MaxConcurrentCalls is the bound of a Client's batches.
const MaxConcurrentCalls = maxConcurrentCalls

// SetConcurrency gives a Client that nobody uses yet another bound.
func SetConcurrency(c *Client, n int64) {
	c.slots = semaphore.NewWeighted(n)
}
