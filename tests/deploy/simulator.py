"""Stand-ins for terraform, nomad, oci and curl, for the tests of the deployment scripts; bin/ calls them by these names.

They know only the commands that the scripts use, keep one small world in $SIM_STATE/world.json, and refuse what the real
ones refuse there: an option or a subcommand that does not exist, a variable that a job does not declare, a stale check
index, a pool that names a backend set that does not exist. They run nothing: a broker or gate "runs" as soon as it is
placed, and a node is ready as soon as its pool is there. $SIM_STATE/log has what changed something. The keys of
world["faults"] break one thing each; tests set them.

With $SIM_LIVE the rehearsal (tests/rehearsal/live.py) does what is done here: it is told of every change, and answers for
nodes and load balancer.

With $OCI_SIM_CLOUD the real Terraform makes the cloud (tests/oci-sim): oci reads and changes that one, and Nomad's nodes
are its instances.
"""
import fcntl
import json
import os
import re
import socket
import sys

STATE = os.environ["SIM_STATE"]
CLOUD = os.environ.get("OCI_SIM_CLOUD")
LIVE = os.environ.get("SIM_LIVE")
LB = "ocid1.loadbalancer.sim"
SETS = {"emqx-mqtt-backend": 1883, "emqx-mqtts-backend": 8883, "emqx-ws-backend": 8083, "emqx-wss-backend": 8084}
MODULES = {"emqx_lb_security_group": "oci_core_network_security_group.lb",
           "emqx_load_balancer": "oci_load_balancer_load_balancer.lb", "emqx_volumes": "oci_core_volume.emqx",
           "emqx_instance_pool": "oci_core_instance_pool.oci_instance_pool"}
NEW = {"modules": {}, "outputs": {}, "lb": None, "sets": {}, "listeners": {}, "nodes": [], "jobs": {}, "allocs": [], "vars": {},
       "left": [], "faults": {}, "serial": 0}


class Refused(Exception):
    def __init__(self, message, status=1):
        super().__init__(message)
        self.status = status


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def out(value):
    print(value if isinstance(value, str) else json.dumps(value))


def options(arguments, known, flags=()):
    """Splits -name value, -name=value and --name value off; refuses what is not known."""
    found, rest, queue = {}, [], list(arguments)
    while queue:
        word = queue.pop(0)
        if not word.startswith("-") or word == "-":
            rest.append(word)
            if "exec" in flags:
                return found, rest + queue
            continue
        name, has_value, value = word.lstrip("-").partition("=")
        if name in flags:
            found[name] = value if has_value else True
        elif name in known:
            found.setdefault(name, []).append(value if has_value else queue.pop(0))
        else:
            raise Refused(f"flag provided but not defined: {word}", 2)
    return found, rest


# --- Terraform -------------------------------------------------------------------------------------------------------

def blocks(directory):
    text = "".join(read(os.path.join(directory, name)) for name in sorted(os.listdir(directory)) if name.endswith(".tf"))
    text = re.sub(r"#.*", "", text)
    return {kind + " " + name: body for kind, name, body in re.findall(r'^(module|output) "(\w+)" \{\n(.*?)^\}$', text, re.M | re.S)}


def number(body, key):
    return int(re.search(rf"{key}\s*=\s*(\d+)", body)[1])


