"""What the log says: every way a session can end, in both formats; which lines are written; and where to."""
import json
import select
import socket
import ssl

import pytest

import proxyproto as pp
from mqgate import DEADLINE_S, conf, until
from mqttproto import connect_of
from pki import section
from servers import Echo, Greeter, Listener, ends, free_port, listens, reset

FAST_CHECK = {"type": "tcp", "interval": "20ms", "fast_interval": "20ms", "fall": 1, "rise": 1}


class Scene:
    """One session that ends in one way. Each scene sets `conf` options, then plays client and server."""

    def __init__(self, mqgate, serve, pki, log):
        self._mqgate, self._serve, self.pki, self._log = mqgate, serve, pki, log
        self.gate = self.server = None

    def start(self, to=None, **options):
        self.server = self._serve(Listener)
        self.gate = self._mqgate(conf(to or self.server.port, log=self._log, **options))
        return self.gate

    def relay(self, **options):
        client = self.start(**options).connect()
        server = self.server.accept()
        until(lambda: "state=relay" in self.gate.control("show sess"), "it to relay")
        return client, server

    def tls(self):
        return [section("edge", self.pki.leaf("one.test"))]

    def handshake(self, client):
        return ssl.create_default_context(cafile=self.pki.ca).wrap_socket(client, server_hostname="one.test")


def client_closed(scene):
    client, server = scene.relay()
    client.sendall(b"12345")
    server.sendall(b"123")
    assert client.recv(3) == b"123" and server.recv(5) == b"12345"
    client.close()
    assert ends(server) == ("eof", b"")
    server.close()
    return {"in": 5, "out": 3, "state": "relay", "server": "s0"}


def server_closed(scene):
    client, server = scene.relay()
    server.close()
    assert ends(client) == ("eof", b"")
    client.close()
    return {"state": "relay"}


def client_reset(scene):
    client, server = scene.relay()
    reset(client)
    ends(server)
    server.close()
    return {"state": "relay"}


def server_reset(scene):
    client, server = scene.relay()
    server.sendall(b"x")
    assert client.recv(1) == b"x"  # sooner, a reset is a failed try to connect
    reset(server)
    ends(client)
    client.close()
    return {"state": "relay"}


def client_tls_error(scene):
    client = scene.start(listener={"tls": "edge"}, tls=scene.tls()).connect()
    tls = scene.handshake(client)
    server = scene.server.accept()
    server.sendall(b"x")
    assert tls.recv(1) == b"x"  # it is a relay by now
    socket.socket.send(tls, b"this is no TLS record")
    ends(server)
    server.close()
    return {"state": "relay", "tls": "TLSv1.3", "sni": "one.test", "detail": "unexpected record"}


def idle_timeout(scene):
    client, _ = scene.relay(timeouts={"idle": "100ms"})
    assert ends(client) == ("eof", b"")
    return {"state": "relay"}


def half_closed_timeout(scene):
    client, _ = scene.relay(timeouts={"half_closed": "100ms"})
    client.shutdown(socket.SHUT_WR)
    assert ends(client) == ("eof", b"")
    return {"state": "relay"}


def connect_packet_timeout(scene):
    client = scene.start(listener={"protocol": "mqtt"}, timeouts={"connect_packet": "100ms"}).connect()
    client.sendall(b"\x10\x20\x00\x04MQTT")
    assert ends(client) == ("eof", b"")
    return {"state": "connect_packet", "in": 8}


def refused(scene, sent, told, **mqtt):
    """What a client sends that is not let in, and all that it hears."""
    client = scene.start(listener={"protocol": "mqtt", "mqtt": mqtt}).connect()
    client.sendall(sent)
    assert ends(client) == ("eof", told)
    return {"state": "connect_packet", "in": len(sent), "out": len(told)}


def connack_5(code, reason):
    properties = b"\x1f" + len(reason).to_bytes(2, "big") + reason
    return bytes([0x20, 3 + len(properties), 0, code, len(properties)]) + properties


def not_mqtt(scene):
    return refused(scene, b"GET / HTTP/1.1\r\n\r\n", b"")


def mqtt_version(scene):
    return refused(scene, connect_of(level=6), b"\x20\x02\x00\x01")


def malformed_connect(scene):
    return refused(scene, connect_of(level=5, flags=1), connack_5(0x81, b"the CONNECT packet is malformed"))


def connect_too_large(scene):
    return refused(scene, connect_of(client_id=b"x" * 200, level=5),
                   connack_5(0x95, b"the CONNECT packet is too large"), max_connect_size="64B")


def no_client_id(scene):
    return refused(scene, connect_of(client_id=b""), b"\x20\x02\x00\x02", require_client_id=True)


def denied(scene):
    client = scene.start(listener={"proxy_protocol": "required", "proxy_from": ["127.0.0.0/8"],
                                   "allow": ["10.0.0.0/8"]}).connect()
    client.sendall(pp.v1(("192.0.2.7", 1), ("192.0.2.8", 2)))
    assert ends(client)[0] == "reset"
    return {"state": "proxy_header", "client": "192.0.2.7:1", "via": "%s:%d" % client.getsockname()}


