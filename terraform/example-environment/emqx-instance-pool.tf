module "emqx_instance_pool" {
  source = "../emqx-instance-pool"

  environment          = var.environment
  name                 = "${var.environment}-${var.oracle_region}-emqx"
  oracle_region        = var.oracle_region
  availability_domains = var.availability_domains

  instance_pool_size   = 3
  instance_pool_name   = "${var.environment}-${var.oracle_region}-emqx-pool"
  instance_config_name = "${var.environment}-${var.oracle_region}-emqx-config"

  shape         = "VM.Standard.E4.Flex"
  ocpus         = 4
  memory_in_gbs = 16
  disk_in_gbs   = 50

  pool_subnet_ocid  = var.nat_subnet_ocid
  security_group_id = coalesce(var.emqx_security_group_id, module.emqx_node_security_group.security_group_id)
  image_ocid        = var.oracle_image_ocid

  user_public_key_path  = var.user_public_key_path
  user                  = "opc"
  user_private_key_path = var.user_private_key_path

  tenancy_ocid     = var.tenancy_ocid
  compartment_ocid = var.compartment_ocid
  git_branch       = var.git_branch

  infra_configuration_repo  = var.infra_configuration_repo
  infra_customizations_repo = var.infra_customizations_repo

  resource_name_root      = "${var.environment}-${var.oracle_region}-emqx"
  vcn_name                = var.vcn_name
  postinstall_status_file = "/tmp/emqx-postinstall-${var.environment}.log"

  environment_type = var.environment_type
  tag_namespace    = var.tag_namespace

  volumes_enabled = true
  volumes         = module.emqx_volumes.volumes

  consul_retry_join = var.consul_retry_join

  # Load balancer attachment (critical!)
  load_balancer_id    = module.emqx_load_balancer.lb_id
  lb_backend_set_name = module.emqx_load_balancer.mqtt_backend_set_name
  lb_backend_port     = 8080 # with attach = "mux" the port of all traffic, and of health
  attach              = coalesce(var.pool_attach, var.attach)
  lb_backend_sets     = module.emqx_load_balancer.backend_sets
}
