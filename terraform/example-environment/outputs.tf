output "emqx_lb_security_group" {
  value = module.emqx_lb_security_group
}

output "emqx_node_security_group" {
  value = module.emqx_node_security_group
}

output "emqx_load_balancer" {
  value = module.emqx_load_balancer
}

output "emqx_volumes" {
  value = module.emqx_volumes
}

output "emqx_instance_pool" {
  value = module.emqx_instance_pool
}
