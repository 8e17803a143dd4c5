mock_provider "oci" {
  mock_data "oci_core_vcns" {
    defaults = {
      virtual_networks = [{ id = "vcn", display_name = "prod", cidr_blocks = ["10.0.0.0/16"] }]
    }
  }
}

variables {
  tenancy_ocid         = "tenancy"
  compartment_ocid     = "compartment"
  oracle_region        = "us-ashburn-1"
  resource_name_root   = "prod-us-ashburn-1-emqx"
  vcn_name             = "prod"
  lb_security_group_id = "lb-nsg"
}

run "only_what_must_be_open" {
  assert {
    condition = toset(keys(oci_core_network_security_group_security_rule.in)) == toset([
      "balancer:tcp:8080", "brokers:tcp:4370", "brokers:tcp:5370", "nomad-10.0.0.0/16:tcp:4646",
      "consul-10.0.0.0/16:tcp:8301", "consul-10.0.0.0/16:udp:8301",
    ])
    error_message = "mux: 8080 from the balancer, brokers' ports, agents' ports"
  }
}

run "the_four_ports_from_the_balancer_only" {
  variables {
    attach      = "ports"
    admin_cidrs = ["192.0.2.0/24"]
  }
  assert {
    condition     = alltrue([for port in [1883, 8883, 8083, 8084] : oci_core_network_security_group_security_rule.in["balancer:tcp:${port}"].source == "lb-nsg"])
    error_message = "ports: the four ports, from the balancer"
  }
  assert {
    condition     = oci_core_network_security_group_security_rule.in["admin-192.0.2.0/24:tcp:22"].source == "192.0.2.0/24"
    error_message = "SSH from whom it is given to"
  }
}
