terraform {
  required_providers {
    ecrlayer = {
      source  = "ecrlayer/ecrlayer"
      version = "~> 0.1"
    }
  }
}

# Credentials are found as the AWS provider finds them: here, in the environment,
# a shared credentials file, or the instance's role.
provider "ecrlayer" {
  region = "us-east-1"
}
