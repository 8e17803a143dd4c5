# A volume for each node: emqx-N's data stays when its instance goes.

locals {
  availability_domains = length(var.availability_domains) > 0 ? var.availability_domains : data.oci_identity_availability_domains.all[0].availability_domains[*].name

  freeform_tags = { environment = var.environment, environment_type = var.environment_type, role = "emqx" }
  defined_tags  = var.tag_namespace == "" ? null : { for key, value in local.freeform_tags : "${var.tag_namespace}.${key}" => value if value != "" }
}

data "oci_identity_availability_domains" "all" {
  count = length(var.availability_domains) > 0 ? 0 : 1

  compartment_id = var.tenancy_ocid
}

resource "oci_core_volume" "volume" {
  count = var.volume_count

  compartment_id      = var.compartment_ocid
  availability_domain = local.availability_domains[count.index % length(local.availability_domains)]
  display_name        = "${var.environment}-${var.oracle_region}-emqx-${count.index}"
  size_in_gbs         = tostring(var.volume_size_in_gbs)
  vpus_per_gb         = tostring(var.vpus_per_gb)
  freeform_tags       = merge(local.freeform_tags, { group-index = tostring(count.index) })
  defined_tags        = local.defined_tags

  # Another order of the list would make volumes anew, without their data. The pools refuse it instead.
  lifecycle {
    ignore_changes = [availability_domain]
  }
}
