# Who reaches the load balancer, and where it may go: its clients' four ports in, the nodes' ports out.

locals {
  client_ports = [1883, 8883, 8083, 8084]
  node_ports   = concat(local.client_ports, [8080])
  vcn          = one(data.oci_core_vcns.vcn.virtual_networks)
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

resource "oci_core_network_security_group" "lb" {
  compartment_id = var.compartment_ocid
  vcn_id         = local.vcn.id
  display_name   = "${var.resource_name_root}-lb"
}

resource "oci_core_network_security_group_security_rule" "clients" {
  for_each = { for pair in setproduct(var.client_cidrs, local.client_ports) : "${pair[0]}:${pair[1]}" => pair }

  network_security_group_id = oci_core_network_security_group.lb.id
  direction                 = "INGRESS"
  protocol                  = "6"
  source                    = each.value[0]
  source_type               = "CIDR_BLOCK"

  tcp_options {
    destination_port_range {
      min = each.value[1]
      max = each.value[1]
    }
  }
}

resource "oci_core_network_security_group_security_rule" "nodes" {
  for_each = { for pair in setproduct(local.vcn.cidr_blocks, local.node_ports) : "${pair[0]}:${pair[1]}" => pair }

  network_security_group_id = oci_core_network_security_group.lb.id
  direction                 = "EGRESS"
  protocol                  = "6"
  destination               = each.value[0]
  destination_type          = "CIDR_BLOCK"

  tcp_options {
    destination_port_range {
      min = each.value[1]
      max = each.value[1]
    }
  }
}
