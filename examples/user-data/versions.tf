terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
    ecrlayer = {
      source = "ecrlayer/ecrlayer"
    }
  }
}

provider "aws" {
  region = var.region
}
