module "emqx_volumes" {
  source = "../volumes-emqx"

  tenancy_ocid     = var.tenancy_ocid
  compartment_ocid = var.compartment_ocid
  oracle_region    = var.oracle_region
  environment      = var.environment
  tag_namespace    = var.tag_namespace

  volume_count      = 3
  volume_size_in_gbs = 150
}
