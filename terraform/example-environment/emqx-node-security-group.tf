module "emqx_node_security_group" {
  source = "../emqx-node-security-group"

  resource_name_root = "${var.environment}-${var.oracle_region}-emqx"
  vcn_name           = var.vcn_name
  oracle_region      = var.oracle_region
  tenancy_ocid       = var.tenancy_ocid
  compartment_ocid   = var.compartment_ocid

  lb_security_group_id = module.emqx_lb_security_group.security_group_id
  attach               = coalesce(var.pool_attach, var.attach)
  admin_cidrs          = var.admin_cidrs
}
