terraform {
  required_providers {
    ecrlayer = {
      source = "ecrlayer/ecrlayer"
    }
  }
}

data "ecrlayer_image_index" "example" {
  image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:1.0"
}

# The layers of every platform, without naming one.
data "ecrlayer_image" "each" {
  for_each = toset(data.ecrlayer_image_index.example.platforms)
  image    = data.ecrlayer_image_index.example.image_uri
  platform = each.key
}

output "layer_digests" {
  value = { for platform, image in data.ecrlayer_image.each : platform => image.layer_digests }
}
