# Required in every module that calls the function.
terraform {
  required_providers {
    ecrlayer = {
      source = "ecrlayer/ecrlayer"
    }
  }
}

locals {
  # Also accepts the repository_url of an aws_ecr_repository.
  image = provider::ecrlayer::parse_image_uri("123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:1.0")
}

data "ecrlayer_image" "example" {
  registry_id     = local.image.registry_id
  region          = local.image.region
  repository_name = local.image.repository_name
  image_tag       = local.image.image_tag
  image_digest    = local.image.image_digest
  platform        = "linux/amd64"
}

output "layers" {
  value = data.ecrlayer_image.example.layers[*].digest
}
