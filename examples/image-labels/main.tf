# The labels of an image. They are in its config, which no ECR API returns.

terraform {
  required_providers {
    ecrlayer = {
      source = "ecrlayer/ecrlayer"
    }
  }
}

provider "ecrlayer" {
  region = var.region
}

variable "region" {
  description = "AWS region of the registry"
  type        = string
}

variable "repository_name" {
  description = "Name of the repository"
  type        = string
}

variable "image_tag" {
  description = "Tag of the image"
  type        = string
}

variable "platform" {
  description = "Platform of the image, such as linux/arm64. Required if the tag is for several"
  type        = string
  default     = null
}

data "ecrlayer_image_config" "app" {
  repository_name = var.repository_name
  image_tag       = var.image_tag
  platform        = var.platform
}

output "labels" {
  description = "Labels of the image"
  value       = data.ecrlayer_image_config.app.labels
}

output "revision" {
  description = "Commit that the image was built from, null without such a label"
  value       = lookup(data.ecrlayer_image_config.app.labels, "org.opencontainers.image.revision", null)
}
