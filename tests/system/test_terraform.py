"""terraform/ with the real Terraform, against a simulated provider (tests/oci-sim): the deployment order's phases in
order, out of order, scaled and taken down again, and everything wrong said before anything is created."""
import base64
import json
import os
import re
import shutil
import subprocess

import pytest

from mqgate import HERE, SANITIZER

TOP = HERE.parent.parent
MODULES = ["emqx-load-balancer-security-group", "emqx-network-load-balancer", "volumes-emqx", "emqx-instance-pool",
           "emqx-node-security-group"]
PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 8083, "wss": 8084}
ADS = ["x:AD-1", "x:AD-2", "x:AD-3"]
ROOT = {
    "environment": "prod", "environment_type": "prod", "oracle_region": "us-ashburn-1", "domain": "example.com",
    "tenancy_ocid": "tenancy", "compartment_ocid": "compartment", "vcn_name": "prod", "public_subnet_ocid": "public",
    "nat_subnet_ocid": "nat", "oracle_image_ocid": "image", "availability_domains": ADS, "tag_namespace": "ops",
    "user_public_key_path": "key.pub",
}
CLOUD = {
    "serial": 0, "availability_domains": ADS, "zones": ["example.com"], "tag_namespaces": ["ops"],
    "objects": {
        "vcn": {"kind": "vcn", "id": "vcn", "display_name": "prod", "cidr_blocks": ["10.0.0.0/16"]},
        "public": {"kind": "subnet", "id": "public"}, "nat": {"kind": "subnet", "id": "nat"},
        "image": {"kind": "image", "id": "image"},
    },
}

pytestmark = [pytest.mark.limit(300),  # Terraform's own time, mostly
              pytest.mark.skipif(SANITIZER is not None, reason="nothing of mqgate runs here"),
              pytest.mark.skipif(shutil.which("terraform") is None, reason="no terraform on this machine")]


@pytest.fixture(scope="module")
def provider(tmp_path_factory):
    directory = tmp_path_factory.mktemp("provider")
    subprocess.run([TOP / "tests/oci-sim/install", directory], check=True)
    return directory / "terraformrc"


