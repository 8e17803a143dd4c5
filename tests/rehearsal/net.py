"""Network namespaces: the internet, the load balancer between it and a bridge, and nodes on the bridge."""
import contextlib
import os
import signal
import subprocess

INTERNET, PUBLIC = "203.0.113.1", {"mux": "203.0.113.10", "ports": "203.0.113.11"}
BALANCER = "10.0.1.2"


def node_address(index):
    return f"10.0.1.{10 + index}"


def ip(*words):
    subprocess.run(["ip", *words], check=True)


class Namespace:
    def __init__(self, name):
        self.name, self.processes = f"rehearse-{os.getpid()}-{name}", []
        ip("netns", "add", self.name)
        ip("-n", self.name, "link", "set", "lo", "up")

    def link(self, device, peer, peer_device, *addresses, hardware=()):
        ip("-n", self.name, "link", "add", device, *hardware, "type", "veth", "peer", "name", peer_device, "netns", peer.name)
        for namespace, end in ((self, device), (peer, peer_device)):
            ip("-n", namespace.name, "link", "set", end, "up")
        for address in addresses:
            ip("-n", self.name, "address", "add", f"{address}/24", "dev", device)

    def start(self, *command, **options):
        """A process here. It goes with the namespace."""
        process = subprocess.Popen(["ip", "netns", "exec", self.name, *map(str, command)], **options)
        self.processes.append(process)
        return process

    def run(self, *command, **options):
        return subprocess.run(["ip", "netns", "exec", self.name, *map(str, command)], check=False, text=True,
                              capture_output=True, timeout=30, **options)

    def end(self):
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            process.wait()
        ip("netns", "delete", self.name)


class Net:
    def __init__(self):
        self.namespaces = []
        self.internet, self.balancer = self.add("internet"), self.add("balancer")
        self.internet.link("eth0", self.balancer, "public", INTERNET)
        for address in PUBLIC.values():
            ip("-n", self.balancer.name, "address", "add", f"{address}/24", "dev", "public")
        ip("-n", self.balancer.name, "link", "add", "bridge", "type", "bridge")
        ip("-n", self.balancer.name, "link", "set", "bridge", "up")
        ip("-n", self.balancer.name, "address", "add", f"{BALANCER}/24", "dev", "bridge")

    def add(self, name):
        self.namespaces.append(Namespace(name))
        return self.namespaces[-1]

    def add_node(self, index):
        node = self.add(f"node-{index}")
        # Always the same, so that nobody has to learn it again when another node takes the place.
        node.link("eth0", self.balancer, f"node-{index}", node_address(index), hardware=("address", f"02:00:00:00:01:{index:02}"))
        ip("-n", self.balancer.name, "link", "set", f"node-{index}", "master", "bridge")
        return node

    def remove(self, namespace):
        namespace.end()
        self.namespaces.remove(namespace)

    def remove_node(self, node, suddenly=False):
        """suddenly: nobody hears of it, as the link goes first. It is deleted, as a namespace may live on for a while."""
        if suddenly:
            ip("-n", node.name, "link", "delete", "eth0")
        for process in node.processes:
            process.kill()
        if not suddenly:
            ip("-n", node.name, "link", "delete", "eth0")
        self.remove(node)

    def end(self):
        for namespace in list(self.namespaces):
            self.remove(namespace)
