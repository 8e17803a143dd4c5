variable "tenancy_ocid" {
  type        = string
  description = "Tenancy"
}

variable "compartment_ocid" {
  type        = string
  description = "Compartment of everything"
}

variable "oracle_region" {
  type        = string
  description = "Region, such as us-ashburn-1"
}

variable "environment" {
  type        = string
  description = "Name of the environment, such as prod"
}

variable "environment_type" {
  type        = string
  default     = ""
  description = "Kind of environment, a tag"
}

variable "tag_namespace" {
  type        = string
  default     = ""
  description = "Existing tag namespace; empty: freeform tags only"
}

variable "domain" {
  type        = string
  description = "Existing DNS zone; clients connect to mqtt.<domain>"
}

variable "vcn_name" {
  type        = string
  description = "Display name of the VCN"
}

variable "public_subnet_ocid" {
  type        = string
  description = "Subnet of the load balancer"
}

variable "nat_subnet_ocid" {
  type        = string
  description = "Subnet of the nodes"
}

variable "availability_domains" {
  type        = list(string)
  description = "Availability domains, in the order that nodes and volumes take them"
}

variable "oracle_image_ocid" {
  type        = string
  description = "Image of the nodes"
}

variable "emqx_security_group_id" {
  type        = string
  default     = null
  description = "A network security group for the nodes instead of this environment's own"
}

variable "user_public_key_path" {
  type        = string
  description = "File with the SSH key that the nodes take"
}

variable "user_private_key_path" {
  type        = string
  default     = ""
  description = "Not read"
}

variable "git_branch" {
  type        = string
  default     = ""
  description = "Written to the instances' metadata"
}

variable "infra_configuration_repo" {
  type        = string
  default     = ""
  description = "Written to the instances' metadata"
}

variable "infra_customizations_repo" {
  type        = string
  default     = ""
  description = "Written to the instances' metadata"
}

variable "attach" {
  type        = string
  default     = "mux"
  description = "mux: one backend set with port 8080; ports: four"
}

variable "pool_attach" {
  type        = string
  default     = null
  description = "both: pools are attached in both ways, so that attach can be changed under clients; null: as attach"

  validation {
    condition     = var.pool_attach == null || var.pool_attach == "both" || var.pool_attach == var.attach
    error_message = "pool_attach is \"${coalesce(var.pool_attach, "null")}\" with attach = \"${var.attach}\": the listeners would send clients to ports of another protocol. It is null or \"both\"."
  }
}

variable "admin_cidrs" {
  type        = list(string)
  default     = []
  description = "Who may use SSH and see 8080 of the nodes directly"
}

variable "consul_retry_join" {
  type        = list(string)
  default     = []
  description = "Addresses of Consul servers"
}
