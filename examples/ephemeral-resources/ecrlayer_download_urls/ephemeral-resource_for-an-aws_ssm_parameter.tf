# Terraform 1.11, OpenTofu 1.11 or later. The parameter is written only when the version changes.
resource "aws_ssm_parameter" "layers" {
  name             = "/boot/layer-urls"
  type             = "SecureString"
  value_wo         = jsonencode(values(ephemeral.ecrlayer_download_urls.example.download_urls))
  value_wo_version = 1
}
