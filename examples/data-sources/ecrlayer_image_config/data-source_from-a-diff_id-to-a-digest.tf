# docker inspect shows diff_ids. Only a digest can be downloaded.
output "layer_digest" {
  value = one(distinct([
    for layer in data.ecrlayer_image_config.example.layers : layer.digest
    if layer.diff_id == "sha256:9d3c2c0a0a5a3c0e5c1d0c2f5c4a0c1d9b8a7f6e5d4c3b2a1908f7e6d5c4b3a2"
  ]))
}
