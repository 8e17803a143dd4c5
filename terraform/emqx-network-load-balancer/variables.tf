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

variable "resource_name_root" {
  type        = string
  description = "What names begin with"

  validation {
    condition     = length(var.resource_name_root) > 0
    error_message = "resource_name_root is empty: names begin with it, such as prod-us-ashburn-1-emqx."
  }
}

variable "attach" {
  type        = string
  default     = "mux"
  description = "mux: one backend set and port 8080 for all listeners; ports: a backend set and a port for each"

  validation {
    condition     = contains(["mux", "ports"], var.attach)
    error_message = "attach is \"mux\" (one backend set, port 8080) or \"ports\" (four backend sets), not \"${var.attach}\"."
  }
}

variable "public_subnet_ocid" {
  type        = string
  description = "Subnet of the load balancer"
}

variable "lb_security_group_id" {
  type        = string
  description = "Network security group of the load balancer"

  validation {
    condition     = length(var.lb_security_group_id) > 0
    error_message = "lb_security_group_id is empty. Phase 1 comes first: terraform apply -target=module.emqx_lb_security_group."
  }
}

variable "dns_name" {
  type        = string
  description = "Name that clients connect to"

  validation {
    condition     = endswith(var.dns_name, ".${var.dns_zone_name}")
    error_message = "dns_name \"${var.dns_name}\" is not in the zone \"${var.dns_zone_name}\" (dns_zone_name)."
  }
}

variable "dns_zone_name" {
  type        = string
  description = "Existing zone of dns_name"
}

variable "dns_compartment_ocid" {
  type        = string
  default     = null
  description = "Where the zone is: the record is made in it by the zone's name, which is unique in the tenancy, so that nothing more is needed"
}

variable "dns_ttl" {
  type        = number
  default     = 60
  description = "Seconds"

  validation {
    condition     = var.dns_ttl >= 30
    error_message = "dns_ttl is ${var.dns_ttl}: OCI discourages less than 30 seconds."
  }
}

variable "is_private" {
  type        = bool
  default     = false
  description = "Whether the load balancer has a private address only"
}

variable "bandwidth_mbps" {
  type        = object({ minimum = number, maximum = number })
  default     = { minimum = 100, maximum = 1000 }
  description = "Bandwidth of the flexible shape"

  validation {
    condition     = 10 <= var.bandwidth_mbps.minimum && var.bandwidth_mbps.minimum <= var.bandwidth_mbps.maximum && var.bandwidth_mbps.maximum <= 8000
    error_message = "bandwidth_mbps: 10 <= minimum <= maximum <= 8000."
  }
}

variable "idle_timeout_seconds" {
  type        = number
  default     = 7200
  description = "A connection without a packet for this long is closed; above 1.5 times the clients' keep-alive"

  validation {
    condition     = 300 <= var.idle_timeout_seconds && var.idle_timeout_seconds <= 7200
    error_message = "idle_timeout_seconds is ${var.idle_timeout_seconds}: OCI's most is 7200, and under 300 idle MQTT clients are cut off."
  }
}

variable "health_check" {
  type        = object({ interval_ms = number, timeout_ms = number, retries = number })
  default     = { interval_ms = 10000, timeout_ms = 3000, retries = 3 }
  description = "A node leaves or comes back after about interval_ms times retries"

  validation {
    condition     = var.health_check.timeout_ms < var.health_check.interval_ms && 1 <= var.health_check.retries && var.health_check.retries <= 10
    error_message = "health_check: timeout_ms is less than interval_ms, and retries are 1 to 10."
  }
}
