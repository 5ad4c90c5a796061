terraform {
  required_providers {
    ecrlayer = {
      source = "ecrlayer/ecrlayer"
    }
  }
}

# The files of an artifact are its layers. To read them by its tag also requires ecr:BatchGetImage.
data "ecrlayer_image" "example" {
  image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/files:1.0"
}

ephemeral "ecrlayer_blob" "example" {
  image  = data.ecrlayer_image.example.image_uri
  digest = data.ecrlayer_image.example.layer_digests[0]
}

# Runs again only when the digest changes.
resource "terraform_data" "settings" {
  triggers_replace = data.ecrlayer_image.example.layer_digests[0]

  provisioner "local-exec" {
    command = "printf '%s' \"$SETTINGS\" >settings.yaml"
    environment = {
      SETTINGS = ephemeral.ecrlayer_blob.example.content
    }
  }
}
