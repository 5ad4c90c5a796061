# Downloads an image from ECR, for two platforms, as OCI image layouts. See README.md.

terraform {
  required_providers {
    ecrlayer = {
      source = "ecrlayer/ecrlayer"
    }
  }
}

variable "image" {
  description = "URI of the image, with a tag or a digest"
  type        = string
}

resource "ecrlayer_image_layout" "app" {
  for_each  = toset(["linux/amd64", "linux/arm64"])
  image     = var.image
  platform  = each.key
  directory = "cache/${replace(each.key, "/", "-")}"
}
