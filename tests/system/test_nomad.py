"""The Nomad jobs: read by HashiCorp's own HCL parser, checked for what Nomad would refuse, and what they bring to a node
is run here as it would be there."""
import hashlib
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import tarfile

import pytest

from mqgate import BUILD, DEADLINE_S, HERE, run, until
from mqttproto import connect
from node import hcl
from test_examples import CONNACK, Broker

NOMAD = HERE.parent.parent / "nomad"
JOBS = ["emqx.hcl", "emqx-haproxy.hcl"]
NODE, BROKER = "127.77.3.1", "127.77.3.2"

# Keys of the job specification (Nomad 1.9); {} after a block's name stands for free keys, "*" for a label.
SERVICE_CHECK = dict.fromkeys("name type port path interval timeout address_mode".split())
TASK = {
    **dict.fromkeys("driver user shutdown_delay kill_signal kill_timeout".split()),
    "config": {}, "env": {}, "vault": {"change_mode": None}, "resources": {"cpu": None, "memory": None},
    "artifact": {"source": None, "destination": None, "options": {}},
    "volume_mount": {"volume": None, "destination": None, "read_only": None},
    "template": {**dict.fromkeys("destination data change_mode change_signal env perms splay".split()),
                 "change_script": dict.fromkeys("command args timeout fail_on_error".split())}}
GROUP = {
    "count": None, "constraint": dict.fromkeys("attribute operator value".split()),
    "restart": dict.fromkeys("attempts interval delay mode".split()),
    "volume": {"*": dict.fromkeys("type source read_only".split())},
    "network": {"mode": None, "port": {"*": dict.fromkeys("static to host_network".split())}},
    "service": {**dict.fromkeys("name port address tags".split()), "check": SERVICE_CHECK}, "task": {"*": TASK}}
JOB = {**dict.fromkeys("id name datacenters type".split()), "constraint": GROUP["constraint"],
       "update": dict.fromkeys("max_parallel stagger health_check min_healthy_time healthy_deadline progress_deadline "
                               "auto_revert".split()),
       "group": {"*": GROUP}}
FILE = {"variable": {"*": dict.fromkeys("type default description".split())}, "locals": {}, "job": {"*": JOB}}
CONFIG = {"exec": {"command", "args"}, "docker": {"image", "network_mode", "ulimit", "entrypoint", "command", "args"}}


def parsed(name):
    return hcl(NOMAD / name)


def unknown(value, spec, where=""):
    """Keys that the specification does not have."""
    if isinstance(value, list):
        return [each for item in value for each in unknown(item, spec, where)]
    if not isinstance(value, dict) or not spec:
        return []
    found = []
    for key, inside in value.items():
        if key == "dynamic":
            for name, blocks in inside.items():
                content = [block["content"] for block in blocks]
                content = [{name: part} if "*" not in spec.get(name, {}) else {name: {"x": part}} for part in content]
                found += unknown(content, spec, where)
        elif key not in spec and "*" not in spec:
            found.append(f"{where}/{key}")
        else:
            found += unknown(inside, spec[key] if key in spec else spec["*"], f"{where}/{key}")
    return found


def the_job(name):
    return next(iter(parsed(name)["job"].values()))[0]


def the_group(name):
    return next(iter(the_job(name)["group"].values()))[0]


def tasks(name):
    group = the_group(name)
    found = [task[0] for task in group.get("task", {}).values()]
    return found + [block["content"][0] for block in group.get("dynamic", {}).get("task", [])]


def default(name, variable):
    return parsed(name)["variable"][variable][0]["default"]


def local(name):
    return next(value[name] for value in parsed("emqx-haproxy.hcl")["locals"] if name in value)


def seconds(duration):
    return int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600}[duration[-1]]


@pytest.mark.parametrize("name", JOBS)
def test_a_job_has_only_keys_of_the_specification(name):
    assert unknown(parsed(name), FILE) == []
    assert unknown({"job": {"x": [{"groop": {}}]}}, FILE) == ["/job/x/groop"]
    for task in tasks(name):
        assert set(task["config"][0]) <= CONFIG[task["driver"]]


