"""The cloud that the simulator keeps, in one JSON file, and what it refuses. Its refusals are OCI's, by its status
codes; they are found here when a change is applied, as OCI finds them, and not when it is planned."""
import contextlib
import fcntl
import hashlib
import json
import os
import time


class Refused(Exception):
    pass


def refuse(code, why):
    raise Refused(f"{code}, {why}")


class Cloud:
    """Objects by id; each has "kind" and what Terraform knows of it. Held under a lock while it is open. "paths" is where
    each listener's clients could go, after every change that there was."""

    def __init__(self, path):
        self.path = path

    @contextlib.contextmanager
    def open(self):
        with open(self.path + ".lock", "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with open(self.path, encoding="utf-8") as file:
                self.all = json.load(file)
            yield self
            self.note()
            with open(self.path + ".new", "w", encoding="utf-8") as file:
                json.dump(self.all, file, indent=1)
            os.replace(self.path + ".new", self.path)

    @property
    def objects(self):
        return self.all["objects"]

    def note(self):
        now = {str(int(at["port"])): [b["name"] for s in self.of("oci_load_balancer_backend_set", name=at["default_backend_set_name"],
                                                                 load_balancer_id=at["load_balancer_id"]) for b in s["backend"]]
               for at in self.of("oci_load_balancer_listener")}
        paths = self.all.setdefault("paths", [])
        if paths[-1:] != [now]:
            paths.append(now)

    def of(self, kind, **having):
        return [o for o in self.objects.values()
                if o["kind"] == kind and all(o.get(k) == v for k, v in having.items() if v is not None)]

    def need(self, kind, ident, what):
        found = self.objects.get(ident)
        if found is None or found["kind"] != kind:
            refuse("404-NotAuthorizedOrNotFound", f"{what} {ident!r} not found")
        return found

    def number(self):
        self.all["serial"] += 1
        return self.all["serial"]

    def create(self, kind, new):
        CHECKS[kind](self, new, None)
        number = self.number()
        new["id"] = IDS[kind](new) if kind in IDS else f"sim.{kind.removeprefix('oci_')}.{number}"
        if new["id"] in self.objects:
            refuse("409-Conflict", f"{kind} {new['id']} already exists")
        for name, value in filled(kind, new, number).items():
            if new.get(name) is None:
                new[name] = value
        self.objects[new["id"]] = {**new, "kind": kind}
        after(self, kind, self.objects[new["id"]])

    def update(self, kind, new, old):
        self.need(kind, old["id"], kind)
        CHECKS[kind](self, new, old)
        if kind == "oci_core_instance_pool":  # the provider detaches first
            self.objects[old["id"]]["load_balancers"] = [at for at in old["load_balancers"] or [] if at in (new["load_balancers"] or [])]
            register(self)
            self.note()
        self.objects[old["id"]] = {**new, "kind": kind}
        after(self, kind, self.objects[old["id"]])

    def delete(self, kind, ident):
        found = self.objects.get(ident)
        if found is None:
            return
        for user, why in users(self, kind, found):
            refuse("409-Conflict", f"{kind} {found.get('name') or ident} is still used: {why} {user}")
        if kind == "oci_load_balancer_load_balancer":
            for child in self.of("oci_load_balancer_listener", load_balancer_id=ident) + \
                    self.of("oci_load_balancer_backend_set", load_balancer_id=ident):
                del self.objects[child["id"]]
        del self.objects[ident]
        if kind == "oci_core_instance_pool":
            for instance in [i for i in self.objects.values() if i.get("pool") == ident]:
                del self.objects[instance["id"]]
            register(self)


def address(number):
    return f"10.0.{number // 250}.{number % 250 + 1}"


def filled(kind, new, number):
    """What the cloud fills in on creation."""
    made = {"state": "ACTIVE" if "load_balancer" in kind else "AVAILABLE", "defined_tags": {}, "freeform_tags": {},
            "time_created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1700000000 + number)),
            "display_name": f"{kind}{number}"}
    if kind == "oci_load_balancer_load_balancer":
        ip = f"192.0.2.{number % 250 + 1}"
        made |= {"ip_addresses": [ip], "is_private": False, "is_delete_protection_enabled": False,
                 "ip_address_details": [{"ip_address": ip, "is_public": not new.get("is_private")}]}
    elif kind == "oci_core_instance_pool":
        made |= {"state": "RUNNING", "actual_size": new["size"]}
    elif kind == "oci_core_network_security_group_security_rule":
        made |= {"is_valid": True, "stateless": False}
    elif kind == "oci_load_balancer_backend_set":
        made |= {"backend": [], "backend_max_connections": 0}
    return {name: value for name, value in made.items() if name in new}


def after(cloud, kind, obj):
    """Instances follow their pool, backends their instances."""
    if kind == "oci_core_instance_pool":
        obj["actual_size"] = obj["size"]
        mine = [i for i in cloud.objects.values() if i.get("pool") == obj["id"]]
        for instance in mine[int(obj["size"]):]:
            del cloud.objects[instance["id"]]
        for _ in range(int(obj["size"]) - len(mine)):
            number = cloud.number()
            cloud.objects[f"sim.instance.{number}"] = {
                "kind": "instance", "id": f"sim.instance.{number}", "pool": obj["id"], "ip": address(number),
                "availability_domain": obj["placement_configurations"][0]["availability_domain"]}
        register(cloud)


def register(cloud):
    for backends in cloud.of("oci_load_balancer_backend_set"):
        drains = {b["name"] for b in backends["backend"] if b["drain"]}
        backends["backend"] = [
            {"ip_address": i["ip"], "port": at["port"], "name": f"{i['ip']}:{int(at['port'])}",
             "drain": f"{i['ip']}:{int(at['port'])}" in drains}
            for pool in cloud.of("oci_core_instance_pool") for at in pool["load_balancers"] or []
            if (at["load_balancer_id"], at["backend_set_name"]) == (backends["load_balancer_id"], backends["name"])
            for i in cloud.of("instance", pool=pool["id"])]


def users(cloud, kind, obj):
    """Who would be left with nothing if this went."""
    pools = cloud.of("oci_core_instance_pool")
    if kind == "oci_load_balancer_backend_set":
        for x in cloud.of("oci_load_balancer_listener", load_balancer_id=obj["load_balancer_id"],
                          default_backend_set_name=obj["name"]):
            yield x["name"], "listener"
        for pool in pools:
            if any((a["load_balancer_id"], a["backend_set_name"]) == (obj["load_balancer_id"], obj["name"])
                   for a in pool["load_balancers"] or []):
                yield pool["display_name"], "instance pool"
    elif kind == "oci_load_balancer_load_balancer":
        for pool in pools:
            if any(a["load_balancer_id"] == obj["id"] for a in pool["load_balancers"] or []):
                yield pool["display_name"], "instance pool"
    elif kind == "oci_core_instance_configuration":
        for pool in pools:
            if pool["instance_configuration_id"] == obj["id"]:
                yield pool["display_name"], "instance pool"
    elif kind == "oci_core_volume":  # instances attach it themselves, by number
        for pool in pools:
            if pool["freeform_tags"].get("group-index") == obj["freeform_tags"].get("group-index") is not None and \
                    pool["placement_configurations"][0]["availability_domain"] == obj["availability_domain"]:
                yield pool["display_name"], "an instance of"
    elif kind == "oci_core_network_security_group":
        for lb in cloud.of("oci_load_balancer_load_balancer"):
            if obj["id"] in (lb["network_security_group_ids"] or []):
                yield lb["display_name"], "load balancer"
        for conf in cloud.of("oci_core_instance_configuration"):
            vnic = conf["instance_details"][0]["launch_details"][0]["create_vnic_details"][0]
            if obj["id"] in (vnic["nsg_ids"] or []) and cloud.of("oci_core_instance_pool",
                                                                instance_configuration_id=conf["id"]):
                yield conf["display_name"], "VNICs of"


def check_nsg(cloud, new, _old):
    cloud.need("vcn", new["vcn_id"], "VCN")


def check_tags(cloud, new):
    for key in new.get("defined_tags") or {}:
        if key.split(".")[0] not in cloud.all["tag_namespaces"]:
            refuse("400-InvalidParameter", f"tag namespace {key.split('.')[0]} does not exist")


def check_rule(cloud, new, _old):
    cloud.need("oci_core_network_security_group", new["network_security_group_id"], "network security group")
    if new["direction"] not in ("INGRESS", "EGRESS"):
        refuse("400-InvalidParameter", f"direction {new['direction']}")
    end = "source" if new["direction"] == "INGRESS" else "destination"
    if not new[end] or not new[end + "_type"]:
        refuse("400-InvalidParameter", f"an {new['direction']} rule needs {end} and {end}_type")
    if new[end + "_type"] == "NETWORK_SECURITY_GROUP":
        cloud.need("oci_core_network_security_group", new[end], f"rule's {end}")
    for options in ("tcp_options", "udp_options"):
        if new[options] and new["protocol"] != {"tcp_options": "6", "udp_options": "17"}[options]:
            refuse("400-InvalidParameter", f"{options} with protocol {new['protocol']}")


def check_lb(cloud, new, _old):
    check_tags(cloud, new)
    for subnet in new["subnet_ids"]:
        cloud.need("subnet", subnet, "subnet")
    for nsg in new["network_security_group_ids"] or []:
        cloud.need("oci_core_network_security_group", nsg, "network security group")
    if new["shape"] == "flexible" and not new["shape_details"]:
        refuse("400-InvalidParameter", "shape flexible needs shape_details")


def check_backend_set(cloud, new, _old):
    cloud.need("oci_load_balancer_load_balancer", new["load_balancer_id"], "load balancer")
    if new["policy"] not in ("ROUND_ROBIN", "LEAST_CONNECTIONS", "IP_HASH"):
        refuse("400-InvalidParameter", f"policy {new['policy']}")
    if new["health_checker"][0]["protocol"] not in ("HTTP", "TCP"):
        refuse("400-InvalidParameter", "a health check is HTTP or TCP")
    limit = new["backend_max_connections"]
    if limit and not 256 <= limit <= 65535:
        refuse("400-InvalidParameter", f"backend_max_connections {limit}")


def check_listener(cloud, new, old):
    cloud.need("oci_load_balancer_load_balancer", new["load_balancer_id"], "load balancer")
    if not cloud.of("oci_load_balancer_backend_set", load_balancer_id=new["load_balancer_id"],
                    name=new["default_backend_set_name"]):
        refuse("400-InvalidParameter", f"backend set {new['default_backend_set_name']} does not exist")
    for other in cloud.of("oci_load_balancer_listener", load_balancer_id=new["load_balancer_id"], port=new["port"]):
        if old is None or other["id"] != old["id"]:
            refuse("409-Conflict", f"listener {other['name']} has port {int(new['port'])} already")
    for conf in new["connection_configuration"] or []:
        if not 1 <= int(conf["idle_timeout_in_seconds"]) <= 7200:
            refuse("400-InvalidParameter", "idle_timeout_in_seconds is 1 to 7200")
        if new["protocol"] == "TCP" and conf["backend_tcp_proxy_protocol_version"] not in (None, 0, 1, 2):
            refuse("400-InvalidParameter", "backend_tcp_proxy_protocol_version is 1 or 2")


def check_rrset(cloud, new, _old):
    if new["zone_name_or_id"] not in cloud.all["zones"]:
        refuse("404-NotAuthorizedOrNotFound", f"zone {new['zone_name_or_id']} not found")
    if not new["domain"].endswith(new["zone_name_or_id"]):
        refuse("400-InvalidParameter", f"{new['domain']} is not in zone {new['zone_name_or_id']}")


def check_volume(cloud, new, old):
    check_tags(cloud, new)
    if new["availability_domain"] not in cloud.all["availability_domains"]:
        refuse("400-InvalidParameter", f"availability domain {new['availability_domain']} does not exist")
    if not 50 <= int(new["size_in_gbs"]) <= 32768:
        refuse("400-InvalidParameter", "a volume has 50 to 32768 GB")
    if old and int(new["size_in_gbs"]) < int(old["size_in_gbs"]):
        refuse("400-InvalidParameter", "a volume cannot shrink")


def check_configuration(cloud, new, _old):
    check_tags(cloud, new)
    launch = new["instance_details"][0]["launch_details"][0]
    vnic = launch["create_vnic_details"][0]
    cloud.need("subnet", vnic["subnet_id"], "subnet")
    for nsg in vnic["nsg_ids"] or []:
        cloud.need("oci_core_network_security_group", nsg, "network security group")
    cloud.need("image", launch["source_details"][0]["image_id"], "image")
    size = sum(len(k) + len(v) for k, v in (launch["metadata"] or {}).items())
    if size > 32000:
        refuse("400-InvalidParameter", f"metadata of {size} bytes: 32000 is the most")


def check_pool(cloud, new, _old):
    check_tags(cloud, new)
    cloud.need("oci_core_instance_configuration", new["instance_configuration_id"], "instance configuration")
    for place in new["placement_configurations"]:
        if place["availability_domain"] not in cloud.all["availability_domains"]:
            refuse("400-InvalidParameter", f"availability domain {place['availability_domain']} does not exist")
    seen = set()
    for at in new["load_balancers"] or []:
        cloud.need("oci_load_balancer_load_balancer", at["load_balancer_id"], "load balancer")
        if not cloud.of("oci_load_balancer_backend_set", load_balancer_id=at["load_balancer_id"],
                        name=at["backend_set_name"]):
            refuse("404-NotAuthorizedOrNotFound", f"backend set {at['backend_set_name']} not found")
        key = (at["load_balancer_id"], at["backend_set_name"])
        if key in seen:
            refuse("400-InvalidParameter", f"backend set {key[1]} is attached twice")
        seen.add(key)


CHECKS = {
    "oci_core_network_security_group": check_nsg,
    "oci_core_network_security_group_security_rule": check_rule,
    "oci_load_balancer_load_balancer": check_lb,
    "oci_load_balancer_backend_set": check_backend_set,
    "oci_load_balancer_listener": check_listener,
    "oci_dns_rrset": check_rrset,
    "oci_core_volume": check_volume,
    "oci_core_instance_configuration": check_configuration,
    "oci_core_instance_pool": check_pool,
}
IDS = {
    "oci_load_balancer_backend_set": lambda o: f"loadBalancers/{o['load_balancer_id']}/backendSets/{o['name']}",
    "oci_load_balancer_listener": lambda o: f"loadBalancers/{o['load_balancer_id']}/listeners/{o['name']}",
    "oci_dns_rrset": lambda o: f"zoneNameOrId/{o['zone_name_or_id']}/domain/{o['domain']}/rtype/{o['rtype']}",
}


def query(cloud, kind, config):
    """What a data source answers."""
    out = {**config, "id": hashlib.sha256(json.dumps([kind, config], sort_keys=True).encode()).hexdigest()[:16]}
    if kind == "oci_core_vcns":
        out["virtual_networks"] = [{k: v[k] for k in ("id", "display_name", "cidr_blocks")}
                                   for v in cloud.of("vcn", display_name=config["display_name"])]
    elif kind == "oci_identity_availability_domains":
        out["availability_domains"] = [{"id": "sim." + name, "name": name, "compartment_id": config["compartment_id"]}
                                       for name in cloud.all["availability_domains"]]
    elif kind == "oci_core_volumes":
        out["volumes"] = [{k: v[k] for k in ("id", "display_name", "availability_domain", "state", "freeform_tags")}
                          for v in cloud.of("oci_core_volume", state=config["state"], display_name=config["display_name"],
                                            compartment_id=config["compartment_id"])]
    elif kind == "oci_load_balancer_backend_sets":
        cloud.need("oci_load_balancer_load_balancer", config["load_balancer_id"], "load balancer")
        out["backendsets"] = [{"name": s["name"], "policy": s["policy"]} for s in
                              cloud.of("oci_load_balancer_backend_set", load_balancer_id=config["load_balancer_id"])]
    return out
