mock_provider "oci" {
  mock_resource "oci_load_balancer_load_balancer" {
    defaults = {
      ip_address_details = [{ ip_address = "192.0.2.1", is_public = true }]
    }
  }
}

variables {
  tenancy_ocid         = "tenancy"
  compartment_ocid     = "compartment"
  oracle_region        = "us-ashburn-1"
  environment          = "prod"
  resource_name_root   = "prod-us-ashburn-1-emqx"
  public_subnet_ocid   = "subnet"
  lb_security_group_id = "nsg"
  dns_name             = "mqtt.example.com"
  dns_zone_name        = "example.com"
}

run "all_listeners_on_one_set" {
  assert {
    condition     = { for key, l in oci_load_balancer_listener.listener : l.port => l.default_backend_set_name... } == { for port in [1883, 8883, 8083, 8084] : port => ["emqx-mqtt-backend"] }
    error_message = "mux: all four go to emqx-mqtt-backend"
  }
  assert {
    condition     = alltrue([for l in oci_load_balancer_listener.listener : l.connection_configuration[0].backend_tcp_proxy_protocol_version == 2 && l.connection_configuration[0].idle_timeout_in_seconds == "7200"])
    error_message = "PROXY v2, and an idle timeout above any keep-alive"
  }
  assert {
    condition     = alltrue([for s in oci_load_balancer_backend_set.set : s.policy == "LEAST_CONNECTIONS" && s.health_checker[0].port == 8080 && s.health_checker[0].url_path == "/haproxy_health" && s.health_checker[0].interval_ms == 10000])
    error_message = "health on 8080"
  }
  assert {
    condition     = one(oci_dns_rrset.name.items).rdata == output.lb_ip
    error_message = "the name has the balancer's address"
  }
}

run "each_listener_on_its_set" {
  variables {
    attach = "ports"
  }
  assert {
    condition     = alltrue([for key, l in oci_load_balancer_listener.listener : output.backend_sets[l.default_backend_set_name] == l.port])
    error_message = "ports: each set serves its listener's port"
  }
}

run "defined_tags_in_their_namespace" {
  command = plan
  variables {
    tag_namespace = "ops"
  }
  assert {
    condition     = oci_load_balancer_load_balancer.lb.defined_tags == tomap({ "ops.environment" = "prod", "ops.role" = "emqx" })
    error_message = "defined tags are in the namespace, without empty ones"
  }
}