@pytest.mark.parametrize("name", JOBS)
def test_variables_and_locals_are_declared_and_used(name):
    text = (NOMAD / name).read_text(encoding="utf-8")
    for kind, declared in (("var", set(parsed(name)["variable"])),
                           ("local", {key for each in parsed(name).get("locals", []) for key in each})):
        assert set(re.findall(rf"\b{kind}\.(\w+)", text)) == declared


def ports(name):
    """Address and number of each reserved port; and the label."""
    found = {}
    for network in the_group(name)["network"]:
        for label, (port,) in network["port"].items():
            found[port.get("host_network", "default"), port["static"]] = label
    return found


def test_both_jobs_fit_on_one_node():
    broker, gate = (ports(name) for name in JOBS)
    assert not broker.keys() & gate.keys()
    assert {number for network, number in gate} == {1883, 8883, 8083, 8084, 8080}
    assert {number for network, number in broker if network == "default"} == {4370, 5370}
    client = parsed("client.hcl.example")["client"][0]
    assert {network for network, _ in broker} - {"default"} == set(client["host_network"])
    assert {volume["source"] for (volume,) in the_group("emqx.hcl")["volume"].values()} <= set(client["host_volume"])


@pytest.mark.parametrize("name", JOBS)
def test_checks_and_services_name_ports_of_the_group(name):
    labels = set(ports(name).values())
    for service in the_group(name)["service"]:
        assert service["port"] in labels
        assert {check.get("port", service["port"]) for check in service.get("check", [])} <= labels


def test_brokers_listen_on_loopback_and_expect_the_header():
    (task,) = tasks("emqx.hcl")
    env = task["env"][0]
    reserved = {f"127.0.0.1:{number}" for network, number in ports("emqx.hcl") if network == "loopback"}
    assert {value for key, value in env.items() if key.endswith("__BIND")} == reserved
    for protocol in ("TCP", "WS"):
        assert env[f"EMQX_LISTENERS__{protocol}__DEFAULT__PROXY_PROTOCOL"] == "true"
    assert "cookie" not in json.dumps(env).lower() and "nomadVar" in task["template"][0]["data"]
    assert env["EMQX_NODE__NAME"].startswith("emqx@emqx-${meta.group-index}.")
    assert the_job("emqx.hcl")["update"][0]["max_parallel"] == 1 and len(the_job("emqx.hcl")["group"]) == 1


def drain(configuration, name):
    """Seconds that global.drain has for it in a configuration."""
    return seconds(re.search(rf'^\s*drain.*?\b{name} *= *"(\w+)"', configuration, re.M | re.S)[1])


def test_a_drain_fits_between_the_signal_and_the_end():
    notice, deadline = (drain(local("conf"), name) for name in ("notice", "deadline"))
    check = parsed("../terraform/emqx-network-load-balancer/variables.tf")["variable"]["health_check"][0]["default"]
    detection = check["interval_ms"] * check["retries"] / 1000 + check["timeout_ms"] / 1000
    assert notice >= detection, "clients are still sent here when the listeners close"
    client = seconds(parsed("client.hcl.example")["client"][0]["max_kill_timeout"])
    assert seconds(parsed("../terraform/emqx-instance-pool/variables.tf")["variable"]["max_kill_timeout"][0]["default"]) == client
    for task in tasks("emqx-haproxy.hcl"):
        assert task["kill_signal"] == "SIGTERM"
        assert notice + deadline < seconds(task["kill_timeout"]) <= client
        stop = seconds(task["shutdown_delay"]) + seconds(task["kill_timeout"])
        assert seconds(the_job("emqx-haproxy.hcl")["update"][0]["stagger"]) >= stop + detection
    assert seconds(tasks("emqx.hcl")[0]["kill_timeout"]) <= client


def test_one_number_of_open_files_everywhere():
    top = NOMAD.parent
    found = {}
    for file in ("nomad/emqx.hcl", "nomad/emqx-haproxy.hcl", "nomad/client.hcl.example", "systemd/mqgate.service.in",
                 "terraform/emqx-instance-pool/templates/cloud-init.sh.tftpl"):
        text = (top / file).read_text(encoding="utf-8")
        found[file] = set(re.findall(r'(?:nofile|LimitNOFILE|nr_open|file-max)[ ="]+(\d+)(?::(\d+))?', text))
    numbers = {number for pairs in found.values() for pair in pairs for number in pair if number}
    assert all(found.values()) and numbers == {"2097152"}, found


