# Terraform 1.11, OpenTofu 1.11 or later. The parameter is written only when the version changes.
resource "aws_ssm_parameter" "settings" {
  name             = "/boot/settings"
  type             = "SecureString"
  value_wo         = ephemeral.ecrlayer_blob.example.content
  value_wo_version = 1
}
