module "emqx_load_balancer" {
  source = "../emqx-network-load-balancer"

  environment           = var.environment
  oracle_region         = var.oracle_region
  resource_name_root    = "${var.environment}-${var.oracle_region}-emqx"

  public_subnet_ocid    = var.public_subnet_ocid
  lb_security_group_id  = module.emqx_lb_security_group.security_group_id

  dns_name              = "mqtt.${var.domain}"
  dns_zone_name         = var.domain
  dns_compartment_ocid  = var.compartment_ocid

  tenancy_ocid      = var.tenancy_ocid
  compartment_ocid  = var.compartment_ocid
  environment_type  = var.environment_type
  tag_namespace     = var.tag_namespace
}