def test_certificates_and_builds_are_taken_up_without_a_stop():
    for task in tasks("emqx-haproxy.hcl"):
        modes = {template["destination"]: template for template in task["template"]}
        assert {each["change_mode"] for each in modes.values()} == {"noop", "signal", "script"}
        for file in ("local/mqgate.conf", "secrets/fullchain.pem", "secrets/privkey.pem"):
            assert modes[file]["change_signal"] == "SIGHUP"
        assert modes["local/release"]["change_script"][0]["args"] == ["/local/gate", "upgrade"]
        assert task["artifact"][0]["options"][0]["checksum"] == "${var.artifact_checksum}"
    by_driver = {task["driver"]: {**task, "config": None, "driver": None} for task in tasks("emqx-haproxy.hcl")}
    assert by_driver.keys() == {"exec", "docker"} and by_driver["exec"] == by_driver["docker"]


# --- what is on the node ----------------------------------------------------------------------------------------------

def rendered(tmp_path, pki):
    """The configuration as Nomad writes it there."""
    chain, key = pki.leaf("mqtt.test")
    shutil.copy(chain, tmp_path / "fullchain.pem")
    shutil.copy(key, tmp_path / "privkey.pem")
    values = {"node.unique.name": "emqx-0", "NOMAD_TASK_DIR": str(tmp_path), "NOMAD_SECRETS_DIR": str(tmp_path),
              **{f"NOMAD_ADDR_{label}": f"{NODE}:{number}" for (_, number), label in ports("emqx-haproxy.hcl").items()},
              "NOMAD_PORT_admin": "8080"}
    text = local("conf").replace("${jsonencode(var.balancer_networks)}",
                                 json.dumps(default("emqx-haproxy.hcl", "balancer_networks")))
    text = re.sub(r'\{\{ env "([\w.]+)" \}\}', lambda match: values[match[1]], text)
    assert "{{" not in text and "${" not in text
    return text


def test_the_configuration_is_taken_as_it_is(tmp_path, pki):
    (tmp_path / "mqgate.conf").write_text(rendered(tmp_path, pki), encoding="utf-8")
    done = run("-c", "-f", tmp_path / "mqgate.conf")
    assert done.returncode == 0, done.stderr


def test_clients_and_the_seeds_requests_are_answered(mqgate, serve, tmp_path, pki):
    serve(Broker, BROKER, 1883)
    serve(Broker, BROKER, 8083)
    text = rendered(tmp_path, pki).replace('"127.0.0.1:', f'"{BROKER}:').replace('"0.0.0.0:', f'"{NODE}:')
    mqgate(text)

    def http(path):
        with socket.create_connection((NODE, 8080), DEADLINE_S) as sock:
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            return int(sock.recv(4096).split()[1])
    until(lambda: http("/haproxy_health") == 200, "health")
    assert http("/haproxy_stats") == 200
    for port in (1883, 8080):
        with socket.create_connection((NODE, port), DEADLINE_S) as sock:
            sock.sendall(connect())
            assert sock.recv(99) == CONNACK


class Task:
    """The task directory of an allocation, and builds to fetch."""

    def __init__(self, directory):
        self.at, self.builds = directory / "local", directory / "builds"
        self.builds.mkdir()
        self.at.mkdir()
        (self.at / "gate").write_text(local("gate"), encoding="utf-8")
        (self.at / "release").write_text("\n", encoding="utf-8")
        (self.at / "mqgate.conf").write_text("", encoding="utf-8")
        self.program(self.at / "mqgate", "first")

    def program(self, directory, name, checks=0, upgrades=0):
        for path, text in (("sbin/mqgate", f'[ "$1" != -c ] || exit {checks}; echo runs {name} "$@"'),
                           ("bin/mqgatectl", f'echo {name} "$@" >>"{self.at}/told"; exit {upgrades}')):
            file = directory / path
            file.parent.mkdir(parents=True)
            file.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
            file.chmod(file.stat().st_mode | stat.S_IXUSR)

    def build(self, name, checks=0, upgrades=0, checksum=None):
        self.program(self.builds / name / "mqgate", name, checks, upgrades)
        archive = self.builds / f"{name}.tar.gz"
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(self.builds / name / "mqgate", "mqgate")
        checksum = checksum or hashlib.sha256(archive.read_bytes()).hexdigest()
        (self.at / "release").write_text(f"{archive.as_uri()} {checksum}\n", encoding="utf-8")

    def gate(self, verb, status=0):
        done = subprocess.run(["bash", self.at / "gate", verb], capture_output=True, text=True, check=False,
                              timeout=DEADLINE_S, env={**os.environ, "NOMAD_TASK_DIR": str(self.at)})
        assert done.returncode == status, done.stderr
        return done

    def runs(self):
        return self.gate("start").stdout.split()[1]

    def told(self):
        return (self.at / "told").read_text(encoding="utf-8").split("\n")[:-1] if (self.at / "told").exists() else []