class Environment:
    def __init__(self, tmp_path, provider, **variables):
        shutil.copytree(TOP / "terraform", tmp_path / "terraform", ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
        self.path = tmp_path / "terraform" / "your-environment"
        (tmp_path / "terraform" / "example-environment").rename(self.path)
        (self.path / "key.pub").write_text("ssh-ed25519 AAAA test\n")
        (self.path / "terraform.tfvars.json").write_text(json.dumps({**ROOT, **variables}))
        self.cloud_file = tmp_path / "cloud.json"
        self.cloud_file.write_text(json.dumps(CLOUD))
        self.env = {**os.environ, "TF_CLI_CONFIG_FILE": str(provider), "OCI_SIM_CLOUD": str(self.cloud_file),
                    "TF_IN_AUTOMATION": "1", "TF_CLI_ARGS": "-no-color", "CHECKPOINT_DISABLE": "1"}
        self.run("get")

    def run(self, *args, fails=False, cwd=None):
        """What Terraform says, in one line, as it wraps its errors."""
        done = subprocess.run(["terraform", *args], cwd=cwd or self.path, env=self.env, text=True, capture_output=True,
                              check=False)
        said = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, f"{args}: {said}"
        return " ".join(said.replace("│", " ").split())

    def apply(self, module=None, fails=False, **variables):
        return self.change("apply", module, fails, variables)

    def destroy(self, module=None, fails=False, **variables):
        return self.change("destroy", module, fails, variables)

    def change(self, verb, module, fails, variables):
        """The two numbers are edited in their files, as the deployment order has it; 3 if they are not given."""
        for file, name in [("emqx-volumes.tf", "volume_count"), ("emqx-instance-pool.tf", "instance_pool_size")]:
            path = self.path / file
            path.write_text(re.sub(rf"(\b{name} *= )\d+", rf"\g<1>{variables.pop(name, 3)}", path.read_text()))
        return self.run(verb, "-auto-approve", "-input=false", *([f"-target=module.{module}"] if module else []),
                        *(f"-var={k}={v if isinstance(v, str) else json.dumps(v)}" for k, v in variables.items()), fails=fails)

    def output(self):
        done = subprocess.run(["terraform", "output", "-json"], cwd=self.path, env=self.env, text=True,
                              capture_output=True, check=True)
        return {name: out["value"] for name, out in json.loads(done.stdout).items()}

    def has(self, kind):
        return [o for o in json.loads(self.cloud_file.read_text())["objects"].values() if o["kind"] == f"oci_{kind}"]

    def objects(self):
        return json.loads(self.cloud_file.read_text())["objects"]

    def backends(self):
        """The ports of each backend set's backends."""
        return {s["name"]: sorted(int(b["port"]) for b in s["backend"]) for s in self.has("load_balancer_backend_set")}

    def settled(self):
        return "No changes." in self.run("plan", "-input=false")


@pytest.fixture
def environment(tmp_path, provider):
    return lambda **variables: Environment(tmp_path, provider, **variables)


def mux(nodes):
    return {f"emqx-{key}-backend": [8080] * nodes if key == "mqtt" else [] for key in PORTS}


def ports(nodes):
    return {f"emqx-{key}-backend": [port] * nodes for key, port in PORTS.items()}


def numbers(env, kind):
    return sorted(int(o["freeform_tags"]["group-index"]) for o in env.has(kind))


def test_phases_in_order_scaled_and_taken_down(environment):
    env = environment()
    env.apply("emqx_lb_security_group")
    assert not env.has("load_balancer_load_balancer")
    env.apply("emqx_load_balancer")
    lb = env.output()["emqx_load_balancer"]
    assert lb["lb_id"] == env.has("load_balancer_load_balancer")[0]["id"]
    assert lb["mqtt_backend_set_name"] == "emqx-mqtt-backend"
    assert env.backends() == mux(0)
    env.apply("emqx_volumes")
    assert numbers(env, "core_volume") == [0, 1, 2] and not env.has("core_instance_pool")
    env.apply("emqx_instance_pool")
    assert env.backends() == mux(3)
    assert "port = 8080" in env.run("state", "show", "module.emqx_instance_pool.oci_core_instance_pool.oci_instance_pool[0]")
    assert env.has("dns_rrset")[0]["items"][0]["rdata"] == lb["lb_ip"]
    assert env.settled()

    before = {o["id"] for o in env.has("core_instance_pool") + env.has("core_volume")}
    env.apply("emqx_volumes", volume_count=5)
    env.apply("emqx_instance_pool", volume_count=5, instance_pool_size=5)
    assert env.backends() == mux(5) and numbers(env, "core_instance_pool") == [0, 1, 2, 3, 4]
    refused = env.apply("emqx_volumes", fails=True, volume_count=3, instance_pool_size=5)
    assert "prod-us-ashburn-1-emqx-pool-" in refused or "The volumes come first" in refused
    env.apply("emqx_instance_pool", volume_count=5, instance_pool_size=3)
    assert env.backends() == mux(3)
    env.apply("emqx_volumes")
    assert {o["id"] for o in env.has("core_instance_pool") + env.has("core_volume")} == before
    assert env.settled()

    env.destroy()
    assert env.objects().keys() == CLOUD["objects"].keys()


class Story(Environment):
    """The deployment's commands on that cloud: Terraform is real, nomad, oci and curl are those of tests/deploy."""

    def __init__(self, tmp_path, provider):
        super().__init__(tmp_path, provider)
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "terraform").symlink_to(shutil.which("terraform"))
        (self.path / "scripts").symlink_to(TOP / "scripts")
        self.env |= {"PATH": f"{tmp_path / 'bin'}:{TOP / 'tests/deploy/bin'}:{os.environ['PATH']}", "SIM_STATE": str(tmp_path),
                     "TF_CLI_ARGS_apply": "-auto-approve", "TF_CLI_ARGS_destroy": "-auto-approve",
                     "DEPLOY_TIMEOUT": "2", "DEPLOY_INTERVAL": "0.1", "ENVIRONMENT": "prod", "ORACLE_REGION": "us-ashburn-1",
                     "MQGATE_ARTIFACT": "https://builds.example.com/mqgate.tar.gz", "MQGATE_CHECKSUM": "sha256:" + "1" * 64}
        for name in ("EMQX_COUNT", "EMQX_CLUSTER_COOKIE", "MQTT_HOST", "EMQX_TLS_CHAIN", "VAULT_CERTIFICATES", "TERRAFORM_DIR"):
            self.env.pop(name, None)

    def shell(self, commands, fails=False):
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", commands], cwd=self.path, env=self.env, text=True,
                              capture_output=True, check=False, stdin=subprocess.DEVNULL)
        assert (done.returncode != 0) == fails, f"{commands}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def deploy(self, *words, fails=False):
        return self.shell("./scripts/emqx-deploy " + " ".join(words), fails)

    def change_cloud(self, change):
        cloud = json.loads(self.cloud_file.read_text())
        change(cloud["objects"])
        self.cloud_file.write_text(json.dumps(cloud))