def proxy_header_untrusted(scene):
    ends(scene.start(listener={"proxy_protocol": "required", "proxy_from": ["10.0.0.0/8"]}).connect())
    return {"state": "proxy_header"}


def proxy_header_bad(scene):
    client = scene.start(listener={"proxy_protocol": "required", "proxy_from": ["127.0.0.0/8"]}).connect()
    client.sendall(b"PROXY nonsense\r\n")
    ends(client)
    return {"state": "proxy_header"}


def proxy_header_timeout(scene):
    ends(scene.start(listener={"proxy_protocol": "required", "proxy_from": ["127.0.0.0/8"]},
                     timeouts={"proxy_header": "100ms"}).connect())
    return {"state": "proxy_header"}


def handshake_failed(scene):
    client = scene.start(listener={"tls": "edge"}, tls=scene.tls()).connect()
    client.sendall(b"GET / HTTP/1.1\r\n\r\n")
    ends(client)
    return {"state": "handshake", "detail": "http request"}


def handshake_timeout(scene):
    ends(scene.start(listener={"tls": "edge"}, tls=scene.tls(), timeouts={"handshake": "100ms"}).connect())
    return {"state": "handshake"}


def no_server(scene):
    scene.start(backend={"check": FAST_CHECK})
    scene.gate.wait_log(event="server_up")
    scene.server.close()
    scene.gate.wait_log(event="server_down")
    ends(scene.gate.connect())
    return {"state": "pick"}


def queue_timeout(scene):
    scene.relay(server={"max_connections": 1}, timeouts={"queue": "100ms"})
    ends(scene.gate.connect())
    return {"state": "queue"}


def connect_failed(scene):
    scene.start(backend={"tries": 1})
    scene.server.close()
    ends(scene.gate.connect())
    return {"server": "s0", "detail": "Connection refused"}


def server_handshake_failed(scene):
    client = scene.start(server={"tls": "inner"}, tls_client=[{"name": "inner", "ca": scene.pki.ca}],
                         backend={"tries": 1}).connect()
    with scene.server.accept() as server:
        server.recv(1000)
        server.sendall(b"this is no TLS record")
        ends(client)
    return {"state": "server_handshake", "server": "s0", "detail": "wrong version number"}


def server_tls_error(scene):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*scene.pki.leaf("broker.test"))
    client = scene.start(server={"tls": "inner"}, tls_client=[{"name": "inner", "ca": scene.pki.ca,
                                                               "sni": "broker.test"}]).connect()
    server = context.wrap_socket(scene.server.accept(), server_side=True)
    socket.socket.send(server, b"this is no TLS record")
    ends(client)
    client.close()
    server.close()
    return {"state": "relay", "detail": "wrong version number"}


def shutdown(scene):
    client, server = scene.relay()
    client.sendall(b"x")
    assert server.recv(1) == b"x"
    scene.gate.stop()
    return {"state": "relay", "in": 1}


WAYS = [client_closed, server_closed, client_reset, server_reset, client_tls_error, server_tls_error, idle_timeout,
        half_closed_timeout, connect_packet_timeout, not_mqtt, mqtt_version, malformed_connect, connect_too_large,
        no_client_id, denied, proxy_header_untrusted, proxy_header_bad,
        proxy_header_timeout, handshake_failed, handshake_timeout, no_server, queue_timeout, connect_failed,
        server_handshake_failed, shutdown]
ORDER = ["ts", "level", "event", "id", "listener", "client", "via", "tls", "cipher", "sni", "cn", "backend", "server",
         "mqtt", "client_id", "user", "keepalive", "clean", "connack", "in", "out", "wait_ms", "connect_ms", "dur_ms", "why", "state", "detail"]
OPTIONAL = {"via", "tls", "cipher", "sni", "cn", "server", "mqtt", "client_id", "user", "keepalive", "clean",
            "connack", "detail"}


