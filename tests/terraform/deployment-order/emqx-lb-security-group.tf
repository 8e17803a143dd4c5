module "emqx_lb_security_group" {
  source = "../emqx-load-balancer-security-group"

  resource_name_root = "${var.environment}-${var.oracle_region}-emqx"
  vcn_name          = var.vcn_name
  oracle_region     = var.oracle_region
  tenancy_ocid      = var.tenancy_ocid
  compartment_ocid  = var.compartment_ocid
}
