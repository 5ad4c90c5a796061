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

ephemeral "ecrlayer_download_urls" "example" {
  image    = data.ecrlayer_image.example.image_uri
  platform = "linux/amd64"
}

# Downloads again only when the digests change, although the URLs change on every read.
resource "terraform_data" "layers" {
  triggers_replace = data.ecrlayer_image.example.layer_digests

  provisioner "local-exec" {
    # On standard input, because other users of the machine can read command lines.
    command = "printf '%s\\n' \"$CURL_CONFIG\" | curl --fail --silent --show-error --parallel --config -"
    environment = {
      CURL_CONFIG = join("\n", flatten([
        for digest, url in ephemeral.ecrlayer_download_urls.example.download_urls : [
          "url = \"${url}\"",
          "output = \"${trimprefix(digest, "sha256:")}.tar.gz\"",
        ]
      ]))
    }
  }
}
