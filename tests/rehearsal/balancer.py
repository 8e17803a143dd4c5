"""HAProxy doing what the load balancer of terraform/ does: its listeners, sets, policy, health check and PROXY header, read from
the modules; in both ways of attaching pools at once, at an address each."""
import csv
import io
import pathlib
import socket
import subprocess

from net import PUBLIC, node_address
from node import hcl

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
MODULE = TOP / "terraform" / "emqx-network-load-balancer"
MUX_PORT = 8080


class Balancer:
    def __init__(self, namespace, directory, n_nodes, pace):
        module = hcl(MODULE / "main.tf")
        variables = hcl(MODULE / "variables.tf")["variable"]
        checker = module["resource"]["oci_load_balancer_backend_set"]["set"][0]["health_checker"][0]
        check = variables["health_check"][0]["default"]
        self.detection_s = (check["interval_ms"] * check["retries"] + check["timeout_ms"]) / 1000 / pace
        idle = variables["idle_timeout_seconds"][0]["default"]
        listeners = module["locals"][0]["listeners"]
        assert module["resource"]["oci_load_balancer_backend_set"]["set"][0]["policy"] == "LEAST_CONNECTIONS"
        self.control = str(directory / "balancer.sock")
        text = (f"global\n  maxconn 9000\n  stats socket {self.control} level admin\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout queue 100ms\n"
                f"  timeout client {idle}s\n  timeout server {idle}s\n  timeout check {check['timeout_ms'] // pace}ms\n")
        self.sets = []
        for attach, public in PUBLIC.items():
            for key, port in listeners.items():
                name = f"{attach}-emqx-{'mqtt' if attach == 'mux' else key}-backend"
                text += f"frontend {attach}-{key}\n  bind {public}:{port}\n  default_backend {name}\n"
                if name in self.sets:
                    continue
                self.sets.append(name)
                text += (f"backend {name}\n  balance leastconn\n  option httpchk GET {checker['url_path']}\n"
                         f"  http-check expect status {checker['return_code']}\n"
                         f"  default-server send-proxy-v2 check port {checker['port']} inter {check['interval_ms'] // pace}ms "
                         f"fall {check['retries']} rise {check['retries']} disabled\n")
                for index in range(n_nodes):
                    text += f"  server node-{index} {node_address(index)}:{MUX_PORT if attach == 'mux' else port}\n"
        (directory / "balancer.cfg").write_text(text, encoding="utf-8")
        with open(directory / "balancer.log", "wb") as log:
            self.process = namespace.start("haproxy", "-db", "-f", directory / "balancer.cfg", stdin=subprocess.DEVNULL,
                                           stdout=log, stderr=log)

    def ask(self, command):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(self.control)
            sock.sendall(command.encode() + b"\n")
            answer = b""
            while piece := sock.recv(65536):
                answer += piece
        return answer.decode()

    def each(self, index, what):
        said = [self.ask(f"set server {name}/node-{index} {what}").strip() for name in self.sets]
        assert not any(said), said

    def attach(self, index):
        """The pool has an instance, whose backends are unhealthy until they are found to be healthy."""
        self.each(index, "state ready")
        self.each(index, "health down")

    def detach(self, index):
        self.each(index, "state maint")

    def drain(self, index, on):
        self.each(index, "state drain" if on else "state ready")

    def healthy(self):
        """Nodes that every backend set sends clients to."""
        rows = csv.DictReader(io.StringIO(self.ask("show stat").removeprefix("# ")))
        up = {}
        for row in rows:
            if row["svname"].startswith("node-"):
                up.setdefault(int(row["svname"][5:]), []).append(row["status"] == "UP")
        return {index for index, states in up.items() if all(states)}
