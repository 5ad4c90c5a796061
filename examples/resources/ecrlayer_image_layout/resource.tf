terraform {
  required_providers {
    ecrlayer = {
      source = "ecrlayer/ecrlayer"
    }
  }
}

resource "ecrlayer_image_layout" "example" {
  image     = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:1.0"
  platform  = "linux/amd64"
  directory = "cache/app"
}
