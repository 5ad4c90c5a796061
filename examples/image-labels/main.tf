# The labels of an image. They are in its config, which no ECR API returns.

terraform {
  required_providers {
    ecrlayer = {
      source = "ecrlayer/ecrlayer"
    }
  }
}

# Credentials come from where the AWS provider finds them, such as the environment.
provider "ecrlayer" {}

variable "image" {
  description = "URI of the image, <account>.dkr.ecr.<region>.amazonaws.com/<repository>:<tag>"
  type        = string
}

variable "platform" {
  description = "Platform of the image, such as linux/arm64. Required if the tag is for several"
  type        = string
  default     = null
}

data "ecrlayer_image_config" "app" {
  image    = var.image
  platform = var.platform
}

output "labels" {
  description = "Labels of the image"
  value       = data.ecrlayer_image_config.app.labels
}

output "revision" {
  description = "Commit that the image was built from, null without such a label"
  value       = lookup(data.ecrlayer_image_config.app.labels, "org.opencontainers.image.revision", null)
}
