locals {
  layer_digests = [
    "sha256:9d3c2c0a0a5a3c0e5c1d0c2f5c4a0c1d9b8a7f6e5d4c3b2a1908f7e6d5c4b3a2",
    "sha256:0f4c5e8b7a6d9c2e1f3b5a7d8c9e0f1a2b3c4d5e6f708192a3b4c5d6e7f80912",
  ]
}

ephemeral "ecrlayer_download_urls" "example" {
  repository_name = "team/app"
  layer_digests   = local.layer_digests
}

# Fetched again only when the digests change, though the URLs differ at every run.
resource "terraform_data" "layers" {
  triggers_replace = local.layer_digests

  provisioner "local-exec" {
    # curl reads the URLs from its standard input, so that they are in no process list.
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