LOAD_BALANCER = """
LB_ID=$(terraform output -json | jq -r '.emqx_load_balancer.value.lb_id')
MQTT_BACKEND_SET=$(terraform output -json | jq -r '.emqx_load_balancer.value.mqtt_backend_set_name')
"""
HEALTH = "oci lb backend-set-health get --load-balancer-id $LB_ID --backend-set-name $MQTT_BACKEND_SET"


def test_the_deployment_order_command_by_command(tmp_path, provider):
    """Its commands as they are written, with its own files, and what it says about each of them afterwards."""
    env = Story(tmp_path, provider)
    given = TOP / "tests/terraform/deployment-order"
    env.run("apply", "-target=module.emqx_node_security_group")
    env.env["TF_VAR_emqx_security_group_id"] = env.output()["emqx_node_security_group"]["security_group_id"]
    for name, module in [("emqx-lb-security-group", "emqx_lb_security_group"), ("emqx-load-balancer", "emqx_load_balancer"),
                         ("emqx-volumes", "emqx_volumes"), ("emqx-instance-pool", "emqx_instance_pool")]:
        shutil.copy(given / f"{name}.tf", env.path)
        env.shell(f"terraform apply -target=module.{module}")
    assert env.backends() == mux(3) and env.settled()
    # Without the group that it takes for granted.
    assert "Run terraform apply -target=module.emqx_node_security_group" in \
        env.run("plan", "-var=emqx_security_group_id=", fails=True)
    said = env.shell("""
        export ENVIRONMENT="prod"
        export ORACLE_REGION="us-ashburn-1"
        export EMQX_COUNT=3
        ./scripts/deploy-nomad-emqx.sh
        nomad job status emqx-us-ashburn-1
        alloc=$(nomad job allocs -json emqx-us-ashburn-1 | jq -r .[0].ID)
        nomad alloc exec $alloc emqx ctl cluster status
        ./scripts/deploy-nomad-emqx-haproxy.sh
        nomad job status emqx-haproxy-us-ashburn-1
        for node in $(nomad node status -json | jq -r .[].Address); do
            curl http://$node:8080/haproxy_health
        done
        """)
    assert "the cluster has all its nodes: 3 of 3" in said and "every node is healthy: 3 of 3" in said
    assert said.count("emqx@") == 3 and "200" * 3 in said
    assert '"status": "OK", "total-backend-count": 3' in env.shell(LOAD_BALANCER + HEALTH)
    # As it is written there is no such command.
    env.shell(LOAD_BALANCER + "oci lb backend-health get --load-balancer-id $LB_ID --backend-set-name $MQTT_BACKEND_SET", fails=True)
    env.shell(LOAD_BALANCER + "oci lb backend-health list --load-balancer-id $LB_ID --backend-set-name $MQTT_BACKEND_SET", fails=True)

    said = env.shell("""
        sed -i 's/volume_count      = 3/volume_count      = 5/' emqx-volumes.tf
        terraform apply -target=module.emqx_volumes
        sed -i 's/instance_pool_size   = 3/instance_pool_size   = 5/' emqx-instance-pool.tf
        terraform apply -target=module.emqx_instance_pool
        export EMQX_COUNT=5
        ./scripts/deploy-nomad-emqx.sh
        ./scripts/deploy-nomad-emqx-haproxy.sh
        nomad job status emqx-us-ashburn-1
        """)
    assert "the cluster has all its nodes: 5 of 5" in said and "every node is healthy: 5 of 5" in said
    assert '"status": "OK", "total-backend-count": 5' in env.shell(LOAD_BALANCER + HEALTH)

    # Its troubleshooting.
    shown = env.shell("terraform state show module.emqx_instance_pool.oci_core_instance_pool.oci_instance_pool[0]")
    assert re.search(r'load_balancers \{[^}]*backend_set_name *= "emqx-mqtt-backend"', shown)
    assert env.deploy("doctor").endswith("nothing is wrong\n")
    env.shell("""
        terraform destroy -target=module.emqx_instance_pool
        terraform apply -target=module.emqx_load_balancer
        terraform apply -target=module.emqx_instance_pool
        """)
    assert env.backends() == mux(5)


