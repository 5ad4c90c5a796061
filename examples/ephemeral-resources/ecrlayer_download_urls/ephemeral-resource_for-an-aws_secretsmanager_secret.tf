# Terraform 1.11, OpenTofu 1.11 or later. The URLs, which expire, are written only when the version changes.
resource "aws_secretsmanager_secret" "layers" {
  name = "boot/layer-urls"
}

resource "aws_secretsmanager_secret_version" "layers" {
  secret_id                = aws_secretsmanager_secret.layers.id
  secret_string_wo         = jsonencode(values(ephemeral.ecrlayer_download_urls.example.download_urls))
  secret_string_wo_version = 1
}
