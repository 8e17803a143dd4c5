# Whoever has the group may count on its rules, also when only that is targeted.
output "security_group_id" {
  value = oci_core_network_security_group.node.id
  depends_on = [
    oci_core_network_security_group_security_rule.in,
    oci_core_network_security_group_security_rule.out,
  ]
}
