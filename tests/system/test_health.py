"""Health: checks of servers, and the answers that a load balancer gets while brokers die and come back."""
import statistics
import subprocess
import time

import pytest

from mqgate import SANITIZER, SLACK, conf, until
from pki import section
from servers import Echo, Listener, Mosquitto, Server, ends

READY = b"<html><body><h1>200 OK</h1>\nService ready.\n</body></html>\n"
UNAVAILABLE = (b"<html><body><h1>503 Service Unavailable</h1>\n"
               b"No server is available to handle this request.\n</body></html>\n")
INTERVAL_S = 0.1 * SLACK
CHECK = {"type": "tcp", "interval": f"{int(INTERVAL_S * 1000)}ms", "fast_interval": f"{int(INTERVAL_S * 1000)}ms",
         "timeout": f"{int(INTERVAL_S * 1000)}ms", "fall": 3, "rise": 2}
FAST_CHECK = {"type": "tcp", "interval": "10ms", "fast_interval": "10ms", "fall": 2, "rise": 2, "timeout": "2s"}


def raw_health(gate, request):
    with gate.connect("admin") as client:
        client.sendall(request)
        status, data = ends(client)
        assert status == "eof"
    head, body = data.split(b"\r\n\r\n", 1)
    first, *headers = head.decode("ascii").split("\r\n")
    return first, {name.lower(): value for name, value in (line.split(": ", 1) for line in headers)}, body


@pytest.mark.parametrize("up, first, body", [(True, "HTTP/1.1 200 OK", READY),
                                             (False, "HTTP/1.1 503 Service Unavailable", UNAVAILABLE)])
