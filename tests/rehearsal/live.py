"""What the stand-ins of tests/deploy say that Terraform, OCI and Nomad have done, done on this machine, so that the rehearsal
goes by the deployment's own scripts. They tell after each command how the world is now, and wait until it is so."""
import json
import os
import socketserver
import subprocess
import threading

from jobs import Job
from net import node_address

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GATE, BROKER = "emqx-haproxy.hcl", "emqx.hcl"


class Live:
    """stage: the rehearsal's world. It has nodes by index, and open_balancer, add_node, remove_node, update_brokers and
    update_gates, which are called as the scripts ask for it."""

    def __init__(self, stage, directory, pace, **settings):
        self.stage, self.pace, self.jobs, self.variables, self.drained = stage, pace, {}, {}, set()
        (directory / "sim").mkdir()
        subprocess.run(["cp", "-r", f"{TOP}/tests/deploy/environment", directory / "sim" / "env"], check=True)
        handler = type("Handler", (socketserver.StreamRequestHandler,), {"handle": lambda request: self.answer(request)})
        self.server = socketserver.UnixStreamServer(str(directory / "live"), handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.env = {**os.environ, "PATH": f"{TOP}/tests/deploy/bin:{os.environ['PATH']}", "SIM_STATE": str(directory / "sim"),
                    "SIM_LIVE": str(directory / "live"), "TERRAFORM_DIR": str(directory / "sim" / "env"),
                    "ENVIRONMENT": "prod", "ORACLE_REGION": "us-ashburn-1", "DEPLOY_INTERVAL": str(max(5 / pace, 0.5)), **settings}
        for name in ("EMQX_COUNT", "EMQX_CLUSTER_COOKIE", "MQTT_HOST", "OCI_SIM_CLOUD"):
            self.env.pop(name, None)

    def script(self, name, *words, **settings):
        """Whether it succeeded; what it said is in said. Settings stay for the scripts after it."""
        self.env |= settings
        done = subprocess.run([f"{TOP}/scripts/{name}", *words], env=self.env, stdin=subprocess.DEVNULL, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.said = done.stdout
        return done.returncode == 0

    # --- the stand-ins' questions ---

    def answer(self, request):
        asked = json.loads(request.rfile.readline())
        try:
            answer = {"told": getattr(self, asked["ask"])(asked["of"])}
        except Exception as error:  # whatever it is, it fails the command, and so the script and the step
            answer = {"error": f"{type(error).__name__}: {error}"}
        request.wfile.write(json.dumps(answer).encode() + b"\n")

    def node(self, address):
        return next((node for node in self.stage.nodes.values() if node.address == address), None)

    def health(self, address):
        node = self.node(address)
        return node.health() if node else "000"

    def seen(self, address):
        return any(node_address(index) == address for index in self.stage.balancer.healthy())

    def release(self, address):
        return (self.node(address).gate.at / "local/run/release").read_text(encoding="ascii").strip()

    def make(self, world):
        """Terraform and OCI first; then Nomad: what stops, what starts, and what goes on in another way."""
        stage, nodes = self.stage, {address: node for address, node in world["nodes"].items()}
        if world["lb"] and not stage.balancer:
            stage.open_balancer()
        changed = self.learn(world)
        for node in list(stage.nodes.values()):
            wanted = nodes.pop(node.address, {"gate": False, "broker": False, "drain": node.index in self.drained, "there": False})
            if wanted["drain"] != (node.index in self.drained):
                stage.balancer.drain(node.index, wanted["drain"])
                self.drained ^= {node.index}
            if node.gate and not wanted["gate"]:
                stage.left += len(node.clients())
                node.gate.stop()
                node.gate = None
            if node.broker and not wanted["broker"]:
                node.broker.stop()
                node.broker = None
            if "there" in wanted:
                stage.remove_node(node.index)
                self.drained.discard(node.index)
            else:
                self.place(node, wanted)
        for index in range(len(stage.nodes), len(stage.nodes) + len(nodes)):
            self.place(stage.add_node(index), nodes[node_address(index)])
        if BROKER in changed:
            stage.update_brokers()
        if GATE in changed:
            stage.update_gates()
        elif "variables" in changed:
            for node in stage.nodes.values():
                if node.gate:
                    node.gate.change()

    def learn(self, world):
        """The jobs and their variables: what of that is another than before."""
        changed = set()
        for file, job in world["jobs"].items():
            given = {name: json.loads(value) if value[:1] in "[{" else value for name, value in job.items() if name != "nodes"}
            if self.jobs.get(file) != given:
                changed |= {file} if file in self.jobs else set()
                self.jobs[file] = given
                self.stage.jobs[file] = Job(file, given, self.pace)
        if world["variables"] != self.variables:
            self.variables = world["variables"]
            for path, items in self.variables.items():
                self.stage.store.put(path, **items)
            changed.add("variables")
        return changed

    def place(self, node, wanted):
        if wanted["broker"] and not node.broker:
            node.start_broker()
        if wanted["gate"] and not node.gate:
            node.start_gate()
