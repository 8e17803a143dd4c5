"""A client that is silent for longer than 1.5 times its keep-alive and 5 seconds is gone; one that speaks is not."""
import concurrent.futures
import contextlib
import re
import ssl
import threading
import time

import pytest

from mqgate import DEADLINE_S, SLACK, conf
from mqttproto import PINGREQ, PINGRESP, Closed, binary, connack, connect, facts, packet, read_packet
from pki import section
from servers import Server

LIMIT_S = 6.5           # of a keep-alive of 1
IDLE_S = 3
OPEN_UNTIL_S = LIMIT_S + 2


class Broker(Server):
    """Says of the keep-alive what the client's id asks for ("server=N"), answers pings, and publishes to "chatty" ones.
    packets: what came on each connection, by client id."""

    def __init__(self):
        self.packets, self.ends = {}, {}
        super().__init__()

    def serve(self, sock):
        level, client_id = facts(read_packet(sock))
        mine = self.packets[client_id] = []
        server = re.match(r"server=(\d+)", client_id)
        sock.sendall(connack(level, 0, int(server[1]) if server else None))
        over = threading.Event()
        if "chatty" in client_id:
            threading.Thread(target=self._chat, args=(sock, level, over), daemon=True).start()
        try:
            while True:
                mine.append(read_packet(sock))
                if mine[-1] == PINGREQ:
                    sock.sendall(PINGRESP)
        except Closed as e:
            self.ends[client_id] = e.args[0]
        finally:
            over.set()

    @staticmethod
    def _chat(sock, level, over):
        publish = packet(binary("topic") + (b"\0" if level == 5 else b"") + b"news", 0x30)
        with contextlib.suppress(OSError):
            while not over.wait(0.2):
                sock.sendall(publish)


# Client id: listener, version, keep-alive, seconds at which it pings, when it is cut off (None: it is not).
CLIENTS = {
    "3.1": ("in", 3, 1, (), LIMIT_S),
    "3.1.1": ("in", 4, 1, (), LIMIT_S),
    "5": ("in", 5, 1, (), LIMIT_S),
    "over TLS": ("tls", 4, 1, (), LIMIT_S),
    "server=1 is less": ("in", 5, 60, (), LIMIT_S),
    "server=1 instead of none": ("in", 5, 0, (), LIMIT_S),
    "server=60 is more": ("in", 5, 1, (), None),
    "server=0 is none": ("in", 5, 1, (), None),
    "pings": ("in", 4, 1, (2, 4, 6), None),
    "pinged once": ("in", 5, 1, (1,), 1 + LIMIT_S),
    "chatty 3.1.1": ("in", 4, 1, (), LIMIT_S),
    "chatty 5": ("in", 5, 1, (), LIMIT_S),
    "a long keep-alive": ("in", 4, 65535, (), None),
    "none": ("in", 4, 0, (), None),
    "none, and idle": ("idle", 4, 0, (), IDLE_S),
    "server=0, and idle": ("idle", 5, 1, (), IDLE_S),
    "keep-alive before idle": ("idle", 4, 1, (), LIMIT_S),
    "not enforced": ("lax", 4, 1, (), None),
    "server=1 not enforced": ("lax", 5, 1, (), None),
    "not enforced, and idle": ("lax-idle", 4, 1, (), IDLE_S),
}


@pytest.fixture
def gate(mqgate, serve, pki):
    broker = serve(Broker)
    configuration = conf(broker.port, tls=[section("edge", pki.leaf("one.test"))])
    lax, idle = {"mqtt": {"enforce_keepalive": False}}, {"timeouts": {"idle": f"{IDLE_S}s"}}
    configuration["listeners"] = [
        {"name": name, "bind": "127.0.0.1:0", "protocol": "mqtt", "backend": "out", **options}
        for name, options in (("in", {}), ("tls", {"tls": "edge"}), ("idle", idle), ("lax", lax),
                              ("lax-idle", {**lax, **idle}))]
    gate = mqgate(configuration)
    gate.broker = broker
    return gate


def live(gate, pki, client_id):
    """Seconds until the gate ended it; None: it did not, and the client left."""
    listener, version, keep_alive, pings, _ = CLIENTS[client_id]
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(gate.connect(listener))
        if listener == "tls":
            context = ssl.create_default_context(cafile=pki.ca)
            sock = stack.enter_context(context.wrap_socket(sock, server_hostname="one.test"))
        sock.sendall(connect(version, client_id, keep_alive=keep_alive))
        sock.settimeout(DEADLINE_S)
        assert read_packet(sock)[3] == 0
        began = time.monotonic()
        for at in (*pings, OPEN_UNTIL_S):
            while (left := began + at - time.monotonic()) > 0:
                sock.settimeout(left)
                try:
                    if sock.recv(65536) == b"":
                        return time.monotonic() - began
                except TimeoutError:
                    pass
            if at in pings:
                sock.sendall(PINGREQ)
    return None


def test_silence_ends_a_session_as_its_keep_alive_says(gate, pki):
    with concurrent.futures.ThreadPoolExecutor(len(CLIENTS)) as pool:
        ends = dict(zip(CLIENTS, pool.map(lambda client_id: live(gate, pki, client_id), CLIENTS)))

    def is_wrong(client_id, wanted):
        end = ends[client_id]
        if wanted is None or end is None:
            return end is not wanted
        return not wanted - 0.05 <= end < wanted + 0.7 * SLACK

    assert not {client_id: (ends[client_id], wanted) for client_id, (*_, wanted) in CLIENTS.items()
                if is_wrong(client_id, wanted)}
    # The server learns of it as of any broken connection, so that it publishes the Will.
    for client_id, (*_, pings, _) in CLIENTS.items():
        assert gate.broker.packets[client_id] == [PINGREQ] * len(pings), client_id
    cut = [client_id for client_id, (*_, wanted) in CLIENTS.items() if wanted is not None]
    for client_id in cut:
        line = gate.wait_end(client_id=client_id)
        idle = CLIENTS[client_id][-1] == IDLE_S
        assert (line["why"] == "idle_timeout") == idle, line
        assert idle or "keep" in line["why"], line
