terraform {
  required_version = ">= 1.9"

  required_providers {
    oci = {
      source  = "oracle/oci"
      version = ">= 6.16" # load_balancers of a pool change in place from here on
    }
  }
}