def test_up_scaled_and_back_and_what_doctor_finds(tmp_path, provider):
    env = Story(tmp_path, provider)
    assert "needs the phase load-balancer" in env.deploy("up pools", fails=True)
    assert env.objects() == CLOUD["objects"]
    assert "the load balancer sees all 3 nodes healthy" in env.deploy("up")
    env.deploy("scale 5")
    assert env.backends() == mux(5)
    pools = {pool["id"] for pool in env.has("core_instance_pool") if int(pool["freeform_tags"]["group-index"]) < 3}
    env.deploy("scale 3")
    assert env.backends() == mux(3) and {pool["id"] for pool in env.has("core_instance_pool")} == pools
    assert not any(backend["drain"] for each in env.has("load_balancer_backend_set") for backend in each["backend"])
    assert "nothing is wrong" in env.deploy("doctor")

    # Somebody takes the pools out of the backend set; then somebody takes the load balancer away.
    def detach(objects):
        for each in objects.values():
            if each["kind"] == "oci_core_instance_pool":
                each["load_balancers"] = []
            if each["kind"] == "oci_load_balancer_backend_set":
                each["backend"] = []

    def remove(objects):
        detach(objects)
        for each in [each for each in objects.values() if each["kind"].startswith("oci_load_balancer_")]:
            del objects[each["id"]]

    def shut(objects):
        rules = [each for each in objects.values() if each["kind"].endswith("security_rule") and each["tcp_options"]]
        for rule in rules:
            if rule["tcp_options"][0]["destination_port_range"][0]["max"] == 8080:
                del objects[rule["id"]]
    env.change_cloud(shut)
    said = env.deploy("doctor", fails=True)
    assert said.count("is healthy, but the load balancer cannot see it (CONNECT_FAILED)") == 3
    env.shell(re.search(r"^ +(terraform .*)$", said, re.M)[1])
    assert "nothing is wrong" in env.deploy("doctor")
    env.change_cloud(detach)
    said = env.deploy("doctor", fails=True)
    assert "listeners send clients to emqx-mqtt-backend, which has no backends" in said and "emqx-deploy up pools" in said
    env.deploy("up pools")
    assert "nothing is wrong" in env.deploy("doctor")
    env.change_cloud(remove)
    said = env.deploy("doctor", fails=True)
    assert "OCI does not know the load balancer" in said and "emqx-deploy up load-balancer" in said
    env.deploy("up load-balancer")
    env.deploy("up pools")
    assert env.backends() == mux(3) and "nothing is wrong" in env.deploy("doctor")
    env.deploy("down --volumes")
    assert {each["kind"] for each in env.objects().values()} - {"oci_core_network_security_group",
                                                                "oci_core_network_security_group_security_rule"} \
        == {each["kind"] for each in CLOUD["objects"].values()}


def test_all_at_once_and_the_other_way_of_attaching(environment):
    env = environment(attach="ports")
    env.apply()
    assert env.backends() == ports(3) and env.settled()
    assert {int(s["port"]): s["default_backend_set_name"] for s in env.has("load_balancer_listener")} == \
        {port: f"emqx-{key}-backend" for key, port in PORTS.items()}
    pools = {p["id"] for p in env.has("core_instance_pool")}
    env.apply(attach="mux")
    assert env.backends() == mux(3)
    assert {s["default_backend_set_name"] for s in env.has("load_balancer_listener")} == {"emqx-mqtt-backend"}
    assert {p["id"] for p in env.has("core_instance_pool")} == pools, "attached in place, not made anew"
    env.apply(attach="ports", volume_count=5, instance_pool_size=5)
    assert env.backends() == ports(5)
    env.apply(attach="ports")
    assert env.backends() == ports(3) and env.settled()


