data "ecrlayer_image" "example" {
  repository_name = "team/app"
  image_tag       = "1.0"
  platform        = "linux/amd64"
}

ephemeral "ecrlayer_download_urls" "example" {
  repository_name = "team/app"
  layer_digests   = data.ecrlayer_image.example.layer_digests
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
