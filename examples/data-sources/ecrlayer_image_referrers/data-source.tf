terraform {
  required_providers {
    ecrlayer = {
      source = "ecrlayer/ecrlayer"
    }
  }
}

data "ecrlayer_image_referrers" "example" {
  image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:1.0"
}

# What is attached to the image, such as application/vnd.cncf.notary.signature.
output "artifact_types" {
  value = distinct(data.ecrlayer_image_referrers.example.referrers[*].artifact_type)
}

# The digests of its SBOMs, for ecrlayer_image.
output "sboms" {
  value = [
    for referrer in data.ecrlayer_image_referrers.example.referrers : referrer.digest
    if referrer.artifact_type == "application/spdx+json" && referrer.status == "ACTIVE"
  ]
}
