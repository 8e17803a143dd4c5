module "emqx_instance_pool" {
  source = "../emqx-instance-pool"

  instance_pool_size   = 3
  load_balancer_id     = module.emqx_load_balancer.lb_id
  lb_backend_set_name  = module.emqx_load_balancer.mqtt_backend_set_name
  lb_backend_port      = 8080  # HAProxy health check port
}
