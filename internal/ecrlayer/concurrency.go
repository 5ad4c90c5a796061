// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

// maxConcurrentCalls is how many calls the batches of a Client make at once.
//
// A batch of 1,000 digests, on two cores shared with an endpoint that responds
// after 20 ms, took 2.3 s with 10 concurrent calls, 1.1 s with 20, 0.8 s with 30,
// 0.6 s with 40, 0.5 s with 50, 0.35 s with 100, and 0.3 s with 150 and more, which
// keep the cores busy. ECR's default quota is 3,000 calls per second for everything
// that uses an account in a region. At 20 ms, 50 concurrent calls stay below that
// (2,500) and 60 reach it. A few tenths of a second do not justify throttling others
// who pull images at the same time.
//
// See https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
const maxConcurrentCalls = 50
