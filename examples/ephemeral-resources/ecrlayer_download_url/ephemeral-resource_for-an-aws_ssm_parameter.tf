# Terraform 1.11, OpenTofu 1.11 or later. The parameter is written only when the version changes.
resource "aws_ssm_parameter" "layer" {
  name             = "/boot/layer-url"
  type             = "SecureString"
  value_wo         = ephemeral.ecrlayer_download_url.example.download_url
  value_wo_version = 1
}
