output "volume_ids" {
  value = oci_core_volume.volume[*].id
}

# What the pools compare with their own list before anything is created.
output "volumes" {
  value = [for volume in oci_core_volume.volume : { display_name = volume.display_name, availability_domain = volume.availability_domain }]
}
