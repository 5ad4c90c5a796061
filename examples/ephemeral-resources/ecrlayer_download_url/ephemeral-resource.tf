terraform {
  required_providers {
    ecrlayer = {
      source = "ecrlayer/ecrlayer"
    }
  }
}

ephemeral "ecrlayer_download_url" "example" {
  image        = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app"
  layer_digest = "sha256:9d3c2c0a0a5a3c0e5c1d0c2f5c4a0c1d9b8a7f6e5d4c3b2a1908f7e6d5c4b3a2"
}

# Downloads again only when the digest changes, although the URL changes on every read.
resource "terraform_data" "layer" {
  triggers_replace = "sha256:9d3c2c0a0a5a3c0e5c1d0c2f5c4a0c1d9b8a7f6e5d4c3b2a1908f7e6d5c4b3a2"

  provisioner "local-exec" {
    # On standard input, because other users of the machine can read command lines.
    command = "printf 'url = \"%s\"' \"$URL\" | curl --config - --fail --silent --show-error --output layer.tar.gz"
    environment = {
      URL = ephemeral.ecrlayer_download_url.example.download_url
    }
  }
}
