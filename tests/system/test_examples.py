"""The examples in etc/, as they are: each does what its head says. They take their addresses and
certificates from the environment; here these are loopback's, away from any other broker on this machine."""
import shutil
import socket
import ssl
import struct

import pytest

from mqgate import DEADLINE_S, HERE, until
from mqttproto import connect
from proxyproto import SIGNATURE, SSL, SSL_CN, parse_ssl, parse_tlvs, v2
from servers import Server, ends
from websocket import request

ETC = HERE.parent.parent / "etc"
ADDR, BROKER, OTHER = "127.77.1.1", "127.77.1.2", "127.77.1.3"
CONNACK, CLIENT, BALANCER = b"\x20\x02\x00\x00", ("198.51.100.7", 4242), "127.77.2.1"


class Broker(Server):
    """Answers a CONNECT; headers has the PROXY headers (v2) that came first: sources and TLVs. tls_inside: TLS begins
    after the header, as in EMQX."""

    def __init__(self, host, port, *, proxied=True, tls_inside=None, **options):
        self.headers, self.proxied, self.tls_inside = [], proxied, tls_inside
        super().__init__(host=host, port=port, **options)

    def serve(self, sock):
        if self.proxied:
            head = sock.recv(16, socket.MSG_WAITALL)
            if not head.startswith(SIGNATURE):
                return
            body = sock.recv(struct.unpack("!H", head[14:])[0], socket.MSG_WAITALL)
            if head[12] & 15:
                self.headers.append((socket.inet_ntoa(body[:4]), dict(parse_tlvs(body[12:]))))
        if self.tls_inside:
            sock = self.tls_inside.wrap_socket(sock, server_side=True)
        if sock.recv(4096):
            sock.sendall(CONNACK)
            while sock.recv(4096):
                pass


@pytest.fixture(autouse=True)
def surroundings(monkeypatch, tmp_path, pki):
    tls = tmp_path / "tls"
    tls.mkdir()
    for name, kind in (("fullchain.pem privkey.pem", "ec"), ("ecdsa.pem ecdsa.key", "ec"), ("rsa.pem rsa.key", "rsa")):
        for file, made in zip(name.split(), pki.leaf("gate.test", kind)):
            shutil.copy(made, tls / file)
    for name in ("devices-ca.pem", "nodes-ca.pem"):
        shutil.copy(pki.ca, tls / name)
    for name, value in (("ADDR", ADDR), ("BROKER", BROKER), ("OTHER", OTHER), ("ADMIN", ADDR), ("TLS", str(tls)),
                        ("BALANCERS", "127.77.2.0/24")):
        monkeypatch.setenv(f"MQGATE_{name}", value)


@pytest.fixture
def start(mqgate):
    return lambda name: mqgate((ETC / f"mqgate-{name}.conf").read_text(encoding="utf-8"))


def call(port, first, source="127.0.0.1", tls=None, name="gate.test", at_balancer=None):
    """What the gate answers to `first`, and the connection. The balancer says in a PROXY header which of its own ports
    the client came to, at_balancer."""
    sock = socket.create_connection((ADDR, port), DEADLINE_S, (source, 0))
    if source == BALANCER:
        sock.sendall(v2(CLIENT, (ADDR, at_balancer or port)))
    if tls:
        sock = tls.wrap_socket(sock, server_hostname=name)
    sock.sendall(first)
    return sock.recv(4096), sock


def trusting(pki, identity=None, alpn=None):
    context = ssl.create_default_context(cafile=pki.ca)
    if identity:
        context.load_cert_chain(*identity)
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


def server_context(identity):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*identity)
    return context


def test_node_serves_the_four_ports_and_tells_its_health(start, serve, pki):
    serve(Broker, BROKER, 1883)
    serve(Broker, BROKER, 8083)
    gate = start("node")
    until(lambda: gate.health() == 200, "health")
    for port, tls in ((1883, None), (8883, trusting(pki))):
        assert call(port, connect(), tls=tls)[0] == CONNACK
    for port, tls in ((8083, None), (8084, trusting(pki))):
        assert call(port, request(), tls=tls)[0].startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize("example", ["mux", "ports"])
def test_behind_a_load_balancer_the_broker_knows_the_client(start, serve, pki, example):
    broker = serve(Broker, BROKER, 1883)
    serve(Broker, BROKER, 8083)
    start(example)

    def health():
        return call(8080, b"GET /haproxy_health HTTP/1.1\r\nHost: x\r\n\r\n")[0].split()[1]
    until(lambda: health() == b"200", "health")
    at = {"mux": lambda _: 8080, "ports": lambda port: port}[example]
    for port, tls in ((1883, None), (8883, trusting(pki))):
        assert call(at(port), connect(), BALANCER, tls, at_balancer=port)[0] == CONNACK
        until(lambda: broker.headers and broker.headers.pop()[0] == CLIENT[0], "the client's address")
    for port, tls in ((8083, None), (8084, trusting(pki))):
        assert call(at(port), request(), BALANCER, tls, at_balancer=port)[0].startswith(b"HTTP/1.1 101 ")
    # Somebody else's header is not believed.
    with socket.create_connection((ADDR, at(1883)), DEADLINE_S, ("127.0.0.1", 0)) as sock:
        sock.sendall(v2(CLIENT, (ADDR, 1883)) + connect())
        assert ends(sock)[1] == b""


def test_passthrough_leaves_tls_to_the_broker(start, serve, pki):
    serve(Broker, BROKER, 1883)
    serve(Broker, BROKER, 8883, proxied=False, tls=server_context(pki.leaf("broker.test")))
    gate = start("passthrough")
    until(lambda: gate.health() == 200, "health")
    answer, sock = call(8883, connect(), tls=trusting(pki), name="broker.test")
    assert answer == CONNACK
    assert ("DNS", "broker.test") in sock.getpeercert()["subjectAltName"]


def test_mtls_tells_the_broker_whose_certificate_it_is(start, serve, pki):
    broker = serve(Broker, BROKER, 1883)
    serve(Broker, BROKER, 8083)
    gate = start("mtls")
    until(lambda: gate.health() == 200, "health")
    assert call(8883, connect(), tls=trusting(pki, pki.leaf("device-7"), ["mqtt"]))[0] == CONNACK
    assert parse_ssl(broker.headers[-1][1][SSL])[2][SSL_CN] == b"device-7"
    with pytest.raises((ssl.SSLError, ConnectionError)):
        call(8883, connect(), tls=trusting(pki))
    assert call(8084, request(), tls=trusting(pki, alpn=["http/1.1"]))[0].startswith(b"HTTP/1.1 101 ")


def test_failover_takes_clients_to_the_other_node_and_back(start, serve, pki):
    local = serve(Broker, BROKER, 1883)
    other = serve(Broker, OTHER, 8883, tls_inside=server_context(pki.leaf("emqx-2.example.net")))
    gate = start("failover")
    until(lambda: gate.health() == 200, "health")
    assert call(1883, connect())[0] == CONNACK
    assert local.headers and not other.headers
    local.kill()
    gate.wait_log(event="server_down")
    assert call(1883, connect())[0] == CONNACK
    assert other.headers and gate.health() == 200
    local.revive()
    gate.wait_log(2, event="server_up", server="local")
    del local.headers[:]
    assert call(1883, connect())[0] == CONNACK
    assert local.headers