def paths(env):
    """What each listener's clients could reach, step by step, since the last time; and whether that was well: each had a
    node, and a port that takes it."""
    cloud = json.loads(env.cloud_file.read_text())
    steps = cloud["paths"]
    env.cloud_file.write_text(json.dumps({**cloud, "paths": steps[-1:]}))
    return steps, [all(backends and {b.split(":")[1] for b in backends} <= {"8080", port} for port, backends in step.items())
                   for step in steps]


def test_the_way_of_attaching_is_changed_under_clients(environment):
    """As doc/DEPLOYMENT.md has it: at no time has a listener no node, or one whose port is of another protocol."""
    env = environment()
    env.apply()
    paths(env)

    def pools_one_by_one(**variables):
        for index in range(3):
            env.apply(f"emqx_instance_pool.oci_core_instance_pool.oci_instance_pool[{index}]", **variables)
            least = min(len(backends) for step in paths(env)[0] for backends in step.values())
            assert least >= 2, "more than one node at a time"
    pools = {p["id"] for p in env.has("core_instance_pool")}
    env.apply(pool_attach="both")
    assert env.backends() == {**ports(3), "emqx-mqtt-backend": [8080] * 3}
    env.apply(attach="ports", pool_attach="both")
    steps, well = paths(env)
    assert len(steps) > 3 and all(well), steps
    pools_one_by_one(attach="ports")
    env.apply(attach="ports")
    assert env.backends() == ports(3) and all(paths(env)[1])
    assert "No changes." in env.run("plan", "-input=false", "-var=attach=ports")
    # And back.
    pools_one_by_one(attach="ports", pool_attach="both")
    env.apply(pool_attach="both")
    env.apply()
    steps, well = paths(env)
    assert len(steps) > 3 and all(well), steps
    assert env.backends() == mux(3) and env.settled()
    assert {p["id"] for p in env.has("core_instance_pool")} == pools
    # At one go, listeners go to sets that are still empty.
    env.apply(attach="ports")
    steps, well = paths(env)
    assert any(not step["8883"] for step in steps) and not all(well)
    assert "pool_attach is \"mux\" with attach = \"ports\"" in \
        env.run("plan", "-input=false", "-var=attach=ports", "-var=pool_attach=mux", fails=True)


def test_pools_first(environment):
    """The deployment order's case of the wrong order: pools that were given a load balancer which is not there."""
    env = environment()
    file = env.path / "emqx-instance-pool.tf"
    right = file.read_text()
    env.apply("emqx_volumes")
    file.write_text(right.replace("module.emqx_load_balancer.lb_id", '""'))
    before = env.objects()
    said = env.apply("emqx_instance_pool", fails=True)
    assert "The load balancer comes first: terraform apply -target=module.emqx_load_balancer." in said
    assert env.objects() == before
    file.write_text(right.replace("module.emqx_load_balancer.lb_id", '"gone"'))
    assert "load balancer 'gone' not found" in env.apply("emqx_instance_pool", fails=True)
    file.write_text(right)
    # What it says to do. The destruction that it begins with does no harm, and is not needed.
    env.destroy("emqx_instance_pool")
    env.apply("emqx_load_balancer")
    env.apply("emqx_instance_pool")
    assert env.backends() == mux(3) and env.settled()
    # A set that is not on the load balancer.
    file.write_text(right.replace("module.emqx_load_balancer.mqtt_backend_set_name", '"emqx-other-backend"'))
    before = env.objects()
    assert "The load balancer has no backend set emqx-other-backend." in env.apply("emqx_instance_pool", fails=True)
    assert env.objects() == before
    file.write_text(right)
    # The load balancer does not go without its pools, and comes back with them.
    env.destroy("emqx_load_balancer")
    assert not env.has("core_instance_pool") and len(env.has("core_volume")) == 3
    env.apply()
    assert env.backends() == mux(3)


def test_volumes_and_pools_that_do_not_fit(environment):
    env = environment()
    env.apply()
    before = env.objects()
    said = env.apply("emqx_instance_pool", fails=True, instance_pool_size=5)
    assert "Node 4 has no volume prod-us-ashburn-1-emqx-4. The volumes come first: volume_count = 5 or more, and " \
        "terraform apply -target=module.emqx_volumes." in said
    said = env.apply(fails=True, availability_domains=list(reversed(ADS)))
    assert "Volume prod-us-ashburn-1-emqx-0 is in x:AD-1 and node 0 in x:AD-3: they would never be attached." in said
    assert env.objects() == before, "a refusal changes nothing"