def test_the_answer_is_haproxy_s(mqgate, serve, up, first, body):
    server = serve(Echo)
    if not up:
        server.kill()
    gate = mqgate(conf(server.port, backend={"check": CHECK}))
    gate.wait_log(event="server_up" if up else "server_down")
    for method in ("GET", "POST", "OPTIONS"):
        request = f"{method} /haproxy_health HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        said, headers, found = raw_health(gate, request.encode())
        assert (said, found) == (first, body)
        assert headers["content-length"] == str(len(body)) and headers["content-type"] == "text/html"
        assert headers["cache-control"] == "no-cache"
    said, headers, found = raw_health(gate, b"HEAD /haproxy_health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert (said, found, headers["content-length"]) == (first, b"", str(len(body)))


def test_health_follows_the_broker_within_fall_and_rise_intervals(mqgate, serve, record_property):
    server = serve(Echo)
    gate = mqgate(conf(server.port, backend={"check": CHECK}))
    gate.wait_log(event="server_up")
    client = gate.connect()
    client.sendall(b"x")
    client.recv(1)
    spare_s = 0.3 * SLACK  # for what the machine does besides

    begun = time.monotonic()
    server.kill()
    until(lambda: gate.health() == 503, "503")
    took_down = time.monotonic() - begun
    assert took_down < CHECK["fall"] * INTERVAL_S + spare_s
    down = gate.wait_log(event="server_down", level="warn")
    assert (down["reason"], down["server"]) == ("Layer4 connection problem", "s0")
    assert "Connection refused" in down["detail"]
    gate.wait_log(event="backend_down", level="error")
    client.close()
    gate.wait_end()
    with gate.connect() as refused:
        ends(refused)
    gate.wait_end(why="no_server")

    begun = time.monotonic()
    server.revive()
    until(lambda: gate.health() == 200, "200")
    took_up = time.monotonic() - begun
    assert took_up < CHECK["rise"] * INTERVAL_S + spare_s
    gate.wait_log(2, event="server_up")
    record_property("down_after_ms", round(took_down * 1000))
    record_property("up_after_ms", round(took_up * 1000))
    with gate.connect() as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"


def test_one_missed_check_takes_nobody_down(mqgate, serve):
    """With fall = 3: a server that refuses only now and then stays up."""
    server = serve(Echo)
    gate = mqgate(conf(server.port, backend={"check": {**FAST_CHECK, "fall": 100, "rise": 1}}))
    gate.wait_log(event="server_up")
    for _ in range(3):
        failed = gate.server_stats()["check"]["failures"]
        server.kill()
        until(lambda: gate.server_stats()["check"]["failures"] > failed, "a check to fail")
        server.revive()
        until(lambda: gate.server_stats()["check"]["passed"] > 0, "a check to pass")
    assert not gate.logged(event="server_down")
    assert gate.health() == 200


def test_failures_of_sessions_count_before_the_next_check(mqgate, serve):
    server = serve(Echo)
    gate = mqgate(conf(server.port, backend={"tries": 1, "check": {
        "type": "tcp", "interval": "1h", "fast_interval": "50ms", "fall": 2}}))
    gate.wait_log(event="server_up")
    server.kill()
    with gate.connect() as client:
        ends(client)
    until(lambda: gate.health() == 503, "503, an hour before the next check was due")


def test_a_hundred_broker_restarts_leave_nothing_behind(mqgate, serve, record_property):
    server = serve(Echo)
    gate = mqgate(conf(server.port, backend={"check": FAST_CHECK}, log={"access": "errors"}))
    gate.wait_log(event="server_up")
    rounds = 100 if SANITIZER is None else 20

    def one_round():
        clients = [gate.connect() for _ in range(3)]
        for client in clients:
            client.sendall(b"x")
            assert client.recv(1) == b"x"
        server.kill()
        until(lambda: gate.health() == 503, "503")
        for client in clients:
            ends(client)
            client.close()
        server.revive()
        until(lambda: gate.health() == 200, "200")

    for _ in range(10):
        one_round()
    until(lambda: gate.listener_stats()["open"] == 0, "all sessions to end")
    descriptors, memory = settled_descriptors(gate), gate.pss_kib("Pss_Anon")
    for _ in range(rounds - 10):
        one_round()
    until(lambda: gate.listener_stats()["open"] == 0, "all sessions to end")
    until(lambda: settled_descriptors(gate) <= descriptors, "all descriptors to be closed")
    grown = gate.pss_kib("Pss_Anon") - memory
    record_property("memory_grown_kib", grown)
    if SANITIZER is None:
        assert grown < 512
    assert len(gate.logged(event="server_down")) == rounds
    assert gate.listener_stats()["closed"] == gate.listener_stats()["connections"] == rounds * 3


def settled_descriptors(gate):
    """Checks and questions come and go: the lowest count of a tenth of a second is the one between them."""
    counts, end = [], time.monotonic() + 0.1
    while time.monotonic() < end:
        counts.append(sum(gate.descriptors().values()))
    return min(counts)


class Mqtt(Server):
    """Answers a CONNECT with a CONNACK of this code."""

    def __init__(self, code=0, **options):
        self.code, self.heard = code, []
        super().__init__(**options)

    def serve(self, sock):
        head = sock.recv(2)
        self.heard.append(head + sock.recv(head[1]))
        sock.sendall(bytes([0x20, 2, 0, self.code]))
        while data := sock.recv(100):
            self.heard.append(data)


class Http(Server):
    def __init__(self, status, **options):
        self.status, self.heard = status, []
        super().__init__(**options)

    def serve(self, sock):
        request = b""
        while b"\r\n\r\n" not in request:
            request += sock.recv(1000)
        self.heard.append(request)
        sock.sendall(f"HTTP/1.1 {self.status} Whatever\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())


class Mute(Server):
    def serve(self, sock):
        while sock.recv(1000):
            pass


@pytest.mark.parametrize("kind, argument, check, verdict, detail", [
    (Mqtt, {"code": 0}, {"type": "mqtt"}, "up", None), (Mqtt, {"code": 5}, {"type": "mqtt"}, "up", None),
    (Mute, {}, {"type": "mqtt"}, "down", "Layer7 timeout"),
    (Echo, {}, {"type": "mqtt"}, "down", "Layer7 invalid response"),
    (Http, {"status": 200}, {"type": "http"}, "up", None),
    (Http, {"status": 503}, {"type": "http"}, "down", "Layer7 wrong status"),
    (Http, {"status": 204}, {"type": "http", "http": {"path": "/alive", "expect": 204}}, "up", None),
    (Mute, {}, {"type": "http"}, "down", "Layer7 timeout"), (Mute, {}, {"type": "tcp"}, "up", None),
])
def test_what_a_check_takes_for_an_answer(mqgate, serve, kind, argument, check, verdict, detail):
    server = serve(kind, **argument)
    gate = mqgate(conf(server.port, backend={"check": {**CHECK, **check}}))
    line = gate.wait_log(event=f"server_{verdict}")
    assert detail is None or line["reason"] == detail
    assert gate.health() == (200 if verdict == "up" else 503)
    if kind is Mqtt:
        until(lambda: b"\xe0\x00" in server.heard, "DISCONNECT after CONNACK")
        assert server.heard[0][0] == 0x10 and b"MQTT" in server.heard[0]
    if kind is Http:
        assert server.heard[0].startswith(f"GET {check.get('http', {}).get('path', '/status')} HTTP/1.".encode())


def test_a_check_may_ask_elsewhere(mqgate, serve):
    broker, status = serve(Listener), serve(Http, 200)
    gate = mqgate(conf(broker.port, server={"send_proxy": "v2"}, backend={"check": {
        **CHECK, "type": "http", "address": f"127.0.0.1:{status.port}"}}))
    gate.wait_log(event="server_up")
    assert status.heard[0].startswith(b"GET /status")  # and no PROXY header before it


@pytest.mark.parametrize("healthy_when, one_down", [("all", 503), ("any", 200)])
def test_all_backends_or_any_must_have_a_server(mqgate, serve, healthy_when, one_down):
    servers = [serve(Echo), serve(Echo)]
    configuration = conf(servers[0].port, backend={"check": CHECK}, admin={"healthy_when": healthy_when})
    configuration["listeners"].append({**configuration["listeners"][0], "name": "other", "backend": "other"})
    configuration["backends"].append({**configuration["backends"][0], "name": "other", "servers": [
        {"name": "o0", "address": f"127.0.0.1:{servers[1].port}"}]})
    gate = mqgate(configuration)
    gate.wait_log(2, event="backend_up")
    assert gate.health() == 200
    servers[1].kill()
    gate.wait_log(event="server_down", server="o0")
    assert gate.health() == one_down
    servers[0].kill()
    gate.wait_log(event="server_down", server="s0")
    assert gate.health() == 503


def test_mosquitto_is_seen_to_die_and_come_back(mqgate, tmp_path):
    with Mosquitto(tmp_path) as broker:
        gate = mqgate(conf(broker.port, listener={"protocol": "mqtt"},
                           backend={"check": {**CHECK, "type": "mqtt", "timeout": "2s"}}))
        gate.wait_log(event="server_up")
        broker.stop()
        until(lambda: gate.health() == 503, "503")
        broker.start()
        until(lambda: gate.health() == 200, "200")


@pytest.mark.limit(120)
def test_health_is_answered_while_the_workers_are_saturated(mqgate, serve, pki, record_property):
    """Full handshakes, no session resumed: with an RSA key of 4096 bits each costs the server milliseconds."""
    gate = mqgate(conf(serve(Echo).port, listener={"tls": "edge"}, log={"access": "off"},
                       tls=[section("edge", pki.leaf("one.test", "rsa4096"))]))
    host, port = gate.address()
    load_s = 3
    load = [subprocess.Popen(["openssl", "s_time", "-connect", f"{host}:{port}", "-new", "-time", str(load_s + 2)],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(8)]
    try:
        until(lambda: gate.listener_stats()["handshakes"] > 20, "the load")
        times, cpu, begun = [], gate.cpu_s(), time.monotonic()
        while time.monotonic() - begun < load_s:
            asked = time.monotonic()
            assert gate.health() == 200
            times.append(time.monotonic() - asked)
        used = (gate.cpu_s() - cpu) / (time.monotonic() - begun)
    finally:
        for each in load:
            each.kill()
            each.wait()
    times.sort()
    p95 = times[len(times) * 95 // 100]
    record_property("answers", len(times))
    record_property("cpus_used_by_mqgate", round(used, 2))
    record_property("median_ms", round(statistics.median(times) * 1000, 1))
    record_property("p95_ms", round(p95 * 1000, 1))
    record_property("worst_ms", round(times[-1] * 1000, 1))
    assert p95 < 0.1 * SLACK


def test_health_is_answered_while_slow_clients_hold_connections(mqgate, serve):
    gate = mqgate(conf(serve(Echo).port))
    slow = [gate.connect("admin") for _ in range(60)]
    for client in slow:
        client.sendall(b"GET /haproxy_he")
    assert gate.health() == 200
    for client in slow:
        client.close()
