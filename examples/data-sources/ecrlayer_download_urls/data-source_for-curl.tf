# terraform output -raw curl | curl --fail --silent --show-error --parallel --config -
output "curl" {
  value = join("\n", flatten([
    for digest, url in data.ecrlayer_download_urls.example.download_urls : [
      "url = \"${url}\"",
      "output = \"${trimprefix(digest, "sha256:")}.tar.gz\"",
    ]
  ]))
  sensitive = true
}
