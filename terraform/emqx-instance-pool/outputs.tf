output "instance_pool_ids" {
  value = oci_core_instance_pool.oci_instance_pool[*].id
}

output "instance_pool_size" {
  value = var.instance_pool_size
}

output "availability_domains" {
  value = local.domains
}
