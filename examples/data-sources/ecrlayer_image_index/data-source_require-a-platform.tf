data "ecrlayer_image_index" "multi_arch" {
  image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:1.0"

  lifecycle {
    postcondition {
      condition     = contains(self.platforms, "linux/arm64")
      error_message = "The image has not been built for linux/arm64."
    }
  }
}
