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

# From a diff_id, as docker inspect shows it, to the digest that can be downloaded.
output "layer_digest" {
  value = one(distinct([
    for layer in data.ecrlayer_image_config.example.layers : layer.digest
    if layer.diff_id == "sha256:9d3c2c0a0a5a3c0e5c1d0c2f5c4a0c1d9b8a7f6e5d4c3b2a1908f7e6d5c4b3a2"
  ]))
}
