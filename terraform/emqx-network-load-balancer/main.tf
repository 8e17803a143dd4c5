# An OCI Load Balancer (the layer-7 product, with TCP listeners; the module has the name that the deployment order
# gives it): four listeners, four backend sets, health from the gate's 8080.

locals {
  listeners = { mqtt = 1883, mqtts = 8883, ws = 8083, wss = 8084 }

  freeform_tags = { environment = var.environment, environment_type = var.environment_type, role = "emqx" }
  defined_tags  = var.tag_namespace == "" ? null : { for key, value in local.freeform_tags : "${var.tag_namespace}.${key}" => value if value != "" }
}

resource "oci_load_balancer_load_balancer" "lb" {
  compartment_id             = var.compartment_ocid
  display_name               = "${var.resource_name_root}-lb"
  shape                      = "flexible"
  subnet_ids                 = [var.public_subnet_ocid]
  is_private                 = var.is_private
  network_security_group_ids = [var.lb_security_group_id]
  freeform_tags              = local.freeform_tags
  defined_tags               = local.defined_tags

  shape_details {
    minimum_bandwidth_in_mbps = var.bandwidth_mbps.minimum
    maximum_bandwidth_in_mbps = var.bandwidth_mbps.maximum
  }
}

# Pools put their instances in; with attach = "mux" into emqx-mqtt-backend only.
resource "oci_load_balancer_backend_set" "set" {
  for_each = local.listeners

  load_balancer_id = oci_load_balancer_load_balancer.lb.id
  name             = "emqx-${each.key}-backend"
  policy           = "LEAST_CONNECTIONS"

  health_checker {
    protocol          = "HTTP"
    port              = 8080
    url_path          = "/haproxy_health"
    return_code       = 200
    interval_ms       = var.health_check.interval_ms
    timeout_in_millis = var.health_check.timeout_ms
    retries           = var.health_check.retries
  }
}

# PROXY v2 tells the gate who the client is, and (mux) which of the four ports it came to.
resource "oci_load_balancer_listener" "listener" {
  for_each = local.listeners

  load_balancer_id         = oci_load_balancer_load_balancer.lb.id
  name                     = "emqx-${each.key}"
  port                     = each.value
  protocol                 = "TCP"
  default_backend_set_name = oci_load_balancer_backend_set.set[var.attach == "mux" ? "mqtt" : each.key].name

  connection_configuration {
    idle_timeout_in_seconds            = tostring(var.idle_timeout_seconds)
    backend_tcp_proxy_protocol_version = 2
  }
}

resource "oci_dns_rrset" "name" {
  zone_name_or_id = var.dns_zone_name
  domain          = var.dns_name
  rtype           = "A"

  items {
    domain = var.dns_name
    rtype  = "A"
    rdata  = oci_load_balancer_load_balancer.lb.ip_address_details[0].ip_address
    ttl    = var.dns_ttl
  }
}