class Terraform:
    def __init__(self, world):
        self.world = world

    def run(self, words):
        directory = os.getcwd()
        if words and words[0].startswith("-chdir="):
            directory = words.pop(0)[len("-chdir="):]
        found, rest = options(words, ["target"], ["json", "input", "auto-approve", "no-color", "refresh-only"])
        if self.world["faults"].get("no init"):
            raise Refused("Error: Backend initialization required, please run \"terraform init\"")
        if rest == ["state", "list"]:
            if not self.world["modules"]:
                raise Refused("No state file was found!")
            for name, data in self.world["modules"].items():
                many = data.get("count")
                for n in range(many or 1):
                    out(f"module.{name}.{MODULES[name]}" + (f"[{n}]" if many else ""))
        elif rest == ["show"]:
            self.show()
        elif rest == ["output"]:
            out({name: {"value": value} for name, value in self.world["outputs"].items()})
        elif rest == ["plan"]:
            out("Plan: ...")
        elif rest in (["apply"], ["destroy"]):
            self.blocks = blocks(directory)
            if not found.get("auto-approve"):
                raise Refused("Error: nobody is there to say yes")
            names = [re.fullmatch(r"module\.(\w+)", target)[1] for target in found["target"]]
            for name in names:
                self.apply(name) if rest == ["apply"] else self.destroy(name)
        else:
            raise Refused(f"Terraform has no command named {rest}", 127)

    def apply(self, name):
        """As the real one, with what the module refers to."""
        if "module " + name not in self.blocks:
            raise Refused(f"Error: no module {name} in this configuration")
        body = self.blocks["module " + name]
        for other in re.findall(r"module\.(\w+)", body):
            if other not in self.world["modules"]:
                self.apply(other)
        if self.world["faults"].pop("apply " + name, None):
            self.world["log"].append(f"terraform failed {name}")
            raise Refused("Error: 500-InternalError")
        self.world["log"].append(f"terraform apply {name}")
        data = self.world["modules"].setdefault(name, {})
        if name == "emqx_load_balancer":
            self.world["lb"], self.world["sets"] = LB, self.world["sets"] or {set_: [] for set_ in SETS}
            for set_, port in SETS.items():
                self.world["listeners"][str(port)] = {"set": "emqx-mqtt-backend", "proxy": 2}
        elif name == "emqx_volumes":
            data["count"] = number(body, "volume_count")
        elif name == "emqx_instance_pool":
            self.pools(data, body)
        values = {"emqx_load_balancer": {"lb_id": LB, "mqtt_backend_set_name": "emqx-mqtt-backend"}}
        for each in self.world["modules"]:
            if "output " + each in self.blocks:
                self.world["outputs"][each] = values.get(each, {})

    def pools(self, data, body):
        data["count"] = number(body, "instance_pool_size")
        attached = re.search(r"load_balancer_id\s*=\s*module", body)
        set_ = re.search(r'lb_backend_set_name\s*=\s*"([^"]+)"', body)
        data["set"] = (set_[1] if set_ else "emqx-mqtt-backend") if attached else None
        if data["set"] and data["set"] not in self.world["sets"]:
            raise Refused(f"Error: 404-NotAuthorizedOrNotFound, backend set {data['set']}")
        settle(self.world, {n: f"10.0.1.{10 + n}" for n in range(data["count"])})
        addresses = [node["Address"] for node in self.world["nodes"]]
        for set_, backends in self.world["sets"].items():
            backends[:] = [backend for backend in backends if backend["ip"] in addresses]
            if set_ == data["set"]:
                backends += [{"ip": ip, "port": 8080, "drain": False} for ip in addresses
                             if ip not in [backend["ip"] for backend in backends]]

    def destroy(self, name):
        if name == "emqx_load_balancer":
            if "emqx_instance_pool" in self.world["modules"]:
                self.destroy("emqx_instance_pool")
            self.world["lb"], self.world["sets"], self.world["listeners"] = None, {}, {}
        if name == "emqx_instance_pool":
            self.world["nodes"], self.world["allocs"] = [], []
        self.world["log"].append(f"terraform destroy {name}")
        self.world["modules"].pop(name, None)
        self.world["outputs"].pop(name, None)

    def show(self):
        data = self.world["modules"]["emqx_instance_pool"]
        attached = [{"backend_set_name": data["set"], "load_balancer_id": data.get("lb", LB), "port": 8080}] if data["set"] else []
        out({"values": {"root_module": {"child_modules": [{"resources": [
            {"type": "oci_core_instance_pool", "address": f"module.emqx_instance_pool.oci_core_instance_pool.oci_instance_pool[{n}]",
             "values": {"load_balancers": attached}} for n in range(data["count"])]}]}}})


# --- Nomad -----------------------------------------------------------------------------------------------------------

def settle(world, instances):
    """Nodes follow the instances: their numbers and addresses."""
    booted = dict(sorted(instances.items())[:len(instances) - world["faults"].get("boots fail", 0)])
    before = {(node["ID"], node["Address"]): node for node in world["nodes"]}
    world["nodes"] = [before.pop((f"node-{n}", ip), None) or
                      {"ID": f"node-{n}", "Name": f"emqx-{n}", "Status": "ready", "SchedulingEligibility": "eligible",
                       "Address": ip} for n, ip in booted.items()]
    for gone in reversed(before.values()):
        world["log"].append(f"terminated {gone['Name']}")
        world["allocs"] = [alloc for alloc in world["allocs"] if alloc["NodeID"] != gone["ID"]]
    place(world)


