"""Nomad's part: the jobs of nomad/, read from their files, and a task of one on a node, as Nomad's client runs it.

A task has its directory, its artifact with its checksum, its templates (rendered by render.go, as Nomad does with Go's
templates), its user and its command. A change of a variable goes into the templates, and what a changed template asks
for is done: a signal or a script. A stop waits for shutdown_delay, sends kill_signal and kills after kill_timeout.
What Nomad does and no job here needs is not here; an expression that is not known is an error.
"""
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tarfile
import time

from node import hcl

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent


def seconds(duration):
    return int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600}[duration[-1]]


class Job:
    """variables: of the command line. pace: durations are that much shorter."""

    def __init__(self, name, variables, pace=1):
        read = hcl(TOP / "nomad" / name)
        self.variables = {key: value[0].get("default") for key, value in read["variable"].items()} | variables
        self.locals = {key: value for each in read.get("locals", []) for key, value in each.items()}
        self.pace = pace
        (body,), = read["job"].values()
        self.name = self.expand(body["id"])
        self.update = body["update"][0]
        (group,), = body["group"].values()
        self.ports = {label: port[0]["static"] for label, port in group["network"][0]["port"].items()}
        self.health = group["service"][0]["check"][0]
        self.restart_delay_s = self.scaled(group["restart"][0]["delay"])
        tasks = [task[0] for task in group.get("task", {}).values()]
        tasks += [block["content"][0] for block in group.get("dynamic", {}).get("task", [])]
        self.task = next(task for task in tasks if task["driver"] == self.variables.get("driver", task["driver"]))

    def scaled(self, duration):
        return seconds(duration) / self.pace

    def expand(self, text):
        def value(match):
            expression = match[1]
            if expression.startswith("var."):
                return str(self.variables[expression[4:]])
            if expression.startswith("local."):
                return self.expand(self.locals[expression[6:]])
            if listed := re.fullmatch(r"jsonencode\(var\.(\w+)\)", expression):
                return json.dumps(self.variables[listed[1]])
            if item := re.fullmatch(r'replace\(var\.vault_path == "" \? local\.from_nomad : local\.from_vault, "ITEM", "(\w+)"\)',
                                    expression):
                return self.expand(self.locals["from_vault" if self.variables["vault_path"] else "from_nomad"]).replace("ITEM", item[1])
            raise ValueError(f"{self.name}: the runner does not know ${{{expression}}}")
        return re.sub(r"\$\{((?:var|local)\.\w+|jsonencode\([^}]*\)|replace\([^}]*\))\}", value, text)

    def templates(self):
        """Their texts, with the durations of the drain at this pace."""
        found = {each["destination"]: self.expand(each["data"]) for each in self.task["template"]}
        if self.pace != 1 and "local/mqgate.conf" in found:
            found["local/mqgate.conf"] = re.sub(
                r"^ *drain: .*$", lambda drain: re.sub(r'"(\d+)s"', lambda s: f'"{int(s[1]) * 1000 // self.pace}ms"', drain[0]),
                found["local/mqgate.conf"], flags=re.M)
        return found


class Renderer:
    def __init__(self, directory):
        self.program = directory / "render"
        subprocess.run(["go", "build", "-o", self.program, HERE / "render.go"], check=True,
                       env={"GOCACHE": str(directory / "go"), **os.environ})

    def __call__(self, env, variables, templates):
        done = subprocess.run([self.program], input=json.dumps({"env": env, "variables": variables, "templates": templates}),
                              check=True, text=True, capture_output=True)
        return json.loads(done.stdout)


class Store:
    """Nomad's variables, and where builds are fetched from."""

    def __init__(self, directory):
        self.variables, self.directory = {}, directory

    def put(self, path, **items):
        self.variables[path] = {**self.variables.get(path, {}), **items}

    def build(self, name, tree):
        """A build tree as the tarball that make bindist makes of it: its URL and checksum."""
        archive = self.directory / f"{name}.tar.gz"
        with tarfile.open(archive, "w:gz") as tar:
            for program, place in (("mqgate", "sbin"), ("mqgatectl", "bin")):
                tar.add(tree / "src" / program, f"mqgate/{place}/{program}")
        archive.chmod(0o644)
        return archive.as_uri(), hashlib.sha256(archive.read_bytes()).hexdigest()


