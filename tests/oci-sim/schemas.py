"""The provider's resources and data sources that terraform/ uses, as its documentation has them.

An attribute is "R|O|C|OC type [F]": required, optional, computed, or optional and filled in; F: a change makes the
resource anew. Types are Terraform's; a list or set of objects that the provider writes as blocks is a Block.
"""
from dataclasses import dataclass


@dataclass
class Block:
    nesting: str  # list or set
    fields: dict
    least: int = 0
    most: int = 0
    computed: bool = False  # filled in by the cloud, or kept, when the configuration has none
    force: bool = False


def one(fields, required=False, **more):
    return Block("list", fields, 1 if required else 0, 1, **more)


TAGS = {"defined_tags": "OC map(string)", "freeform_tags": "OC map(string)"}
PORTS = one({"destination_port_range": one({"min": "R number", "max": "R number"}),
             "source_port_range": one({"min": "R number", "max": "R number"}, computed=True)})
HEALTH = {"protocol": "R string", "port": "O number", "url_path": "OC string", "interval_ms": "O number",
          "timeout_in_millis": "O number", "retries": "O number", "return_code": "OC number",
          "response_body_regex": "OC string", "is_force_plain_text": "OC bool"}
# The provider's own defaults (30000 ms is its, not the API's).
DEFAULTS = {"oci_load_balancer_backend_set.health_checker": {
    "port": 0, "interval_ms": 30000, "timeout_in_millis": 3000, "retries": 3}}

RESOURCES = {
    "oci_core_network_security_group": {
        "id": "OC string", "compartment_id": "R string", "vcn_id": "R string F", "display_name": "OC string", **TAGS,
        "state": "C string", "time_created": "C string"},
    "oci_core_network_security_group_security_rule": {
        "id": "OC string", "network_security_group_id": "R string F", "direction": "R string", "protocol": "R string",
        "description": "OC string", "source": "O string", "source_type": "OC string", "destination": "OC string",
        "destination_type": "OC string", "stateless": "OC bool", "is_valid": "C bool", "time_created": "C string",
        "tcp_options": PORTS, "udp_options": PORTS},
    "oci_load_balancer_load_balancer": {
        "id": "OC string", "compartment_id": "R string", "display_name": "R string", "shape": "R string",
        "subnet_ids": "R list(string) F", "is_private": "OC bool F", "network_security_group_ids": "O set(string)",
        "is_delete_protection_enabled": "OC bool", **TAGS, "state": "C string", "time_created": "C string",
        "ip_addresses": "C list(string)",
        "ip_address_details": 'C ["list",["object",{"ip_address":"string","is_public":"bool"}]]',
        "shape_details": one({"minimum_bandwidth_in_mbps": "R number", "maximum_bandwidth_in_mbps": "R number"},
                             computed=True),
        "reserved_ips": Block("list", {"id": "OC string"})},
    "oci_load_balancer_backend_set": {
        "id": "OC string", "load_balancer_id": "R string F", "name": "R string F", "policy": "R string",
        "backend_max_connections": "OC number", "state": "C string", "health_checker": one(HEALTH, required=True),
        "backend": 'C ["set",["object",{"ip_address":"string","port":"number","name":"string","drain":"bool"}]]'},
    "oci_load_balancer_listener": {
        "id": "OC string", "load_balancer_id": "R string F", "name": "R string F", "port": "R number",
        "protocol": "R string", "default_backend_set_name": "R string", "state": "C string",
        "connection_configuration": one({
            "idle_timeout_in_seconds": "R string", "backend_tcp_proxy_protocol_version": "O number",
            "backend_tcp_proxy_protocol_options": "OC list(string)"}, computed=True)},
    "oci_dns_rrset": {
        "id": "OC string", "zone_name_or_id": "R string F", "domain": "R string F", "rtype": "R string F",
        "scope": "O string", "view_id": "O string F",
        "items": Block("set", {"domain": "R string", "rtype": "R string", "rdata": "R string", "ttl": "R number",
                               "is_protected": "C bool", "record_hash": "C string", "rrset_version": "C string"},
                       computed=True)},
    "oci_core_volume": {
        "id": "OC string", "compartment_id": "R string", "availability_domain": "R string F", "display_name": "OC string",
        "size_in_gbs": "OC string", "vpus_per_gb": "OC string", "kms_key_id": "OC string", **TAGS, "state": "C string",
        "time_created": "C string"},
    "oci_core_instance_configuration": {
        "id": "OC string", "compartment_id": "R string", "display_name": "OC string", **TAGS, "time_created": "C string",
        "instance_details": one({
            "instance_type": "R string F",
            "launch_details": one({
                "availability_domain": "OC string F", "compartment_id": "OC string F", "display_name": "OC string F",
                "defined_tags": "OC map(string) F", "freeform_tags": "OC map(string) F", "metadata": "OC map(string) F",
                "shape": "OC string F",
                "shape_config": one({"ocpus": "OC number F", "memory_in_gbs": "OC number F"}, computed=True),
                "create_vnic_details": one({"subnet_id": "OC string F", "assign_public_ip": "OC bool F",
                                            "nsg_ids": "OC set(string) F"}, computed=True),
                "instance_options": one({"are_legacy_imds_endpoints_disabled": "OC bool F"}, computed=True),
                "source_details": one({"source_type": "R string F", "image_id": "OC string F",
                                       "boot_volume_size_in_gbs": "OC string F"}, computed=True)}, computed=True)},
            computed=True)},
    "oci_core_instance_pool": {
        "id": "OC string", "compartment_id": "R string", "instance_configuration_id": "R string", "size": "R number",
        "display_name": "OC string", **TAGS, "state": "OC string", "time_created": "C string", "actual_size": "C number",
        "placement_configurations": Block("list", {
            "availability_domain": "R string", "fault_domains": "OC list(string)", "primary_subnet_id": "OC string",
            "primary_vnic_subnets": one({"subnet_id": "R string"}, computed=True)}, 1),
        "load_balancers": Block("set", {"load_balancer_id": "R string", "backend_set_name": "R string",
                                        "port": "R number", "vnic_selection": "R string"})},
}

DATA_SOURCES = {
    "oci_core_vcns": {
        "id": "C string", "compartment_id": "R string", "display_name": "O string", "state": "OC string",
        "virtual_networks": 'C ["list",["object",{"id":"string","display_name":"string","cidr_blocks":["list","string"]}]]'},
    "oci_identity_availability_domains": {
        "id": "C string", "compartment_id": "R string",
        "availability_domains": 'C ["list",["object",{"id":"string","name":"string","compartment_id":"string"}]]'},
    "oci_core_volumes": {
        "id": "C string", "compartment_id": "O string", "display_name": "O string", "state": "OC string",
        "availability_domain": "O string",
        "volumes": 'C ["list",["object",{"id":"string","display_name":"string","availability_domain":"string",'
                   '"state":"string","freeform_tags":["map","string"]}]]'},
    "oci_load_balancer_backend_sets": {
        "id": "C string", "load_balancer_id": "R string",
        "backendsets": 'C ["list",["object",{"name":"string","policy":"string"}]]'},
}

PROVIDER = {"region": "O string", "tenancy_ocid": "O string", "auth": "O string", "config_file_profile": "O string"}