def runs(world, job, node):
    return any(alloc["ClientStatus"] == "running" and alloc["DesiredStatus"] == "run"
               for alloc in world["allocs"] if alloc["JobID"].startswith(job) and alloc["NodeID"] == node["ID"])


def place(world):
    """What the scheduler does after any change."""
    for name, job in world["jobs"].items():
        mine = [alloc for alloc in world["allocs"] if alloc["JobID"] == name and alloc["ClientStatus"] == "running"]
        wanted = len(world["nodes"]) if job["type"] == "system" else job["count"]
        for alloc in mine[wanted:]:
            alloc.update(ClientStatus="complete", DesiredStatus="stop")
        missing = wanted - len(mine)
        for node in world["nodes"]:
            if missing <= 0 or node["SchedulingEligibility"] != "eligible" or world["faults"].get("not placed on") == node["Name"] + " " + job["file"]:
                continue
            if not any(alloc["NodeID"] == node["ID"] for alloc in mine):
                world["serial"] += 1
                world["allocs"].append({"ID": f"alloc-{world['serial']}", "JobID": name, "NodeID": node["ID"],
                                        "NodeName": node["Name"], "ClientStatus": "running", "DesiredStatus": "run"})
                missing -= 1
                world["left"] = [n for n in world["left"] if n != node["Name"]]