def test_a_wrong_variable_is_named_before_anything_is_created(environment):
    env = environment()
    wrong = {
        "emqx-network-load-balancer": (
            {"oracle_region": "Ashburn", "environment": "Prod!", "lb_security_group_id": "", "dns_name": "mqtt.example.org",
             "dns_zone_name": "example.com", "dns_ttl": 5, "idle_timeout_seconds": 9000, "attach": "all",
             "bandwidth_mbps": {"minimum": 100, "maximum": 10},
             "health_check": {"interval_ms": 1000, "timeout_ms": 3000, "retries": 3}, "compartment_ocid": "",
             "resource_name_root": "", "tenancy_ocid": "t", "public_subnet_ocid": "p"},
            ['oracle_region "Ashburn" is not the name of a region', 'environment "Prod!": lower-case letters',
             "Phase 1 comes first: terraform apply -target=module.emqx_lb_security_group.",
             'dns_name "mqtt.example.org" is not in the zone "example.com"', "dns_ttl is 5", "OCI's most is 7200",
             'not "all"', "10 <= minimum <= maximum <= 8000", "timeout_ms is less than interval_ms",
             "compartment_ocid is empty", "resource_name_root is empty"]),
        "volumes-emqx": (
            {"volume_count": 0, "volume_size_in_gbs": 10, "tenancy_ocid": "t", "compartment_ocid": "c",
             "oracle_region": "us-ashburn-1", "environment": "prod"},
            ["volume_count is 0", "volume_size_in_gbs is 10: OCI has 50 to 32768."]),
        "emqx-load-balancer-security-group": (
            {"client_cidrs": ["everybody"], "tenancy_ocid": "t", "compartment_ocid": "c", "oracle_region": "us-ashburn-1",
             "resource_name_root": "r", "vcn_name": "prod"},
            ["client_cidrs: every entry is a network in CIDR notation"]),
        "emqx-node-security-group": (
            {"lb_security_group_id": "", "attach": "none", "cluster_cidrs": ["10.0.0.0"], "tenancy_ocid": "t",
             "compartment_ocid": "c", "oracle_region": "us-ashburn-1", "resource_name_root": "r", "vcn_name": "prod"},
            ["Phase 1 comes first", 'not "none"', "cluster_cidrs: every entry"]),
        "emqx-instance-pool": (
            {"tenancy_ocid": "t", "compartment_ocid": "c", "oracle_region": "us-ashburn-1", "environment": "prod", "name": "n",
             "resource_name_root": "r", "availability_domains": ["a", "a"], "instance_pool_size": 1.5,
             "instance_pool_name": "p", "instance_config_name": "c", "shape": "VM.Standard2.4", "ocpus": 4,
             "memory_in_gbs": 2, "disk_in_gbs": 20, "pool_subnet_ocid": "s", "security_group_id": "", "image_ocid": "i",
             "user_public_key_path": "/no/such/key", "load_balancer_id": "", "lb_backend_port": 1883,
             "postinstall_status_file": "a b", "max_kill_timeout": "15"},
            ["availability_domains has no entry, or one twice", "instance_pool_size is 1.5", "is not flexible",
             "memory_in_gbs is 2 with 4 ocpus", "disk_in_gbs is 20", "security_group_id is empty",
             'there is no file "/no/such/key"', "load_balancer_id is empty. The load balancer comes first",
             "lb_backend_set_name is empty", 'only 8080 takes all four protocols', "is not an absolute path",
             'max_kill_timeout "15"']),
    }
    for module, (variables, messages) in wrong.items():
        directory = env.path.parent / module
        (directory / "terraform.tfvars.json").write_text(json.dumps(variables))
        said = env.run("plan", "-input=false", fails=True, cwd=directory)
        for message in messages:
            assert message in said, f"{module}: {said}"
    assert "0 VCNs with the name \"elsewhere\"" in env.apply(fails=True, vcn_name="elsewhere")
    assert env.objects() == CLOUD["objects"]


