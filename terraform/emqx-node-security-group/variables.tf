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

variable "resource_name_root" {
  type        = string
  description = "What names begin with"

  validation {
    condition     = length(var.resource_name_root) > 0
    error_message = "resource_name_root is empty: names begin with it, such as prod-us-ashburn-1-emqx."
  }
}

variable "vcn_name" {
  type        = string
  description = "Display name of the VCN"
}

variable "attach" {
  type        = string
  default     = "mux"
  description = "As the pools': mux: 8080 is open to the load balancer; ports or both: the four ports, too"

  validation {
    condition     = contains(["mux", "ports", "both"], var.attach)
    error_message = "attach is \"mux\" (one backend set, port 8080), \"ports\" (four backend sets) or \"both\", not \"${var.attach}\"."
  }
}

variable "cluster_cidrs" {
  type        = list(string)
  default     = []
  description = "Where Nomad and Consul servers are; empty: the VCN"

  validation {
    condition     = alltrue([for c in var.cluster_cidrs : can(cidrhost(c, 0))])
    error_message = "cluster_cidrs: every entry is a network in CIDR notation, such as 10.0.0.0/16."
  }
}

variable "admin_cidrs" {
  type        = list(string)
  default     = []
  description = "Who may use SSH and look at 8080 directly; empty: nobody"

  validation {
    condition     = alltrue([for c in var.admin_cidrs : can(cidrhost(c, 0))])
    error_message = "admin_cidrs: every entry is a network in CIDR notation, such as 10.0.0.0/16."
  }
}

variable "lb_security_group_id" {
  type        = string
  description = "Network security group of the load balancer"

  validation {
    condition     = length(var.lb_security_group_id) > 0
    error_message = "lb_security_group_id is empty. Phase 1 comes first: terraform apply -target=module.emqx_lb_security_group."
  }
}
