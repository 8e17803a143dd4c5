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
  description = "Existing tag namespace with the keys environment, environment_type and role; empty: freeform tags only"
}

variable "availability_domains" {
  type        = list(string)
  default     = []
  description = "The pools' list, in the same order: volume and instance N are in entry N modulo its length; empty: all of the region, as OCI lists them"
}

variable "volume_count" {
  type        = number
  description = "Number of nodes"

  validation {
    condition     = var.volume_count >= 1 && floor(var.volume_count) == var.volume_count
    error_message = "volume_count is ${var.volume_count}: one volume for each node, at least 1."
  }
}

variable "volume_size_in_gbs" {
  type        = number
  default     = 150
  description = "Size of each volume"

  validation {
    condition     = var.volume_size_in_gbs >= 50 && var.volume_size_in_gbs <= 32768
    error_message = "volume_size_in_gbs is ${var.volume_size_in_gbs}: OCI has 50 to 32768."
  }
}

variable "vpus_per_gb" {
  type        = number
  default     = 10
  description = "Volume performance units: 10 balanced, 20 higher"
}
