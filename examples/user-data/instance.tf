variable "ami" {
  description = "Image of the instance: any Linux with cloud-init, curl, sha256sum and tar"
  type        = string
}

variable "instance_type" {
  description = "Type of the instance"
  type        = string
  default     = "t4g.small"
}

variable "subnet_id" {
  description = "Subnet of the instance, with a route to S3 or, for a pull-through cache, to the host of the URL"
  type        = string
}

resource "aws_instance" "app" {
  ami           = var.ami
  instance_type = var.instance_type
  subnet_id     = var.subnet_id
  user_data     = local.user_data

  # Anyone who can reach the metadata service can read the URL in the user data.
  metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  lifecycle {
    # The URL in it changes on every read, and is used at the first boot only.
    ignore_changes       = [user_data]
    replace_triggered_by = [terraform_data.layer]
  }
}