@pytest.mark.parametrize("log_format", ["logfmt", "json"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_how_a_session_ended_is_told(mqgate, serve, pki, way, log_format):
    scene = Scene(mqgate, serve, pki, {"format": log_format})
    expected = way(scene)
    end = scene.gate.wait_end(why=way.__name__)
    assert {key: str(end[key]) for key in expected} == {key: str(value) for key, value in expected.items()}
    assert list(end) == [key for key in ORDER if key in end] and set(ORDER) - OPTIONAL <= set(end)
    assert end["listener"] == "in" and end["backend"] == "out" and len(end["id"]) == 16
    if log_format == "json":
        assert isinstance(end["in"], int) and isinstance(end["dur_ms"], int)


def test_what_the_network_sends_cannot_break_a_line(mqgate, serve, pki):
    """A server name and a common name with quotes; the parser of this test fails on a line that is not logfmt."""
    gate = mqgate(conf(serve(Echo).port, listener={"tls": "edge"},
                       tls=[section("edge", pki.leaf("one.test"), client_ca=pki.ca, verify="required")]))
    context = ssl.create_default_context(cafile=pki.ca)
    context.load_cert_chain(*pki.leaf('a "quoted" = name', names=("x.test",)))
    with context.wrap_socket(gate.connect(), server_hostname="one.test"):
        pass
    assert gate.wait_end()["cn"] == 'a "quoted" = name'


@pytest.mark.parametrize("access, good, bad", [("end", ["session_end"], ["session_end"]),
                                               ("start+end", ["session_start", "session_end"], ["session_end"]),
                                               ("errors", [], ["session_end"]), ("off", [], [])])
def test_which_sessions_are_told_of(mqgate, serve, access, good, bad):
    """A good session and one that finds no server, one after the other; what each leaves in the log."""
    greeters = [serve(Greeter, "hello"), serve(Greeter, "never")]
    greeters[1].kill()
    configuration = conf(greeters[0].port, log={"access": access}, global_={"workers": 1})
    configuration["listeners"].append({**configuration["listeners"][0], "name": "bad", "backend": "down"})
    configuration["backends"].append({**configuration["backends"][0], "name": "down", "tries": 1, "servers": [
        {"name": "d0", "address": f"127.0.0.1:{greeters[1].port}"}]})
    gate = mqgate(configuration)
    with gate.connect() as client:
        assert client.recv(100) == b"hello"
    until(lambda: gate.listener_stats()["closed"] == 1, "the good session to end")
    ends(gate.connect("bad"))
    gate.stop()
    events = {name: [line["event"] for line in gate.log.lines if line.get("listener") == name
                     and line["event"].startswith("session")] for name in ("in", "bad")}
    assert events == {"in": good, "bad": bad}


def test_level_decides_what_is_written(mqgate, serve):
    port, admin = serve(Echo).port, free_port()
    debug = mqgate(conf(port, log={"level": "debug"}))
    debug.connect().close()
    assert debug.wait_log(event="state", to="relay")["level"] == "debug"
    quiet = mqgate(conf(port, log={"level": "warn"}, admin={"bind": f"127.0.0.1:{admin}"}), wait=False)
    until(lambda: listens(admin), "the admin port")
    with socket.create_connection(("127.0.0.1", admin), DEADLINE_S) as client:
        client.sendall(b"GET /haproxy_health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert ends(client)[1].startswith(b"HTTP/1.1 200")
    quiet.stop()
    assert quiet.log.raw == []


def test_syslog_takes_the_lines_one_a_datagram(mqgate, serve, tmp_path):
    path = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.bind(str(path))
        syslog.settimeout(10)
        gate = mqgate(conf(serve(Echo).port, log={"to": [f"syslog:{path}", "stdout"]}))
        gate.connect().close()
        texts = []
        while not any("event=session_end" in text for text in texts):
            texts.append(syslog.recv(65536).decode())
        gate.wait_end()
        assert all(f" mqgate[{gate.pid}]: ts=" in text and text.startswith("<30>") for text in texts)
        assert [text.split("]: ", 1)[1] for text in texts] == gate.log.raw[:len(texts)]


def test_syslog_over_udp_and_json(mqgate, serve):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as syslog:
        syslog.bind(("127.0.0.1", 0))
        syslog.settimeout(10)
        mqgate(conf(serve(Echo).port, log={"format": "json", "to": [
            "syslog:udp://127.0.0.1:%d" % syslog.getsockname()[1], "stdout"]}))
        assert json.loads(syslog.recv(65536).decode().split("]: ", 1)[1])["event"] == "listening"


def test_a_syslog_daemon_may_come_back(mqgate, serve, tmp_path):
    path = tmp_path / "log"
    gate = mqgate(conf(serve(Echo).port, log={"to": [f"syslog:{path}", "stdout"]}))  # nobody is there yet
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.bind(str(path))

        def a_line_arrives():
            gate.connect().close()
            return select.select([syslog], [], [], 0.1)[0]
        until(a_line_arrives, "a line in syslog")


def test_a_log_that_nobody_reads_holds_up_no_session(mqgate, serve):
    gate = mqgate(conf(serve(Echo).port, log={"level": "debug"}, global_={"workers": 1}))
    gate.log.pause()
    sessions = 1500  # several hundred bytes of log each: more than pipe, batch and ring hold
    for n in range(sessions):
        with gate.connect() as client:
            client.sendall(b"%d" % n)
            assert client.recv(100) == b"%d" % n
    assert gate.health() == 200
    until(lambda: gate.listener_stats()["closed"] == sessions, "all sessions to end")
    gate.log.resume()
    dropped = gate.wait_log(event="log_dropped", level="warn")
    assert int(dropped["lines"]) > 0
    with gate.connect():
        pass
    gate.stop()  # and is not held up either
