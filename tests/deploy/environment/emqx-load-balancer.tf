module "emqx_load_balancer" {
  source               = "../emqx-network-load-balancer"
  lb_security_group_id = module.emqx_lb_security_group.security_group_id
}
