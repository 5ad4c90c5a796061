terraform {
  required_providers {
    ecrlayer = {
      source = "ecrlayer/ecrlayer"
    }
  }
}

data "ecrlayer_image" "example" {
  image    = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:1.0"
  platform = "linux/amd64"
}

# Names this image even after the tag moves.
output "image_uri" {
  value = data.ecrlayer_image.example.image_uri
}

output "bytes" {
  value = sum(data.ecrlayer_image.example.layers[*].size)
}

output "layer_digests" {
  value = data.ecrlayer_image.example.layer_digests
}
