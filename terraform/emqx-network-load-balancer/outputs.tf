# Whoever has the load balancer's id may count on its backend sets.
output "lb_id" {
  value      = oci_load_balancer_load_balancer.lb.id
  depends_on = [oci_load_balancer_listener.listener]
}

output "lb_ip" {
  value = oci_load_balancer_load_balancer.lb.ip_address_details[0].ip_address
}

output "dns_name" {
  value = oci_dns_rrset.name.domain
}

output "attach" {
  value = var.attach
}

output "mqtt_backend_set_name" {
  value = oci_load_balancer_backend_set.set["mqtt"].name
}

output "mqtts_backend_set_name" {
  value = oci_load_balancer_backend_set.set["mqtts"].name
}

output "ws_backend_set_name" {
  value = oci_load_balancer_backend_set.set["ws"].name
}

output "wss_backend_set_name" {
  value = oci_load_balancer_backend_set.set["wss"].name
}

# For attach = "ports": the port of the nodes that each backend set sends its traffic to.
output "backend_sets" {
  value = { for key, port in local.listeners : oci_load_balancer_backend_set.set[key].name => port }
}
