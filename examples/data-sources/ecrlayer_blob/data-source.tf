terraform {
  required_providers {
    ecrlayer = {
      source = "ecrlayer/ecrlayer"
    }
  }
}

# A Helm chart's or another artifact's files are its layers.
data "ecrlayer_image" "example" {
  image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/files:1.0"
}

data "ecrlayer_blob" "example" {
  image  = data.ecrlayer_image.example.image_uri
  digest = data.ecrlayer_image.example.layer_digests[0]
}

output "settings" {
  value = yamldecode(data.ecrlayer_blob.example.content)
}