class Nomad:
    def __init__(self, world):
        self.world = world

    def run(self, words):
        if self.world["faults"].get("no nomad"):
            raise Refused("Error querying: connection refused")
        method = getattr(self, "_".join(words[:2]).replace("-", "_"), None)
        if method is None:
            raise Refused(f"Usage: nomad has no command {words[:2]}", 127)
        method(words[2:])

    def node_status(self, words):
        found, rest = options(words, ["filter"], ["json"])
        if "filter" in found and found["filter"][0] != 'Meta["pool_type"]=="emqx"':
            raise Refused("Error: failed to read filter expression")
        if not rest:
            return out(self.world["nodes"])          # without Meta, as the real list
        node = next((node for node in self.world["nodes"] if node["ID"] == rest[0]), None)
        if node is None:
            raise Refused(f'No node(s) with prefix or id "{rest[0]}" found')
        return out({**node, "Attributes": {"unique.network.ip-address": node["Address"]},
                    "Meta": {"pool_type": "emqx", "group-index": node["ID"].split("-")[1]}})

    def node_eligibility(self, words):
        found, rest = options(words, [], ["enable", "disable"])
        for node in self.world["nodes"]:
            if node["ID"] == rest[0]:
                node["SchedulingEligibility"] = "eligible" if "enable" in found else "ineligible"
                self.world["log"].append(f"nomad {node['SchedulingEligibility']} {node['Name']}")
        place(self.world)

    def read_job(self, words):
        found, rest = options(words, ["var"], ["detach"])
        text = read(rest[0])
        declared = dict(re.findall(r'^variable "(\w+)" \{\n(.*?)^\}$', text, re.M | re.S))
        given = dict(pair.split("=", 1) for pair in found.get("var", []))
        for name in given:
            if name not in declared:
                raise Refused(f'Undefined variable "{name}"')
        for name, body in declared.items():
            if name not in given and "default" not in body:
                raise Refused(f'Missing required variable "{name}"')
        name = re.search(r'^  id +=  *"([^"]+)"', text, re.M)[1].replace("${var.region}", given["region"])
        kind = re.search(r'^  type +=  *"(\w+)"', text, re.M)[1]
        return name, {"type": kind, "count": int(given.get("nodes", 3)), "vars": given, "file": os.path.basename(rest[0])}

    def job_validate(self, words):
        self.read_job(words)

    def job_run(self, words):
        name, job = self.read_job(words)
        before = self.world["jobs"].get(name)
        if self.world["faults"].get("not placed on", "").endswith(" " + job["file"]):
            del self.world["faults"]["not placed on"]
        self.world["log"].append(f"nomad run {name} {'unchanged' if before == job else 'changed'}")
        self.world["jobs"][name] = job
        place(self.world)

    def job_status(self, words):
        _, (name,) = options(words, [], [])
        if name not in self.world["jobs"]:
            raise Refused(f'No job(s) with prefix or ID "{name}" found')
        out(f"ID = {name}\nStatus = running")

    def job_allocs(self, words):
        _, (name,) = options(words, [], ["json"])
        stopping = self.world["faults"].get("stopping")
        if stopping:        # an allocation that takes its time, and a server that does not answer meanwhile
            stopping["times"] -= 1
            if stopping["times"]:
                if stopping["times"] % 2:
                    raise Refused("Error listing job allocations: Unexpected response code: 500 (No cluster leader)")
            else:
                del self.world["faults"]["stopping"]
                self.stop(stopping["alloc"])
        if name not in self.world["jobs"]:
            raise Refused(f'No job(s) with prefix or ID "{name}" found')
        out([alloc for alloc in self.world["allocs"] if alloc["JobID"] == name])

    def job_stop(self, words):
        _, (name,) = options(words, [], [])
        self.world["log"].append(f"nomad stop {name}")
        del self.world["jobs"][name]
        for alloc in self.world["allocs"]:
            if alloc["JobID"] == name:
                alloc.update(ClientStatus="complete", DesiredStatus="stop")

    def alloc_stop(self, words):
        _, (name,) = options(words, [], ["detach"])
        if self.world["faults"].get("slow stop"):
            self.world["faults"]["stopping"] = {"alloc": name, "times": self.world["faults"].pop("slow stop")}
        else:
            self.stop(name)

    def stop(self, name):
        for alloc in self.world["allocs"]:
            if alloc["ID"] == name:
                self.world["log"].append(f"nomad stops {alloc['JobID']} on {alloc['NodeName']}")
                alloc.update(ClientStatus="complete", DesiredStatus="stop")
        place(self.world)

    def alloc_restart(self, words):
        _, (name,) = options(words, [], [])
        for alloc in self.world["allocs"]:
            if alloc["ID"] == name:
                self.world["log"].append(f"nomad restarts {alloc['JobID']} on {alloc['NodeName']}")
                self.world["faults"].pop("health " + alloc["NodeName"], None)

    def alloc_exec(self, words):
        found, (name, *command) = options(words, ["task"], ["i", "t", "exec"])
        alloc = next((alloc for alloc in self.world["allocs"] if alloc["ID"] == name and alloc["ClientStatus"] == "running"), None)
        if alloc is None:
            raise Refused("Error: no such allocation")
        brokers = [a["NodeName"] for a in self.world["allocs"] if a["JobID"].startswith("emqx-us") and a["ClientStatus"] == "running"]
        apart = self.world["faults"].get("split", 0)
        names = [f"emqx@{n}.service.consul" for n in brokers if n not in self.world["left"]][apart:]
        if command == ["emqx", "ctl", "cluster", "status", "--json"]:
            out({"running_nodes": names, "stopped_nodes": self.world["faults"].get("stopped", [])})
        elif command == ["emqx", "ctl", "cluster", "status"]:
            out(f"Cluster status: #{{running_nodes => {names}, stopped_nodes => []}}")
        elif command[:4] == ["emqx", "ctl", "cluster", "force-leave"]:
            self.world["faults"]["stopped"].remove(command[4])
            self.world["log"].append(f"emqx forgets {command[4]}")
        elif command == ["emqx", "ctl", "cluster", "leave"] and self.world["faults"].pop("does not leave", None):
            self.world["left"].append(alloc["NodeName"])
            self.world["faults"]["stopped"] = [f"emqx@{alloc['NodeName']}.service.consul"]
            out("Failed to leave the cluster: timeout")
        elif command == ["emqx", "ctl", "cluster", "leave"]:
            self.world["left"].append(alloc["NodeName"])
            self.world["log"].append(f"emqx leaves on {alloc['NodeName']}")
        elif command == ["cat", "/local/run/release"]:
            if LIVE:
                out(ask("release", next(node["Address"] for node in self.world["nodes"] if node["ID"] == alloc["NodeID"])))
            else:
                out(self.world["vars"].get(f"nomad/jobs/{alloc['JobID']}", {}).get("Items", {}).get("release_sha256", ""))
        else:
            raise Refused(f"the simulator does not know {command}")

    def var_get(self, words):
        _, (path,) = options(words, ["out", "item"], [])
        if self.world["faults"].get("var get", 0):      # so many times
            self.world["faults"]["var get"] -= 1
            raise Refused("Error retrieving variable: Unexpected response code: 500 (No cluster leader)")
        if path not in self.world["vars"]:
            raise Refused("Variable not found")
        out(self.world["vars"][path])

    def var_put(self, words):
        found, rest = options(words, ["in", "out", "check-index"], [])
        if rest != ["-"] or found.get("in") != ["json"]:
            raise Refused("Must supply data")
        new = json.load(sys.stdin)
        if int(found["check-index"][0]) != self.world["vars"].get(new["Path"], {}).get("ModifyIndex", 0):
            raise Refused("Check-and-Set conflict")
        self.world["serial"] += 1
        self.world["vars"][new["Path"]] = {**new, "ModifyIndex": self.world["serial"]}
        self.world["log"].append(f"nomad var put {new['Path']} {' '.join(new['Items'])}")


