variable "tenancy_ocid" {
  type        = string
  description = "Tenancy"
}

variable "compartment_ocid" {
  type        = string
  description = "Compartment of everything that is made here"

  validation {
    condition     = length(var.compartment_ocid) > 0
    error_message = "compartment_ocid is empty: give the OCID of the compartment."
  }
}

variable "oracle_region" {
  type        = string
  description = "Region, such as us-ashburn-1"

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+-[0-9]+$", var.oracle_region))
    error_message = "oracle_region \"${var.oracle_region}\" is not the name of a region, such as us-ashburn-1."
  }
}

variable "environment" {
  type        = string
  description = "Name of the environment, such as prod"

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]*$", var.environment))
    error_message = "environment \"${var.environment}\": lower-case letters, digits and hyphens."
  }
}

variable "environment_type" {
  type        = string
  default     = ""
  description = "Kind of environment, a tag"
}

variable "tag_namespace" {
  type        = string
  default     = ""
  description = "Existing tag namespace with the keys environment, environment_type, role and group-index; empty: freeform tags only"
}

variable "name" {
  type        = string
  description = "Tag name of the nodes"
}

variable "resource_name_root" {
  type        = string
  description = "What the volumes' names begin with"
}

variable "vcn_name" {
  type        = string
  default     = ""
  description = "Taken because the deployment order gives it; pool_subnet_ocid says the same more exactly"
}

variable "availability_domains" {
  type        = list(string)
  description = "Instance N is in entry N modulo the length; the same list, in the same order, as the volumes'"

  validation {
    condition     = length(var.availability_domains) > 0 && length(distinct(var.availability_domains)) == length(var.availability_domains)
    error_message = "availability_domains has no entry, or one twice: give each availability domain once."
  }
}

variable "instance_pool_size" {
  type        = number
  description = "Number of nodes; each has a pool of its own"

  validation {
    condition     = var.instance_pool_size >= 0 && floor(var.instance_pool_size) == var.instance_pool_size
    error_message = "instance_pool_size is ${var.instance_pool_size}: a whole number of nodes."
  }
}

variable "instance_pool_name" {
  type        = string
  description = "Pool N is called so with -N at the end"
}

variable "instance_config_name" {
  type        = string
  description = "Instance configuration N is called so with -N at the end"
}

variable "shape" {
  type        = string
  description = "A flexible shape, such as VM.Standard.E4.Flex or VM.Standard.A1.Flex"

  validation {
    condition     = endswith(var.shape, ".Flex")
    error_message = "shape \"${var.shape}\" is not flexible, and ocpus and memory_in_gbs would mean nothing: give one such as VM.Standard.E4.Flex."
  }
}

variable "ocpus" {
  type        = number
  description = "OCPUs of each node"
}

variable "memory_in_gbs" {
  type        = number
  description = "Memory of each node"

  validation {
    condition     = var.memory_in_gbs >= var.ocpus
    error_message = "memory_in_gbs is ${var.memory_in_gbs} with ${var.ocpus} ocpus: flexible shapes have at least 1 GB for each."
  }
}

variable "disk_in_gbs" {
  type        = number
  description = "Boot volume of each node"

  validation {
    condition     = var.disk_in_gbs >= 50
    error_message = "disk_in_gbs is ${var.disk_in_gbs}: a boot volume has at least 50."
  }
}

variable "pool_subnet_ocid" {
  type        = string
  description = "Subnet of the nodes"
}

variable "security_group_id" {
  type        = string
  description = "Network security group of the nodes"

  validation {
    condition     = try(length(var.security_group_id), 0) > 0
    error_message = "security_group_id is empty: no port of the nodes would be open. Run terraform apply -target=module.emqx_node_security_group and give its security_group_id (root variable emqx_security_group_id)."
  }
}

variable "image_ocid" {
  type        = string
  description = "Oracle Linux image with Nomad, Consul and Docker on it"
}

variable "user" {
  type        = string
  default     = "opc"
  description = "The image's own user: opc on Oracle Linux, ubuntu on Ubuntu"
}

variable "user_public_key_path" {
  type        = string
  description = "File with the SSH key that the user takes"

  validation {
    condition     = fileexists(pathexpand(var.user_public_key_path))
    error_message = "user_public_key_path: there is no file \"${var.user_public_key_path}\"."
  }
}