def test_what_the_cloud_refuses_is_told(environment):
    """Also that the simulator refuses, or the other tests would show little."""
    env = environment(tag_namespace="absent")
    assert "tag namespace absent does not exist" in env.apply(fails=True)
    env.apply(tag_namespace="ops")
    main = env.path.parent / "emqx-network-load-balancer/main.tf"
    right = main.read_text()
    main.write_text(right.replace("policy           =", "no_such_thing    = 1\n  policy           ="))
    assert 'An argument named "no_such_thing" is not expected here.' in env.apply(fails=True, tag_namespace="ops")
    main.write_text(right.replace('"LEAST_CONNECTIONS"', '"FIVE_TUPLE"'))
    assert "policy FIVE_TUPLE" in env.apply(fails=True, tag_namespace="ops")
    main.write_text(right.replace("= oci_load_balancer_backend_set.set[var.attach == \"mux\" ? \"mqtt\" : each.key].name",
                                  "= \"emqx-mqtt-backends\""))
    assert "backend set emqx-mqtt-backends does not exist" in env.apply(fails=True, tag_namespace="ops")
    main.write_text(right.replace("local.listeners\n\n  load_balancer_id = oci_load_balancer_load_balancer.lb.id\n  name             =",
                                  "local.listeners\n\n  load_balancer_id = oci_load_balancer_load_balancer.lb.id\n  name             = each.key == \"wss\" ? \"emqx-new\" :"))
    assert "must be replaced" in env.run("plan", "-var=tag_namespace=ops")
    main.write_text(right)
    # A backend set twice, and one that goes while a listener that Terraform does not know of has it.
    (env.path / "other.tf").write_text(
        'resource "oci_load_balancer_backend_set" "again" {\n  load_balancer_id = module.emqx_load_balancer.lb_id\n'
        '  name = "emqx-mqtt-backend"\n  policy = "ROUND_ROBIN"\n  health_checker {\n    protocol = "TCP"\n  }\n}\n')
    assert "already exists" in env.apply(fails=True, tag_namespace="ops")
    (env.path / "other.tf").unlink()
    env.run("state", "rm", 'module.emqx_load_balancer.oci_load_balancer_listener.listener["mqtt"]')
    assert "is still used: listener emqx-mqtt" in env.destroy(fails=True, tag_namespace="ops")


def test_written_as_terraform_writes_and_valid(environment):
    env = environment()
    env.run("fmt", "-check", "-recursive", "-diff", TOP / "terraform")
    env.run("validate")
    for module in MODULES:
        directory = env.path.parent / module
        if (directory / "tests").is_dir():
            assert ", 0 failed." in env.run("test", cwd=directory)
        else:
            env.run("validate", cwd=directory)


def test_cloud_init(environment, tmp_path):
    """What a node runs when it is new: clean as rendered, small enough, and of its own number."""
    env = environment(consul_retry_join=["10.0.0.2"])
    env.apply()
    for config in env.has("core_instance_configuration"):
        launch = config["instance_details"][0]["launch_details"][0]
        index = launch["freeform_tags"]["group-index"]
        script = tmp_path / f"cloud-init-{index}.sh"
        script.write_bytes(base64.b64decode(launch["metadata"]["user_data"]))
        subprocess.run(["shellcheck", script], check=True)
        text = script.read_text()
        for needed in [f'group-index = "{index}"', 'pool_type   = "emqx"', 'host_network "loopback"', 'host_volume "emqx-data"',
                       f"volume='prod-us-ashburn-1-emqx-{index}'", 'max_kill_timeout = "15m"', "LimitNOFILE=2097152",
                       '"retry_join": $servers', "servers='[\"10.0.0.2\"]'", "net.core.somaxconn = 32768"]:
            assert needed in text
        assert launch["availability_domain"] == ADS[int(index) % 3]
        assert launch["instance_options"][0]["are_legacy_imds_endpoints_disabled"]


STUBS = {
    "oci": """case "$*" in
*"bv volume list"*) cat "$SIM/volume" ;;
*attach-paravirtualized-volume*) mknod "$SIM/device" b 7 200 ;;
esac""",
    "blkid": 'case "$*" in *"-s UUID"*) cat "$SIM/uuid" ;; esac; exit "$(cat "$SIM/blkid")"',
    "mkfs.xfs": 'echo 0 >"$SIM/blkid"',
    "mount": 'touch "$SIM/mounted"',
    "mountpoint": '[ -e "$SIM/mounted" ]',
    "curl": "echo ocid1.instance.sim",
    **dict.fromkeys("modprobe sysctl swapoff systemctl udevadm firewall-cmd nomad consul resolvectl usermod chown dnf ln".split(), ":"),
}