# --- a cloud that Terraform made --------------------------------------------------------------------------------------

def see_cloud(world):
    """What tests/oci-sim has in its file, as this world has it."""
    objects = json.loads(read(CLOUD))["objects"].values()

    def of(kind):
        return [each for each in objects if each["kind"] == "oci_" + kind]

    world["lb"] = next((each["id"] for each in of("load_balancer_load_balancer")), None)
    world["sets"] = {each["name"]: [{"ip": b["ip_address"], "port": int(b["port"]), "drain": b["drain"]} for b in each["backend"]]
                     for each in of("load_balancer_backend_set")}
    world["listeners"] = {str(int(each["port"])): {
        "set": each["default_backend_set_name"],
        "proxy": int(each["connection_configuration"][0]["backend_tcp_proxy_protocol_version"])}
        for each in of("load_balancer_listener")}
    index = {each["id"]: int(each["freeform_tags"]["group-index"]) for each in of("core_instance_pool")}
    settle(world, {index[each["pool"]]: each["ip"] for each in objects if each["kind"] == "instance"})
    world["faults"]["no route"] = bool(world["nodes"]) and not any(
        rule["source_type"] == "NETWORK_SECURITY_GROUP" and rule["direction"] == "INGRESS"
        and rule["tcp_options"][0]["destination_port_range"][0]["max"] == 8080
        for rule in of("core_network_security_group_security_rule") if rule["tcp_options"])