class Task:
    def __init__(self, job, namespace, index, address, directory, store, render):
        self.job, self.namespace, self.store, self.render = job, namespace, store, render
        self.at = directory
        shutil.rmtree(directory, ignore_errors=True)
        for name in ("local", "secrets"):
            (directory / name).mkdir(parents=True)
            (directory / name).chmod(0o777)
        self.env = {"NOMAD_TASK_DIR": str(directory / "local"), "NOMAD_SECRETS_DIR": str(directory / "secrets"),
                    "NOMAD_JOB_ID": job.name, "node.unique.name": f"emqx-{index}",
                    **{f"NOMAD_ADDR_{label}": f"{address}:{port}" for label, port in job.ports.items()},
                    **{f"NOMAD_PORT_{label}": str(port) for label, port in job.ports.items()}}
        self.log = open(directory / "stderr", "ab")
        self.fetch()
        self.written = {}
        self.write()
        self.process = self.command(self.job.task["config"][0]["command"], self.job.task["config"][0]["args"])

    def fetch(self):
        variables = self.job.variables
        archive = pathlib.Path(variables["artifact"].removeprefix("file://"))
        digest = "sha256:" + hashlib.sha256(archive.read_bytes()).hexdigest()
        assert digest == variables["artifact_checksum"], "the artifact has another checksum"
        with tarfile.open(archive) as tar:
            tar.extractall(self.at / "local")

    def write(self):
        """Renders the templates, and answers those that came out otherwise than before."""
        now = self.render(self.env, self.store.variables, self.job.templates())
        changed = [each for each in self.job.task["template"] if now[each["destination"]] != self.written.get(each["destination"])]
        for each in changed:
            file = self.at / each["destination"]
            new = file.with_name(file.name + ".new")
            new.write_text(now[each["destination"]], encoding="utf-8")
            new.chmod(int(each.get("perms", "644"), 8))
            new.rename(file)
        self.written = now
        return changed

    def command(self, command, args):
        """As the task's user. /local is the task's directory there; here it is where it is."""
        args = [re.sub("^/local/", str(self.at / "local") + "/", each) for each in args]
        return self.namespace.start("setpriv", f"--reuid={self.job.task['user']}", "--regid=nogroup", "--clear-groups",
                                    command, *args, env={**os.environ, **self.env}, stdin=subprocess.DEVNULL,
                                    stdout=self.log, stderr=self.log)

    def change(self):
        """What Nomad does when a variable has changed."""
        for each in self.write():
            if each["change_mode"] == "signal":
                self.process.send_signal(signal.Signals[each["change_signal"]])
            elif each["change_mode"] == "script":
                script = each["change_script"][0]
                self.command(script["command"], script["args"]).wait(seconds(script["timeout"]))

    def stop(self):
        """Seconds that it took; an error when it had to be killed."""
        task, began = self.job.task, time.monotonic()
        time.sleep(self.job.scaled(task["shutdown_delay"]))
        self.process.send_signal(signal.Signals[task["kill_signal"]])
        self.process.wait(self.job.scaled(task["kill_timeout"]))
        assert self.process.returncode == 0, f"{self.at} ended with status {self.process.returncode}"
        return time.monotonic() - began

    def ctl(self, command):
        done = subprocess.run([self.at / "local/run/mqgatectl", "-s", self.at / "local/mqgate.sock", *command.split()],
                              check=False, text=True, capture_output=True, timeout=30)
        return done.stdout


class Broker:
    """What stands for EMQX: mosquitto, and in front of it what takes the PROXY header that it does not know. It binds
    what the job has EMQX bind."""

    def __init__(self, job, namespace, directory):
        env = job.task["env"][0]
        self.job, directory = job, pathlib.Path(directory)
        directory.mkdir(exist_ok=True)
        inner = {"TCP": 21883, "WS": 28083}
        (directory / "mosquitto.conf").write_text(
            f"user nobody\nallow_anonymous true\nlog_type none\nlistener {inner['TCP']} 127.0.0.1\n"
            f"listener {inner['WS']} 127.0.0.1\nprotocol websockets\n", encoding="utf-8")
        front = "global\n  maxconn 9000\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 2h\n  timeout server 2h\n"
        for kind, port in inner.items():
            assert env[f"EMQX_LISTENERS__{kind}__DEFAULT__PROXY_PROTOCOL"] == "true"
            front += (f"listen {kind}\n  bind {env[f'EMQX_LISTENERS__{kind}__DEFAULT__BIND']} accept-proxy\n"
                      f"  server broker 127.0.0.1:{port}\n")
        (directory / "front.cfg").write_text(front, encoding="utf-8")
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.processes = [namespace.start("mosquitto", "-c", directory / "mosquitto.conf", **quiet),
                          namespace.start("haproxy", "-db", "-f", directory / "front.cfg", **quiet)]

    def kill(self, number=signal.SIGKILL):
        for process in self.processes:
            process.send_signal(number)
        for process in self.processes:
            process.wait()

    def stop(self):
        self.kill(signal.Signals[self.job.task["kill_signal"]])
