"""What stands around mqgate in tests: servers in threads of the test, and real brokers and proxies as processes."""
import contextlib
import os
import random
import signal
import socket
import struct
import subprocess
import threading

from mqgate import DEADLINE_S, until


def reset(sock):
    """Closes with RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def ends(sock):
    """Reads to the end. "eof" or "reset", and the bytes before it."""
    data = b""
    while True:
        try:
            piece = sock.recv(65536)
        except ConnectionResetError:
            return "reset", data
        if not piece:
            return "eof", data
        data += piece


def free_port():
    """Below the ports that the kernel gives to connections, so that none of these takes it before its server does."""
    while True:
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", random.randrange(10000, 30000)))
            return s.getsockname()[1]


# --- in threads of the test ------------------------------------------------------------------------------------------

class Listener:
    """A listening socket on loopback; the test accepts from it and is the server. tls: an ssl.SSLContext."""

    def __init__(self, tls=None, port=0, receive_buffer=None, host="127.0.0.1"):
        self._tls = tls
        self._host = host
        self._receive_buffer = receive_buffer
        self.accepted = []
        self._open(port)

    def _open(self, port):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self._receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
        self.socket.bind((self._host, port))
        self.socket.listen(4096)
        self.socket.settimeout(DEADLINE_S)
        self.port = self.socket.getsockname()[1]

    def accept(self):
        sock, _ = self.socket.accept()
        sock.settimeout(DEADLINE_S)
        if self._tls:
            sock = self._tls.wrap_socket(sock, server_side=True)
        self.accepted.append(sock)
        return sock

    def close(self):
        self.socket.close()
        for sock in self.accepted:
            sock.close()
        self.accepted.clear()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Server(Listener):
    """Serves each connection in a thread of its own, until it is killed or closed."""

    def __init__(self, **options):
        super().__init__(**options)
        self._start()

    def serve(self, sock):
        """What it does with a connection; OSError ends it."""
        raise NotImplementedError

    def _start(self):
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while True:
            try:
                sock = self.accept()
            except TimeoutError:
                continue
            except OSError:
                if self.socket.fileno() < 0:
                    return
                continue  # a TLS handshake that failed
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        with sock, contextlib.suppress(OSError, AssertionError):
            self.serve(sock)
        with contextlib.suppress(ValueError):
            self.accepted.remove(sock)

    def kill(self):
        """Gone as if the process had died: nobody listens, every connection is cut."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self.socket.close()
        self._thread.join()
        for sock in list(self.accepted):
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.shutdown(socket.SHUT_RDWR)

    def revive(self):
        self._open(self.port)
        self._start()

    def close(self):
        self.kill()
        super().close()


class Echo(Server):
    """Sends back what comes, and the end too."""

    def serve(self, sock):
        while data := sock.recv(65536):
            sock.sendall(data)


class Greeter(Server):
    """Says its name at once, then holds the connection until the client leaves."""

    def __init__(self, name, **options):
        self.name = name.encode()
        super().__init__(**options)

    def serve(self, sock):
        sock.sendall(self.name)
        while sock.recv(65536):
            pass


# --- processes -------------------------------------------------------------------------------------------------------

class Process:
    """A helper program in a session of its own, so that all it starts can be ended with it."""

    def __init__(self, directory):
        self.directory = directory
        self._process = None
        self.output = directory / "output"

    def _spawn(self, *command, **options):
        with open(self.output, "ab") as output:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                             cwd=self.directory, start_new_session=True, **options)

    def _await(self, condition, what, timeout):
        def ready():
            assert self._process.poll() is None, f"{what} did not start: {self.log()}"
            return condition()
        until(ready, f"{what}: {self.log()}", timeout)

    def log(self):
        return self.output.read_text(encoding="utf-8", errors="replace")

    def signal(self, number):
        self._process.send_signal(number)

    def stop(self):
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            pass
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Mosquitto(Process):
    """MQTT on port, MQTT over WebSocket on ws_port, for everybody unless `access` says otherwise."""

    def __init__(self, directory, access="allow_anonymous true\n"):
        super().__init__(directory)
        self.port, self.ws_port = free_port(), free_port()
        (directory / "mosquitto.conf").write_text(
            f"listener {self.port} 127.0.0.1\nlistener {self.ws_port} 127.0.0.1\nprotocol websockets\n"
            f"{access}persistence false\nuser root\n", encoding="ascii")
        self.start()

    def start(self):
        self._spawn("mosquitto", "-c", "mosquitto.conf")
        self._await(lambda: listens(self.port) and listens(self.ws_port), "mosquitto", 20)


class HAProxy(Process):
    """The body of its configuration may name listening sockets, opened here: {name} becomes "fd@N"."""

    def __init__(self, directory, body, *names):
        super().__init__(directory)
        sockets = {name: socket.create_server(("127.0.0.1", 0), backlog=128) for name in names}
        self.ports = {name: each.getsockname()[1] for name, each in sockets.items()}
        for each in sockets.values():
            each.set_inheritable(True)
        (directory / "haproxy.cfg").write_text(
            "global\n log stdout format raw local0\ndefaults\n mode tcp\n log global\n timeout connect 5s\n"
            " timeout client 60s\n timeout server 60s\n"
            + body.format(**{name: f"fd@{each.fileno()}" for name, each in sockets.items()}), encoding="ascii")
        self._spawn("haproxy", "-db", "-f", "haproxy.cfg", pass_fds=[each.fileno() for each in sockets.values()])
        for each in sockets.values():
            each.close()
        self._await(lambda: all(listens(port) for port in self.ports.values()), "haproxy", 20)


class RabbitMQ(Process):
    """A node of its own, with an epmd of its own, whose MQTT listener wants PROXY headers."""

    def __init__(self, directory):
        super().__init__(directory)
        self.port = free_port()
        self._epmd = None
        (directory / "rabbitmq.conf").write_text(
            f"listeners.tcp = none\nmqtt.listeners.tcp.default = 127.0.0.1:{self.port}\nmqtt.proxy_protocol = true\n"
            "mqtt.allow_anonymous = true\nloopback_users = none\nlog.console = true\nlog.console.level = info\n"
            "log.file = false\n", encoding="ascii")
        (directory / "enabled_plugins").write_text("[rabbitmq_mqtt].\n", encoding="ascii")
        epmd_port = free_port()
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(directory), "LC_ALL": "C.UTF-8",
            "ERL_EPMD_PORT": str(epmd_port), "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"mqgate-tests-{os.getpid()}@localhost",
            "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"), "RABBITMQ_LOG_BASE": str(directory),
            "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(directory / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "enabled_plugins"),
            "RABBITMQ_DIST_PORT": str(free_port()), "RABBITMQ_PID_FILE": str(directory / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }
        # Started here and not by the node, whose epmd would outlive it.
        self._epmd = subprocess.Popen(["epmd", "-port", str(epmd_port), "-address", "127.0.0.1"], env=environment,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until(lambda: listens(epmd_port), "epmd")
            self._spawn("/usr/lib/rabbitmq/bin/rabbitmq-server", env=environment)
            self._await(lambda: listens(self.port), "RabbitMQ", 60)
        except BaseException:
            self.stop()
            raise

    def stop(self):
        super().stop()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait()
            self._epmd = None
