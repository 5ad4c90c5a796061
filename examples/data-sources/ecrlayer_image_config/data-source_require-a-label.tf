data "ecrlayer_image_config" "released" {
  image    = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:1.0"
  platform = "linux/amd64"

  lifecycle {
    postcondition {
      condition     = startswith(lookup(self.labels, "org.opencontainers.image.source", ""), "https://github.com/example/")
      error_message = "The image was not built from a repository of the organization."
    }
  }
}