def drain_in_cloud(given, drain):
    with open(CLOUD + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cloud = json.loads(read(CLOUD))
        for each in cloud["objects"].values():
            if each["kind"] == "oci_load_balancer_backend_set" and each["name"] == given["backend-set-name"]:
                for backend in each["backend"]:
                    backend["drain"] = drain if backend["name"] == given["backend-name"] else backend["drain"]
        with open(CLOUD, "w", encoding="utf-8") as file:
            json.dump(cloud, file)


# --- a world that is live ---------------------------------------------------------------------------------------------

def ask(what, of):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(LIVE)
        sock.sendall(json.dumps({"ask": what, "of": of}).encode() + b"\n")
        answer = json.loads(sock.makefile().readline())
    if "error" in answer:
        raise Refused(answer["error"])
    return answer["told"]


def shape(world):
    drains = {each["ip"]: each["drain"] for backends in world["sets"].values() for each in backends}
    return {"lb": bool(world["lb"]), "jobs": {job["file"]: job["vars"] for job in world["jobs"].values()},
            "variables": {path: variable["Items"] for path, variable in world["vars"].items()},
            "nodes": {node["Address"]: {"drain": drains.get(node["Address"], False), "gate": runs(world, "emqx-haproxy", node),
                                        "broker": runs(world, "emqx-us", node)} for node in world["nodes"]}}


# --- OCI, and health -------------------------------------------------------------------------------------------------

def health(world, ip):
    if LIVE:
        return ask("health", ip)
    node = next((node for node in world["nodes"] if node["Address"] == ip), None)
    if node is None or not runs(world, "emqx-haproxy", node):
        return "000"
    return world["faults"].get("health " + node["Name"]) or ("200" if runs(world, "emqx-us", node) else "503")


class Oci:
    def __init__(self, world):
        self.world = world

    def run(self, words):
        found, rest = options(words, ["load-balancer-id", "backend-set-name", "backend-name", "weight", "backup", "drain",
                                      "offline", "wait-for-state"], ["force"])
        given = {key: value[0] if isinstance(value, list) else value for key, value in found.items()}
        if self.world["lb"] is None or given.get("load-balancer-id") != self.world["lb"]:
            raise Refused("ServiceError: NotAuthorizedOrNotFound")
        needed = {("lb", "load-balancer", "get"): [], ("lb", "backend-set-health", "get"): ["backend-set-name"],
                  ("lb", "backend-health", "get"): ["backend-set-name", "backend-name"],
                  ("lb", "backend", "update"): ["backend-set-name", "backend-name", "weight", "backup", "drain", "offline"]}
        if tuple(rest) not in needed:
            raise Refused(f"Error: No such command '{' '.join(rest)}'.", 2)
        for option in needed[tuple(rest)]:
            if option not in given:
                raise Refused(f"Error: Missing option(s) --{option}.", 2)
        out({"data": getattr(self, "_".join(rest[1:]).replace("-", "_"))(given)})

    def load_balancer_get(self, _):
        return {"listeners": {name: {"default-backend-set-name": listener["set"], "port": int(name),
                                     "connection-configuration": {"backend-tcp-proxy-protocol-version": listener["proxy"]}}
                              for name, listener in self.world["listeners"].items()},
                "backend-sets": {name: {"backends": [{**each, "name": f"{each['ip']}:{each['port']}"} for each in backends]}
                                 for name, backends in self.world["sets"].items()}}

    def seen(self, ip):
        if LIVE:
            return "200" if ask("seen", ip) else "000"
        return "UNKNOWN" if self.world["faults"].get("no route") else health(self.world, ip)

    def backend_set_health_get(self, given):
        backends = self.world["sets"][given["backend-set-name"]]
        bad = [f"{each['ip']}:{each['port']}" for each in backends if self.seen(each["ip"]) != "200"]
        status = "UNKNOWN" if not backends else "OK" if not bad else "CRITICAL"
        return {"status": status, "total-backend-count": len(backends), "critical-state-backend-names": bad,
                "warning-state-backend-names": [], "unknown-state-backend-names": []}

    def backend_health_get(self, given):
        seen = self.seen(given["backend-name"].split(":")[0])
        said = {"200": "OK", "000": "CONNECT_FAILED", "UNKNOWN": "CONNECT_FAILED"}.get(seen, "INVALID_STATUS_CODE")
        return {"status": "OK" if said == "OK" else "CRITICAL", "health-check-results": [{"health-check-status": said}]}

    def backend_update(self, given):
        for each in self.world["sets"][given["backend-set-name"]]:
            if given["backend-name"] == f"{each['ip']}:{each['port']}":
                each["drain"] = given["drain"] == "true"
                self.world["log"].append(f"oci drain={given['drain']} {given['backend-name']}")
                if CLOUD:
                    drain_in_cloud(given, each["drain"])
        return {}


class Curl:
    def __init__(self, world):
        self.world = world

    def run(self, words):
        url = re.fullmatch(r"http://([0-9.]+):8080/haproxy_health", words[-1])
        if not url:
            raise Refused(f"the simulator does not know {words[-1]}", 6)
        sys.stdout.write(health(self.world, url[1]))


def main():
    tool = {"terraform": Terraform, "nomad": Nomad, "oci": Oci, "curl": Curl}[sys.argv[1]]
    file = STATE + "/world.json"
    with open(STATE + "/lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        world = json.loads(read(file)) if os.path.exists(file) else dict(NEW)
        world["log"], status = [], 0
        if CLOUD:
            see_cloud(world)
        try:
            before = shape(world)
            tool(world).run(sys.argv[2:])
            if LIVE and shape(world) != before:
                ask("make", shape(world))
        except Refused as refused:
            print(refused, file=sys.stderr)
            status = refused.status
        with open(STATE + "/log", "a", encoding="utf-8") as log:
            log.writelines(line + "\n" for line in world.pop("log"))
        with open(file, "w", encoding="utf-8") as kept:
            json.dump(world, kept)
    sys.exit(status)


if __name__ == "__main__":
    main()