variable "user_private_key_path" {
  type        = string
  default     = ""
  description = "Taken because the deployment order gives it; nothing here logs in, and the key is not read"
}

variable "git_branch" {
  type        = string
  default     = ""
  description = "Written to the instances' metadata, to tell what they were made from"
}

variable "infra_configuration_repo" {
  type        = string
  default     = ""
  description = "As git_branch; cloud-init needs no other repository"
}

variable "infra_customizations_repo" {
  type        = string
  default     = ""
  description = "As git_branch"
}

variable "postinstall_status_file" {
  type        = string
  default     = "/var/log/emqx-postinstall.log"
  description = "Where cloud-init says, on the node, how far it is"

  validation {
    condition     = can(regex("^/[A-Za-z0-9._/-]+$", var.postinstall_status_file))
    error_message = "postinstall_status_file \"${var.postinstall_status_file}\" is not an absolute path of letters, digits, dots, hyphens and underscores."
  }
}

variable "volumes_enabled" {
  type        = bool
  default     = true
  description = "Whether each node has a volume of module volumes-emqx for its data; else it is on the boot volume"
}

variable "volumes" {
  type        = list(object({ display_name = string, availability_domain = string }))
  default     = null
  description = "Output volumes of module volumes-emqx; null: they are looked up by name"
}

variable "load_balancer_id" {
  type        = string
  description = "Output lb_id of the load balancer's module"

  validation {
    condition     = try(length(var.load_balancer_id), 0) > 0
    error_message = "load_balancer_id is empty. The load balancer comes first: terraform apply -target=module.emqx_load_balancer."
  }
}

variable "attach" {
  type        = string
  default     = "mux"
  description = "mux: one backend set and port 8080 for all listeners; ports: a backend set and a port for each; as in the load balancer's module. both: all four sets, 8080 in that of mqtt, which serves listeners of either kind"

  validation {
    condition     = contains(["mux", "ports", "both"], var.attach)
    error_message = "attach is \"mux\" (one backend set, port 8080), \"ports\" (four backend sets) or \"both\", not \"${var.attach}\"."
  }
}

variable "lb_backend_set_name" {
  type        = string
  default     = ""
  description = "attach = \"mux\" or \"both\": output mqtt_backend_set_name of the load balancer's module"

  validation {
    condition     = var.attach == "ports" || length(var.lb_backend_set_name) > 0
    error_message = "lb_backend_set_name is empty. The load balancer comes first: terraform apply -target=module.emqx_load_balancer."
  }
}

variable "lb_backend_port" {
  type        = number
  default     = 8080
  description = "attach = \"mux\" or \"both\": where the nodes take traffic of all four listeners, which is also where they tell their health"

  validation {
    condition     = var.lb_backend_port == 8080
    error_message = "lb_backend_port is ${var.lb_backend_port}: it is the port that traffic goes to, and with attach = \"mux\" only 8080 takes all four protocols. For a port each use attach = \"ports\"."
  }
}

variable "lb_backend_sets" {
  type        = map(number)
  default     = {}
  description = "attach = \"ports\" or \"both\": output backend_sets of the load balancer's module"

  validation {
    condition     = var.attach == "mux" || (length(var.lb_backend_sets) == 4 && toset(values(var.lb_backend_sets)) == toset([1883, 8883, 8083, 8084]))
    error_message = "lb_backend_sets: attach = \"${var.attach}\" needs four backend sets with ports 1883, 8883, 8083 and 8084: give module.emqx_load_balancer.backend_sets."
  }
}

variable "nomad_datacenter" {
  type        = string
  default     = "dc1"
  description = "Datacenter of the Nomad and Consul agents"
}

variable "consul_retry_join" {
  type        = list(string)
  default     = []
  description = "Addresses of Consul servers; Nomad finds its servers through Consul. Empty: the image's own configuration of Consul stands"
}

variable "max_kill_timeout" {
  type        = string
  default     = "15m"
  description = "Most that a Nomad job may take to stop: more than the gate's drain"

  validation {
    condition     = can(regex("^[1-9][0-9]*[smh]$", var.max_kill_timeout))
    error_message = "max_kill_timeout \"${var.max_kill_timeout}\": a number and s, m or h, such as 15m."
  }
}