@pytest.fixture
def task(tmp_path):
    return Task(tmp_path)


def test_the_gate_starts_from_the_artifact(task):
    assert task.gate("start").stdout == f"runs first -f {task.at}/mqgate.conf\n"


def test_another_build_is_put_in_place_and_the_gate_told(task):
    task.gate("start")
    task.build("second")
    task.gate("upgrade")
    assert task.told() == [f"second -s {task.at}/mqgate.sock upgrade"]
    assert "echo runs second" in (task.at / "run" / "mqgate").read_text(encoding="utf-8")
    task.gate("upgrade")
    assert len(task.told()) == 1, "told twice of the same build"
    assert task.runs() == "second", "a task that starts again"
    shutil.rmtree(task.builds)
    assert task.runs() == "second", "it has it, and need not fetch it"
    (task.at / "release").write_text("\n", encoding="utf-8")
    assert task.runs() == "first", "a release that is taken back"


def test_an_upgrade_that_does_not_come_about_is_not_said_to_have(task):
    task.gate("start")
    task.build("second", upgrades=1)
    assert "gate: the gate goes on as it was" in task.gate("upgrade", status=1).stderr
    assert not (task.at / "run" / "release").exists()
    task.gate("upgrade", status=1)
    assert len(task.told()) == 2, "it can be tried again"


def test_a_node_that_starts_later_has_the_same_build(task):
    task.build("second")
    assert task.runs() == "second"


@pytest.mark.parametrize("what", ["gone", "checksum", "configuration", "archive"])
def test_a_build_that_is_no_good_changes_nothing(task, what):
    task.gate("start")
    task.build("second", checks=1 if what == "configuration" else 0, checksum="0" * 64 if what == "checksum" else None)
    if what == "gone":
        (task.builds / "second.tar.gz").unlink()
    if what == "archive":
        (task.builds / "second.tar.gz").write_bytes(b"no archive")
        digest = hashlib.sha256(b"no archive").hexdigest()
        (task.at / "release").write_text(f"{(task.builds / 'second.tar.gz').as_uri()} {digest}\n", encoding="utf-8")
    done = task.gate("upgrade")
    assert done.stderr.count("gate: ") == 1
    assert task.told() == []
    assert task.runs() == "first"


def test_the_script_is_sound(tmp_path):
    (tmp_path / "gate").write_text(local("gate"), encoding="utf-8")
    done = subprocess.run(["shellcheck", "-s", "bash", tmp_path / "gate"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


# --- systemd ----------------------------------------------------------------------------------------------------------

def test_the_unit_exposes_little_and_knows_its_paths():
    unit = (BUILD / "systemd" / "mqgate.service").read_text(encoding="utf-8")
    assert "@" not in re.sub(r"^SystemCallFilter.*$", "", unit, flags=re.M)
    for line in ("Type=notify", "ExecReload=kill -HUP $MAINPID", "RestartPreventExitStatus=1 2"):
        assert line in unit.splitlines()
    default = (NOMAD.parent / "etc" / "mqgate.conf").read_text(encoding="utf-8")    # every option at its default
    assert int(re.search(r"^TimeoutStopSec=(\d+)s$", unit, re.M)[1]) > drain(default, "notice") + drain(default, "deadline")
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=14",
                           BUILD / "systemd" / "mqgate.service"], capture_output=True, text=True, check=False)
    level = float(re.search(r"Overall exposure level for mqgate.service: ([\d.]+)", done.stdout)[1])
    assert level < 1.5 and done.returncode == 0, done.stdout
