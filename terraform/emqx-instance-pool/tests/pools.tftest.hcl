mock_provider "oci" {
  mock_data "oci_load_balancer_backend_sets" {
    defaults = {
      backendsets = [
        { name = "emqx-mqtt-backend", policy = "LEAST_CONNECTIONS" },
        { name = "emqx-mqtts-backend", policy = "LEAST_CONNECTIONS" },
        { name = "emqx-ws-backend", policy = "LEAST_CONNECTIONS" },
        { name = "emqx-wss-backend", policy = "LEAST_CONNECTIONS" },
      ]
    }
  }
}

variables {
  tenancy_ocid         = "tenancy"
  compartment_ocid     = "compartment"
  oracle_region        = "us-ashburn-1"
  environment          = "prod"
  name                 = "prod-us-ashburn-1-emqx"
  resource_name_root   = "prod-us-ashburn-1-emqx"
  availability_domains = ["AD-1", "AD-2"]
  instance_pool_size   = 3
  instance_pool_name   = "pool"
  instance_config_name = "config"
  shape                = "VM.Standard.E4.Flex"
  ocpus                = 4
  memory_in_gbs        = 16
  disk_in_gbs          = 50
  pool_subnet_ocid     = "subnet"
  security_group_id    = "nsg"
  image_ocid           = "image"
  user_public_key_path = "main.tf" # any file
  load_balancer_id     = "lb"
  lb_backend_set_name  = "emqx-mqtt-backend"
  volumes = [
    { display_name = "prod-us-ashburn-1-emqx-0", availability_domain = "AD-1" },
    { display_name = "prod-us-ashburn-1-emqx-1", availability_domain = "AD-2" },
    { display_name = "prod-us-ashburn-1-emqx-2", availability_domain = "AD-1" },
  ]
}

run "one_attachment_to_the_port_that_takes_all" {
  command = plan

  assert {
    condition     = alltrue([for pool in oci_core_instance_pool.oci_instance_pool : [for at in pool.load_balancers : "${at.backend_set_name}:${at.port}"] == ["emqx-mqtt-backend:8080"]])
    error_message = "mux is emqx-mqtt-backend with 8080, and nothing else"
  }
  assert {
    condition     = [for pool in oci_core_instance_pool.oci_instance_pool : "${pool.size}/${pool.freeform_tags["group-index"]}/${pool.placement_configurations[0].availability_domain}"] == ["1/0/AD-1", "1/1/AD-2", "1/2/AD-1"]
    error_message = "pools of one, numbered, over the availability domains in turn"
  }
}

run "four_attachments_to_the_ports_of_their_sets" {
  command = plan

  variables {
    attach = "ports"
    lb_backend_sets = {
      emqx-mqtt-backend  = 1883
      emqx-mqtts-backend = 8883
      emqx-ws-backend    = 8083
      emqx-wss-backend   = 8084
    }
  }

  assert {
    condition     = toset([for at in oci_core_instance_pool.oci_instance_pool[0].load_balancers : "${at.backend_set_name}:${at.port}"]) == toset(["emqx-mqtt-backend:1883", "emqx-mqtts-backend:8883", "emqx-ws-backend:8083", "emqx-wss-backend:8084"])
    error_message = "each set has the port of its protocol"
  }
}

run "both_ways_for_listeners_of_either_kind" {
  command = plan

  variables {
    attach = "both"
    lb_backend_sets = {
      emqx-mqtt-backend  = 1883
      emqx-mqtts-backend = 8883
      emqx-ws-backend    = 8083
      emqx-wss-backend   = 8084
    }
  }

  assert {
    condition     = toset([for at in oci_core_instance_pool.oci_instance_pool[0].load_balancers : "${at.backend_set_name}:${at.port}"]) == toset(["emqx-mqtt-backend:8080", "emqx-mqtts-backend:8883", "emqx-ws-backend:8083", "emqx-wss-backend:8084"])
    error_message = "8080 takes mqtt and all others; the other sets have the ports of their protocols"
  }
}

run "no_port_but_8080_for_all_protocols" {
  command = plan
  variables {
    lb_backend_port = 1883
  }
  expect_failures = [var.lb_backend_port]
}

run "no_set_without_its_port" {
  command = plan
  variables {
    attach          = "ports"
    lb_backend_sets = { emqx-mqtt-backend = 8080 }
  }
  expect_failures = [var.lb_backend_sets]
}

run "a_set_that_is_not_there" {
  command = plan
  variables {
    lb_backend_set_name = "another"
  }
  expect_failures = [oci_core_instance_pool.oci_instance_pool]
}

run "fewer_volumes_than_nodes" {
  command = plan
  variables {
    instance_pool_size = 4
  }
  expect_failures = [oci_core_instance_configuration.node]
}

run "volumes_elsewhere" {
  command = plan
  variables {
    availability_domains = ["AD-2", "AD-1"]
  }
  expect_failures = [oci_core_instance_configuration.node]
}

run "no_volumes_wanted" {
  command = plan
  variables {
    volumes_enabled    = false
    volumes            = null
    instance_pool_size = 5
  }

  assert {
    condition     = length(oci_core_instance_pool.oci_instance_pool) == 5
    error_message = "five pools"
  }
}
