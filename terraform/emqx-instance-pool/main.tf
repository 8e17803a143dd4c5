# N pools of one instance each, so that every node has a number (group-index) that its volume and its data go by, and
# that fewer nodes take away the highest number.

locals {
  attachments = merge(
    var.attach == "mux" ? {} : var.lb_backend_sets,
    var.attach == "ports" ? {} : { (var.lb_backend_set_name) = var.lb_backend_port },
  )

  freeform_tags = [for i in range(var.instance_pool_size) : {
    Name             = var.name
    environment      = var.environment
    environment_type = var.environment_type
    role             = "emqx"
    group-index      = tostring(i)
  }]
  defined_tags = [for tags in local.freeform_tags : var.tag_namespace == "" ? null : {
    for key, value in tags : "${var.tag_namespace}.${key}" => value if key != "Name" && value != ""
  }]

  domains      = [for i in range(var.instance_pool_size) : var.availability_domains[i % length(var.availability_domains)]]
  volume_names = [for i in range(var.instance_pool_size) : "${var.resource_name_root}-${i}"]
  volumes = { for v in concat(
    var.volumes == null ? [] : var.volumes,
    [for v in flatten(data.oci_core_volumes.existing[*].volumes) : { display_name = v.display_name, availability_domain = v.availability_domain }],
  ) : v.display_name => v.availability_domain... }
}

data "oci_core_volumes" "existing" {
  count = var.volumes_enabled && var.volumes == null ? 1 : 0

  compartment_id = var.compartment_ocid
  state          = "AVAILABLE"
}

data "oci_load_balancer_backend_sets" "existing" {
  load_balancer_id = var.load_balancer_id
}

resource "oci_core_instance_configuration" "node" {
  count = var.instance_pool_size

  compartment_id = var.compartment_ocid
  display_name   = "${var.instance_config_name}-${count.index}"
  freeform_tags  = local.freeform_tags[count.index]
  defined_tags   = local.defined_tags[count.index]

  instance_details {
    instance_type = "compute"

    launch_details {
      compartment_id      = var.compartment_ocid
      availability_domain = local.domains[count.index]
      display_name        = "${var.name}-${count.index}"
      shape               = var.shape
      freeform_tags       = local.freeform_tags[count.index]
      defined_tags        = local.defined_tags[count.index]

      shape_config {
        ocpus         = var.ocpus
        memory_in_gbs = var.memory_in_gbs
      }

      create_vnic_details {
        subnet_id        = var.pool_subnet_ocid
        assign_public_ip = false
        nsg_ids          = [var.security_group_id]
      }

      source_details {
        source_type             = "image"
        image_id                = var.image_ocid
        boot_volume_size_in_gbs = tostring(var.disk_in_gbs)
      }

      # Without it anything on the node that can be made to fetch a URL reads the metadata.
      instance_options {
        are_legacy_imds_endpoints_disabled = true
      }

      metadata = {
        ssh_authorized_keys       = file(pathexpand(var.user_public_key_path))
        git_branch                = var.git_branch
        infra_configuration_repo  = var.infra_configuration_repo
        infra_customizations_repo = var.infra_customizations_repo
        user_data = base64encode(templatefile("${path.module}/templates/cloud-init.sh.tftpl", {
          group_index         = count.index
          environment         = var.environment
          region              = var.oracle_region
          compartment         = var.compartment_ocid
          availability_domain = local.domains[count.index]
          volume              = var.volumes_enabled ? local.volume_names[count.index] : ""
          user                = var.user
          status_file         = var.postinstall_status_file
          datacenter          = var.nomad_datacenter
          consul_retry_join   = jsonencode(var.consul_retry_join)
          max_kill_timeout    = var.max_kill_timeout
        }))
      }
    }
  }

  lifecycle {
    create_before_destroy = true

    precondition {
      condition     = !var.volumes_enabled || length(try(local.volumes[local.volume_names[count.index]], [])) > 0
      error_message = "Node ${count.index} has no volume ${local.volume_names[count.index]}. The volumes come first: volume_count = ${var.instance_pool_size} or more, and terraform apply -target=module.emqx_volumes."
    }
    precondition {
      condition     = contains(try(local.volumes[local.volume_names[count.index]], [local.domains[count.index]]), local.domains[count.index])
      error_message = "Volume ${local.volume_names[count.index]} is in ${join(", ", try(local.volumes[local.volume_names[count.index]], []))} and node ${count.index} in ${local.domains[count.index]}: they would never be attached. Give volumes and pools the same availability_domains, in the same order."
    }
  }
}

resource "oci_core_instance_pool" "oci_instance_pool" {
  count = var.instance_pool_size

  compartment_id            = var.compartment_ocid
  instance_configuration_id = oci_core_instance_configuration.node[count.index].id
  display_name              = "${var.instance_pool_name}-${count.index}"
  size                      = 1
  freeform_tags             = local.freeform_tags[count.index]
  defined_tags              = local.defined_tags[count.index]

  placement_configurations {
    availability_domain = local.domains[count.index]

    primary_vnic_subnets {
      subnet_id = var.pool_subnet_ocid
    }
  }

  # port is where the load balancer sends clients; its health check has a port of its own.
  dynamic "load_balancers" {
    for_each = local.attachments
    content {
      load_balancer_id = var.load_balancer_id
      backend_set_name = load_balancers.key
      port             = load_balancers.value
      vnic_selection   = "PrimaryVnic"
    }
  }

  lifecycle {
    precondition {
      condition     = length(setsubtract(keys(local.attachments), data.oci_load_balancer_backend_sets.existing.backendsets[*].name)) == 0
      error_message = "The load balancer has no backend set ${join(", ", setsubtract(keys(local.attachments), data.oci_load_balancer_backend_sets.existing.backendsets[*].name))}. The load balancer comes first: terraform apply -target=module.emqx_load_balancer."
    }
  }
}
