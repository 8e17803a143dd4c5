output "emqx_load_balancer" {
  value = module.emqx_load_balancer
}
