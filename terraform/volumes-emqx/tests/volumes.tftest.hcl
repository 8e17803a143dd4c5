mock_provider "oci" {
  mock_data "oci_identity_availability_domains" {
    defaults = {
      availability_domains = [{ id = "1", name = "AD-1", compartment_id = "tenancy" }, { id = "2", name = "AD-2", compartment_id = "tenancy" }]
    }
  }
}

variables {
  tenancy_ocid     = "tenancy"
  compartment_ocid = "compartment"
  oracle_region    = "us-ashburn-1"
  environment      = "prod"
  volume_count     = 3
}

run "over_all_availability_domains" {
  command = plan
  assert {
    condition     = oci_core_volume.volume[*].availability_domain == ["AD-1", "AD-2", "AD-1"]
    error_message = "in turn"
  }
}

run "over_the_pools_list" {
  command = plan
  variables {
    availability_domains = ["AD-2"]
  }
  assert {
    condition     = [for v in output.volumes : "${v.display_name} ${v.availability_domain}"] == [for i in range(3) : "prod-us-ashburn-1-emqx-${i} AD-2"]
    error_message = "named by number, where the pools are"
  }
}
