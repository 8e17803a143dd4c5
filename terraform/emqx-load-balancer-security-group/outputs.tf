# Whoever has the group may count on its rules, also when only that is targeted.
output "security_group_id" {
  value = oci_core_network_security_group.lb.id
  depends_on = [
    oci_core_network_security_group_security_rule.clients,
    oci_core_network_security_group_security_rule.nodes,
  ]
}
