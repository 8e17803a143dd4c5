# What is open on an EMQX node. Brokers listen on loopback for clients, so none of their client ports is here but as
# the gate's.

locals {
  vcn      = one(data.oci_core_vcns.vcn.virtual_networks)
  lb_ports = var.attach == "mux" ? [8080] : [8080, 1883, 8883, 8083, 8084]
  cluster  = length(var.cluster_cidrs) > 0 ? var.cluster_cidrs : local.vcn.cidr_blocks

  rules = concat(
    [for port in local.lb_ports : { name = "balancer", protocol = "6", port = port, source = var.lb_security_group_id, type = "NETWORK_SECURITY_GROUP" }],
    # Erlang distribution and EMQX's own RPC, between nodes.
    [for port in [4370, 5370] : { name = "brokers", protocol = "6", port = port, source = oci_core_network_security_group.node.id, type = "NETWORK_SECURITY_GROUP" }],
    # Nomad's client API (logs, exec), and Consul's gossip over TCP and UDP.
    flatten([for cidr in local.cluster : [
      { name = "nomad-${cidr}", protocol = "6", port = 4646, source = cidr, type = "CIDR_BLOCK" },
      { name = "consul-${cidr}", protocol = "6", port = 8301, source = cidr, type = "CIDR_BLOCK" },
      { name = "consul-${cidr}", protocol = "17", port = 8301, source = cidr, type = "CIDR_BLOCK" },
    ]]),
    flatten([for cidr in var.admin_cidrs : [
      for port in [22, 8080] : { name = "admin-${cidr}", protocol = "6", port = port, source = cidr, type = "CIDR_BLOCK" }
    ]]),
  )
}

data "oci_core_vcns" "vcn" {
  compartment_id = var.compartment_ocid
  display_name   = var.vcn_name

  lifecycle {
    postcondition {
      condition     = length(self.virtual_networks) == 1
      error_message = "The compartment has ${length(self.virtual_networks)} VCNs with the name \"${var.vcn_name}\" (vcn_name), not one."
    }
  }
}

resource "oci_core_network_security_group" "node" {
  compartment_id = var.compartment_ocid
  vcn_id         = local.vcn.id
  display_name   = "${var.resource_name_root}-node"
}

resource "oci_core_network_security_group_security_rule" "in" {
  for_each = { for rule in local.rules : "${rule.name}:${rule.protocol == "6" ? "tcp" : "udp"}:${rule.port}" => rule }

  network_security_group_id = oci_core_network_security_group.node.id
  direction                 = "INGRESS"
  protocol                  = each.value.protocol
  source                    = each.value.source
  source_type               = each.value.type

  dynamic "tcp_options" {
    for_each = each.value.protocol == "6" ? [each.value.port] : []
    content {
      destination_port_range {
        min = tcp_options.value
        max = tcp_options.value
      }
    }
  }

  dynamic "udp_options" {
    for_each = each.value.protocol == "17" ? [each.value.port] : []
    content {
      destination_port_range {
        min = udp_options.value
        max = udp_options.value
      }
    }
  }
}

# Packages, artifacts, OCI's API, and Nomad's and Consul's servers.
resource "oci_core_network_security_group_security_rule" "out" {
  network_security_group_id = oci_core_network_security_group.node.id
  direction                 = "EGRESS"
  protocol                  = "all"
  destination               = "0.0.0.0/0"
  destination_type          = "CIDR_BLOCK"
}
