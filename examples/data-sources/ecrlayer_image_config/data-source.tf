terraform {
  required_providers {
    ecrlayer = {
      source = "ecrlayer/ecrlayer"
    }
  }
}

data "ecrlayer_image_config" "example" {
  image    = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:1.0"
  platform = "linux/amd64"
}

output "revision" {
  value = lookup(data.ecrlayer_image_config.example.labels, "org.opencontainers.image.revision", "unknown")
}

output "command" {
  value = concat(data.ecrlayer_image_config.example.entrypoint, data.ecrlayer_image_config.example.cmd)
}
