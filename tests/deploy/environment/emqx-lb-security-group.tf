module "emqx_lb_security_group" {
  source             = "../emqx-load-balancer-security-group"
  resource_name_root = "${var.environment}-${var.oracle_region}-emqx"
}
