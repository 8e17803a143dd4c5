"""systemd's descriptor store, with the real systemd: a restart loses no connection, a crash keeps the listeners."""
import contextlib
import re
import socket
import subprocess
import time

import pytest

from mqgate import BINARY, BUILD, DEADLINE_S, REPORTS, conf, conf_text, environment, parse_line, pattern, until
from mqttproto import receive
from servers import Echo, Listener, ends, free_port
from systemd import Systemd

HELLO = b"hello"
# What of our unit is about the store; the rest wants the system's manager.
KEPT = re.compile(r"^(FileDescriptorStoreMax|Environment|RestartKillSignal|Restart|RestartPreventExitStatus)=.*$", re.M)


class Service:
    def __init__(self, manager, directory, configuration):
        directory.mkdir()
        self.manager = manager
        self.log = directory / "log"
        self.file = directory / "mqgate.conf"
        self.control = directory / "control"
        configuration["global"]["control_socket"] = str(self.control)
        self.file.write_text(conf_text(configuration), encoding="utf-8")
        unit = (BUILD / "systemd" / "mqgate.service").read_text(encoding="utf-8")
        variables = [f'Environment="{key}={value}"' for key, value in environment().items() if "SAN_OPTIONS" in key]
        manager.write("mqgate", ["Type=notify", "NotifyAccess=main", f"ExecStart={BINARY} -f {self.file}",
                                 "RestartSec=0", f"StandardOutput=append:{self.log}",
                                 f"StandardError=append:{self.log}", *variables,
                                 *(found[0] for found in KEPT.finditer(unit))])
        manager.ctl("start", "mqgate")

    def lines(self, **fields):
        """Of the log: what a sanitizer or a crash writes there is none of its lines."""
        found = [parse_line(line) for line in self.log.read_text(encoding="utf-8").splitlines()
                 if line.startswith("ts=")]
        return [line for line in found if all(line.get(key) == str(value) for key, value in fields.items())]

    def wait(self, count=1, **fields):
        return until(lambda: len(found := self.lines(**fields)) >= count and found[count - 1], f"{fields}")

    def connect(self, listener="in"):
        host, port = self.wait(event="listening", listener=listener)["addr"].rsplit(":", 1)
        return socket.create_connection((host, int(port)), DEADLINE_S)

    def descriptors(self):
        return int(self.manager.show("mqgate", "NFileDescriptorStore"))

    def started(self):
        """Seconds since 1970."""
        info = subprocess.run([BUILD / "src/mqgatectl", "-s", self.control, "show", "info"], capture_output=True,
                              text=True, timeout=DEADLINE_S, check=True).stdout
        return int(re.search(r"^Start_time_sec: (\d+)$", info, re.M)[1])

    def pid(self):
        return int(self.manager.show("mqgate", "MainPID"))


@pytest.fixture(scope="module")
def manager(tmp_path_factory):
    with Systemd(tmp_path_factory.mktemp("systemd")) as manager:
        yield manager


@pytest.fixture
def service(manager, tmp_path):
    with contextlib.ExitStack() as stack:
        def start(configuration):
            stack.callback(manager.ctl, "stop", "mqgate")
            return Service(manager, tmp_path / "service", configuration)
        yield start
    log = tmp_path / "service" / "log"
    assert not REPORTS.search(log.read_text(encoding="utf-8", errors="replace"))
    manager.ctl("reset-failed")


def says_hello(client):
    client.sendall(HELLO)
    return receive(client, len(HELLO)) == HELLO


def test_a_restart_loses_no_connection(service, serve, manager):
    gate = service(conf(serve(Echo).port))
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(gate.connect()) for _ in range(300)]
        assert all(map(says_hello, clients))
        for n in range(3):
            before = gate.pid()
            manager.ctl("restart", "mqgate")
            assert gate.pid() != before
            assert gate.wait(n + 1, event="upgraded", by="restart")["sessions"] == "300"
            assert all(map(says_hello, clients))
            until(lambda: gate.descriptors() == 3, "the store to hold listening sockets only")
        clients[0].close()
        assert gate.wait(event="session_end")["why"] == "client_closed"


def test_bytes_in_hand_outlive_a_restart(service, serve, manager):
    gate = service(conf((listener := serve(Listener)).port))
    data = pattern(4_000_000, 1)
    with gate.connect() as client, listener.accept() as server:
        server.setblocking(False)
        sent = 0
        with contextlib.suppress(BlockingIOError):
            while sent < len(data):
                sent += server.send(data[sent:])
        manager.ctl("restart", "mqgate")
        assert receive(client, sent) == data[:sent]


def test_an_end_is_an_end_although_there_is_a_store(service, serve, manager):
    """No descriptor of a connection stays there."""
    gate = service(conf((listener := serve(Listener)).port))
    with gate.connect() as client, listener.accept() as server:
        manager.ctl("restart", "mqgate")
        server.close()
        assert client.recv(1) == b""
        client.close()
    gate.wait(event="session_end")


def test_a_stop_drains(service, serve, manager):
    gate = service(conf(serve(Echo).port))
    with gate.connect() as client:
        assert says_hello(client)
        manager.ctl("stop", "--no-block", "mqgate")
        assert client.recv(1) == b""
    gate.wait(event="drained")
    until(lambda: manager.show("mqgate", "ActiveState") == "inactive", "its end")
    assert gate.descriptors() == 0


def test_a_crash_keeps_the_listeners(service, serve, manager):
    """Whoever connects meanwhile waits in their queues."""
    gate = service(conf(serve(Echo).port, listener={"bind": f"127.0.0.1:{free_port()}"},
                        admin={"bind": f"127.0.0.1:{free_port()}"}))
    before, begun = gate.pid(), int(time.time())
    with gate.connect() as client:
        assert says_hello(client)
        manager.ctl("kill", "-s", "KILL", "mqgate")
        assert ends(client)[1] == b""
    with gate.connect() as client:
        assert says_hello(client)
    assert gate.pid() != before
    assert gate.started() >= begun  # another process, which took nothing else over
    with contextlib.closing(gate.connect("admin")) as admin:
        admin.sendall(b"GET /haproxy_health HTTP/1.0\r\n\r\n")
        assert receive(admin, 12) == b"HTTP/1.1 200"


def test_more_than_the_store_takes_is_drained(service, serve, manager):
    """Nothing that was put there by then stays."""
    gate = service(conf(serve(Echo).port))
    manager.write("mqgate", [re.sub(r"^Environment=FDSTORE=.*", "Environment=FDSTORE=10", line)
                             for line in manager.read("mqgate")])
    manager.ctl("restart", "mqgate")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(gate.connect()) for _ in range(10)]
        assert all(map(says_hello, clients))
        manager.ctl("restart", "--no-block", "mqgate")
        assert [client.recv(1) for client in clients] == [b""] * 10
        for client in clients:
            client.close()
    assert "FileDescriptorStoreMax" in gate.wait(event="upgrade_failed", by="restart")["why"]
    gate.wait(event="drained")
    gate.wait(3, event="ready")
    until(lambda: gate.descriptors() == 3, "the store to hold listening sockets only")


def test_without_a_store_a_restart_drains(service, serve, manager):
    gate = service(conf(serve(Echo).port))
    manager.write("mqgate", [line for line in manager.read("mqgate") if "FDSTORE" not in line])
    with gate.connect() as client:
        manager.ctl("restart", "mqgate")  # that of the unit as it was
        assert says_hello(client)
        manager.ctl("restart", "--no-block", "mqgate")
        assert client.recv(1) == b""
    gate.wait(event="drained")
    gate.wait(3, event="ready")
