data "ecrlayer_image_referrers" "signatures" {
  image          = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:1.0"
  artifact_types = ["application/vnd.cncf.notary.signature"]

  lifecycle {
    postcondition {
      condition     = contains(self.referrers[*].status, "ACTIVE")
      error_message = "The image has no signature."
    }
  }
}
