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

variable "client_cidrs" {
  type        = list(string)
  default     = ["0.0.0.0/0"]
  description = "Who may reach the load balancer"

  validation {
    condition     = alltrue([for c in var.client_cidrs : can(cidrhost(c, 0))])
    error_message = "client_cidrs: every entry is a network in CIDR notation, such as 10.0.0.0/16."
  }
}