class Instance:
    """A new one: cloud-init as rendered, with its paths under a directory, and commands that only tell that they were run."""

    def __init__(self, tmp_path, script):
        self.at = tmp_path
        for directory in ("etc/security/limits.d", "etc/sysctl.d", "tmp", "bin"):
            (tmp_path / directory).mkdir(parents=True)
        (tmp_path / "etc/fstab").write_text("/dev/sda1 / xfs defaults 0 1\n/dev/sda2 swap swap defaults 0 0\n")
        (tmp_path / "volume").write_text("ocid1.volume.sim\n")
        (tmp_path / "uuid").write_text("1234-abcd\n")
        for name, text in STUBS.items():
            stub = tmp_path / "bin" / name
            stub.write_text(f'#!/bin/bash\necho "{name} $*" >>"$SIM/ran"\n{text}\n')
            stub.chmod(0o755)
        script = re.sub(r"(?<![\w}])/(?=(etc|opt/nomad|tmp)/)", f"{tmp_path}/", script)
        self.script = script.replace("/dev/oracleoci/oraclevdb", f"{tmp_path}/device").replace("attempt 900", "attempt 0")

    def boot(self, blkid):
        (self.at / "blkid").write_text(f"{blkid}\n")
        (self.at / "ran").write_text("")
        done = subprocess.run(["bash", "-c", self.script], text=True, capture_output=True, check=False, timeout=30,
                              env={"PATH": f"{self.at}/bin:{os.environ['PATH']}", "SIM": str(self.at)})
        return done.returncode, done.stdout, (self.at / "ran").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="a device needs root")
def test_a_new_instance_becomes_its_node_and_keeps_what_its_volume_has(environment, tmp_path):
    env = environment(consul_retry_join=["10.0.0.2"])
    env.apply()
    config = next(c for c in env.has("core_instance_configuration") if c["freeform_tags"]["group-index"] == "2")
    script = base64.b64decode(config["instance_details"][0]["launch_details"][0]["metadata"]["user_data"]).decode()
    new = Instance(tmp_path / "new", script)
    status, said, ran = new.boot(blkid=2)
    assert status == 0 and said.endswith("node 2: done\n"), said + ran
    assert "--display-name prod-us-ashburn-1-emqx-2 " in ran and "--availability-domain x:AD-3 " in ran
    assert ran.count("mkfs.xfs") == 1 and ran.index("mkfs.xfs") < ran.index("mount ") < ran.index("restart consul nomad")
    fstab = (new.at / "etc/fstab").read_text()
    assert fstab.count("UUID=1234-abcd ") == 1 and fstab.startswith("/dev/sda1 / xfs defaults 0 1\n#/dev/sda2 swap")
    assert 'group-index = "2"' in (new.at / "etc/nomad.d/nomad.hcl").read_text()
    assert json.loads((new.at / "etc/consul.d/emqx.json").read_text())["retry_join"] == ["10.0.0.2"]
    # Again, by hand: all is there.
    status, said, ran = new.boot(blkid=0)
    assert status == 0 and "mkfs" not in ran and "attach-" not in ran
    assert (new.at / "etc/fstab").read_text() == fstab
    # The volume of an instance that is gone has data.
    status, _, ran = Instance(tmp_path / "heir", script).boot(blkid=0)
    assert status == 0 and "attach-" in ran and "mkfs" not in ran
    # What cannot be told is not written to, and what has failed is said.
    for what, text, blkid, why in [("unclear", "uuid", 4, "cannot tell what is on"), ("volume", "volume", 2, "is not attached"),
                                   ("partitions", "uuid", 0, "is no file system")]:
        bad = Instance(tmp_path / what, script)
        (bad.at / text).write_text("")
        status, said, ran = bad.boot(blkid)
        assert status == 1 and "FAILED: " in said and why in said
        assert "mkfs" not in ran and "restart consul nomad" not in ran
