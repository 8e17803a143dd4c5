"""One port for all: PROXY headers, TLS, MQTT, WebSocket and the admin endpoints are told apart by what clients say."""
import collections
import concurrent.futures
import contextlib
import http.client
import os
import random
import socket
import ssl
import threading
import time

import pytest

import proxyproto as pp
import websocket as ws
from mqgate import DEADLINE_S, SANITIZER, SLACK, conf, until
from pki import section
from servers import Listener, ends

CONNECT = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04gate"
CONNACK = b"\x20\x02\x00\x00"
HEALTH = b"GET /haproxy_health HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n"
UPGRADE = ws.request()
CLIENT = ("192.0.2.7", 4711)
LOOPBACK = ["127.0.0.0/8"]


# --- what clients say ------------------------------------------------------------------------------------------------

def framed(payload):
    return ws.frame(payload, mask=bytes(4))


def head(sock):
    """Up to and with the empty line."""
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        data += pp.receive_exactly(sock, 1)
    return data


def speak_mqtt(sock, send=socket.socket.sendall):
    send(sock, CONNECT)
    assert pp.receive_exactly(sock, 4) == CONNACK


def speak_ws(sock, send=socket.socket.sendall):
    send(sock, UPGRADE)
    assert head(sock).startswith(b"HTTP/1.1 101 ")
    send(sock, framed(CONNECT))
    assert pp.receive_exactly(sock, 6) == b"\x82\x04" + CONNACK


def status(answer):
    assert answer.startswith(b"HTTP/1.1 "), answer
    return int(answer[9:12])


def ask(sock, path="/haproxy_health"):
    """Status and body of the answer to a request on a connection that ends with it."""
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n".encode())
    how, answer = ends(sock)
    assert how == "eof"
    return status(answer), answer.split(b"\r\n\r\n", 1)[1]


def by_bytes(sock, data):
    for i in range(len(data)):
        sock.sendall(data[i:i + 1])
        time.sleep(0.0005)


@pytest.fixture(scope="module")
def trust(pki):
    return ssl.create_default_context(cafile=pki.ca)


def over_tls(sock, trust):
    return trust.wrap_socket(sock, server_hostname="one.test")


def sent_by_tls(sock, data):
    sock.sendall(data)


# --- the gate --------------------------------------------------------------------------------------------------------

def mux(mqtt_port, ws_port, pki=None, **listener):
    configuration = conf(mqtt_port)
    configuration["listeners"] = [{
        "name": "in", "bind": "127.0.0.1:0", "protocol": "auto", "admin": True,
        "backends": {"mqtt": "broker", "ws": "broker-ws"}, "tls": "edge" if pki else "", **listener}]
    configuration["backends"] = [
        {"name": name, "check": {"type": "none"}, "servers": [{"name": "s0", "address": f"127.0.0.1:{port}"}]}
        for name, port in (("broker", mqtt_port), ("broker-ws", ws_port))]
    if pki:
        configuration["tls"] = [section("edge", pki.leaf("one.test"))]
    return configuration


@pytest.fixture(scope="module")
def gate(module_mqgate, mosquitto, pki):
    """Takes PROXY headers from 127.0.0.2 only."""
    return module_mqgate(mux(mosquitto.port, mosquitto.ws_port, pki, proxy_protocol="accept",
                             proxy_from=["127.0.0.2/32"], timeouts={"connect_packet": "2s"}))


@pytest.fixture
def untouched(serve):
    """A gate's servers that nobody may come to."""
    with serve(Listener) as server:
        yield server
        server.socket.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.socket.accept()


def sessions(gate):
    return [line for line in gate.log.lines if line.get("event") == "session_end"]


@contextlib.contextmanager
def its_end(gate):
    """The line of the one session that ends meanwhile."""
    before, found = len(sessions(gate)), {}
    yield found
    found.update(until(lambda: sessions(gate)[before:], "the end of the session")[0])


# --- each kind, to its place -----------------------------------------------------------------------------------------

HEADERS = {
    "none": None,
    "v1": lambda port: pp.v1(CLIENT, ("198.51.100.1", port)),
    "v2": lambda port: pp.v2(CLIENT, ("198.51.100.1", port)),
    "v2-local": lambda port: pp.v2(command=pp.LOCAL),
    "v1-unknown": lambda port: b"PROXY UNKNOWN\r\n",
}
KINDS = {"mqtt": (speak_mqtt, False, 1883, "broker"), "mqtts": (speak_mqtt, True, 8883, "broker"),
         "ws": (speak_ws, False, 8083, "broker-ws"), "wss": (speak_ws, True, 8084, "broker-ws")}


@pytest.mark.parametrize("how", ["at-once", "byte-by-byte"])
@pytest.mark.parametrize("port", ["promised", "any"])
@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_reaches_its_place(gate, trust, kind, header, port, how):
    speak, tls, promised, backend = KINDS[kind]
    send = by_bytes if how == "byte-by-byte" else socket.socket.sendall
    with its_end(gate) as end:
        with gate.connect(source="127.0.0.2" if HEADERS[header] else None) as sock:
            if HEADERS[header]:
                send(sock, HEADERS[header](promised if port == "promised" else 8080))
            speak(over_tls(sock, trust) if tls else sock, by_bytes if send is by_bytes else sent_by_tls)
    assert end["backend"] == backend and ("tls" in end) == tls
    assert end["client"] == ("192.0.2.7:4711" if header in ("v1", "v2") else end["client"])


def test_a_header_and_what_follows_may_come_in_one_piece(gate):
    for header in (pp.v1(CLIENT, ("198.51.100.1", 1883)), pp.v2(CLIENT, ("198.51.100.1", 9))):
        with its_end(gate) as end, gate.connect(source="127.0.0.2") as sock:
            sock.sendall(header + CONNECT)
            assert pp.receive_exactly(sock, 4) == CONNACK
        assert end["backend"] == "broker" and end["in"] == str(len(CONNECT))


def test_a_hello_behind_a_header_in_one_piece(gate, trust):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = trust.wrap_bio(incoming, outgoing, server_hostname="one.test")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    with its_end(gate) as end, gate.connect(source="127.0.0.2") as sock:
        sock.sendall(pp.v2(CLIENT, ("198.51.100.1", 8883)) + outgoing.read())
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                sock.sendall(outgoing.read())
                incoming.write(sock.recv(65536))
        tls.write(CONNECT)
        sock.sendall(outgoing.read())
        while incoming.pending == 0:
            incoming.write(sock.recv(65536))
            with contextlib.suppress(ssl.SSLWantReadError):
                assert tls.read(100) == CONNACK
                break
    assert end["backend"] == "broker"


def test_a_header_that_fills_the_buffer_leaves_room_for_what_follows(gate):
    longest = 16384
    header = pp.v2(CLIENT, ("198.51.100.1", 9))
    header = pp.v2(CLIENT, ("198.51.100.1", 9), tlvs=pp.tlv(pp.NOOP, bytes(longest - len(header) - 3 - 1)))
    assert len(header) == longest - 1
    with its_end(gate) as end, gate.connect(source="127.0.0.2") as sock:
        sock.sendall(header + UPGRADE[:1])
        sock.sendall(UPGRADE[1:])
        assert head(sock).startswith(b"HTTP/1.1 101 ")
        sock.sendall(framed(CONNECT))
        assert pp.receive_exactly(sock, 6) == b"\x82\x04" + CONNACK
    assert end["backend"] == "broker-ws"


def test_one_backend_takes_what_both_kinds_of_clients_say(mqgate, mosquitto):
    configuration = mux(mosquitto.port, mosquitto.ws_port)
    del configuration["listeners"][0]["backends"]
    gate = mqgate({**configuration, "listeners": [{**configuration["listeners"][0], "backend": "broker"}]})
    with its_end(gate) as end, gate.connect() as sock:
        speak_mqtt(sock)
    assert end["backend"] == "broker"


# --- what is refused -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("said, port", [
    (CONNECT, 8883), (CONNECT, 8083), (CONNECT, 8084), (UPGRADE, 1883), (UPGRADE, 8883), (UPGRADE, 8084), (HEALTH, 1883),
    (b"\x16\x03\x01\x00\x05", 1883), (b"\x16\x03\x01\x00\x05", 8083)])
def test_what_follows_a_header_is_what_its_port_promises(mqgate, untouched, pki, said, port):
    gate = mqgate(mux(untouched.port, untouched.port, pki, proxy_protocol="accept", proxy_from=LOOPBACK))
    with gate.connect() as sock:
        sock.sendall(pp.v2(CLIENT, ("198.51.100.1", port)) + said)
        assert ends(sock) == ("eof", b"")
    end = gate.wait_end()
    assert (end["why"], end["state"], end["client"]) == ("unknown_protocol", "tell", "192.0.2.7:4711")
    assert "backend" not in end


@pytest.mark.parametrize("port, kind", [(8883, "ws"), (8084, "mqtt")])
def test_what_is_inside_tls_is_what_the_port_promises(mqgate, untouched, pki, trust, port, kind):
    gate = mqgate(mux(untouched.port, untouched.port, pki, proxy_protocol="accept", proxy_from=LOOPBACK))
    with gate.connect() as sock:
        sock.sendall(pp.v1(CLIENT, ("198.51.100.1", port)))
        with over_tls(sock, trust) as tls:
            tls.sendall(CONNECT if kind == "mqtt" else UPGRADE)
            assert ends(tls) == ("eof", b"")
    assert gate.wait_end()["why"] == "unknown_protocol"


@pytest.mark.parametrize("said", [b"\x00", b"\x20\x02\x00\x00", b"SSH-2.0-x\r\n", b"hello\r\n", b"\r\n\r\n\r\n", b"\x80\x2e\x01"])
def test_bytes_of_no_known_protocol_are_closed_with_the_first_that_shows_it(mqgate, untouched, said):
    gate = mqgate(mux(untouched.port, untouched.port))
    with gate.connect() as sock:
        sock.sendall(said)
        assert ends(sock) == ("eof", b"")
    end = gate.wait_end()
    assert (end["why"], end["state"]) == ("unknown_protocol", "tell")
    assert f"{said[0]:02x}" in gate.control("show errors")


def test_tls_is_refused_where_there_is_none(mqgate, untouched):
    gate = mqgate(mux(untouched.port, untouched.port))
    with gate.connect() as sock:
        sock.sendall(b"\x16\x03\x01\x00\x05")
        assert ends(sock) == ("eof", b"")
    assert gate.wait_end()["why"] == "unknown_protocol"


@pytest.mark.parametrize("missing, said", [("mqtt", CONNECT), ("ws", UPGRADE)])
def test_clients_without_a_backend_are_refused(mqgate, untouched, missing, said):
    backends = {"mqtt": "broker", "ws": "broker-ws", missing: ""}
    gate = mqgate(mux(untouched.port, untouched.port, backends=backends))
    with gate.connect() as sock:
        sock.sendall(said)
        assert ends(sock) == ("eof", b"")
    assert gate.wait_end()["why"] == "unknown_protocol"


@pytest.mark.parametrize("said", [b"", b"GE", b"PROXY", b"\r\n\r\n", UPGRADE[:8]])
@pytest.mark.parametrize("where", ["at-first", "behind-a-header", "inside-tls"])
def test_who_says_too_little_is_closed_in_time_and_costs_nothing(mqgate, untouched, pki, trust, where, said):
    gate = mqgate(mux(untouched.port, untouched.port, pki, proxy_protocol="accept", proxy_from=LOOPBACK,
                      timeouts={"connect_packet": "700ms"}))

    def work():
        return int(next(line for line in gate.control("show activity").splitlines()
                        if line.startswith("session_events:")).split()[1])

    with gate.connect() as sock:
        if where == "behind-a-header":
            sock.sendall(pp.v1(CLIENT, ("198.51.100.1", 9)))
        if where == "inside-tls":
            sock = over_tls(sock, trust)
        sock.sendall(said)
        started = time.monotonic()
        assert ends(sock)[1] == b""
        assert 0.5 < time.monotonic() - started < 1.5 * SLACK
    end = gate.wait_end()
    assert (end["why"], end["state"]) == ("connect_packet_timeout", "tell")
    assert work() < 20


@pytest.mark.parametrize("said", [b"", b"GE", b"\r\n\r\n"])
def test_who_leaves_before_it_is_told_what_he_is_is_let_go_at_once(gate, said):
    with its_end(gate) as end, gate.connect() as sock:
        sock.sendall(said)
        sock.shutdown(socket.SHUT_WR)
        assert ends(sock)[1] == b""
    assert (end["why"], end["state"]) == ("client_closed", "tell")
    assert int(end["dur_ms"]) < 1000


def test_a_header_from_elsewhere_ends_the_connection(gate):
    with its_end(gate) as end, gate.connect() as sock:
        sock.sendall(pp.v1(CLIENT, ("198.51.100.1", 1883)) + CONNECT)
        assert ends(sock) == ("eof", b"")
    assert end["why"] == "proxy_header_untrusted"


def test_a_header_where_there_is_none_to_be(mqgate, untouched):
    gate = mqgate(mux(untouched.port, untouched.port))
    with gate.connect() as sock:
        sock.sendall(pp.v1(CLIENT, ("198.51.100.1", 1883)) + CONNECT)
        assert ends(sock) == ("eof", b"")
    assert gate.wait_end()["why"] == "proxy_header_untrusted"


def test_a_second_header_is_refused(gate):
    with its_end(gate) as end, gate.connect(source="127.0.0.2") as sock:
        sock.sendall(2 * pp.v1(CLIENT, ("198.51.100.1", 1883)))
        assert ends(sock) == ("eof", b"")
    assert end["why"] == "unknown_protocol"


@pytest.mark.parametrize("said", [CONNECT, UPGRADE, b"\x16\x03\x01\x00\x05", b"hello"])
def test_where_a_header_is_required_only_http_for_the_admin_endpoints_does_without(mqgate, untouched, pki, said):
    gate = mqgate(mux(untouched.port, untouched.port, pki, proxy_protocol="required", proxy_from=["127.0.0.2/32"]))
    for source, why in (("127.0.0.2", "proxy_header_bad"), ("127.0.0.1", "proxy_header_untrusted")):
        with its_end(gate) as end, gate.connect(source=source) as sock:
            sock.sendall(said)
            assert ends(sock) == ("eof", b"")
        assert end["why"] == why
    with gate.connect(source="127.0.0.2") as sock:
        assert ask(sock)[0] == 200


# --- HTTP ------------------------------------------------------------------------------------------------------------

def test_the_admin_endpoints_answer_on_the_mux_alone(mqgate, mosquitto):
    gate = mqgate({**mux(mosquitto.port, mosquitto.ws_port), "admin": {"bind": ""}})
    assert not gate.logged(event="listening", listener="admin")
    for path, wanted in (("/haproxy_health", 200), ("/haproxy_stats;csv", 200), ("/metrics", 200), ("/other", 404)):
        with gate.connect() as sock:
            assert ask(sock, path)[0] == wanted
    with gate.connect() as sock:
        assert b"admin,FRONTEND" in ask(sock, "/haproxy_stats;csv")[1]


def test_a_connection_that_was_handed_over_goes_on_and_leaves_no_line(mqgate, mosquitto):
    gate = mqgate(mux(mosquitto.port, mosquitto.ws_port))
    connection = http.client.HTTPConnection(*gate.address(), timeout=DEADLINE_S)
    for _ in range(3):
        connection.request("GET", "/haproxy_health")
        answer = connection.getresponse()
        assert (answer.status, b"Service ready" in answer.read()) == (200, True)
    sockets = gate.descriptors()["socket"]
    with gate.connect() as sock:
        by_bytes(sock, HEALTH)
        assert status(ends(sock)[1]) == 200
    listener = gate.listener_stats()
    assert (listener["open"], listener["connections"]) == (0, 2)
    assert gate.control("show info").count("CurrConns: 0\n") == 1
    connection.close()
    until(lambda: gate.descriptors()["socket"] == sockets - 1, "the connection to be closed")
    with its_end(gate), gate.connect() as sock:
        speak_mqtt(sock)
    assert len(sessions(gate)) == 1


@pytest.mark.parametrize("path", ["/haproxy_stats", "/haproxy_stats;csv", "/metrics"])
def test_only_health_is_told_to_those_who_may_send_headers(gate, path):
    with gate.connect(source="127.0.0.2") as sock:
        assert ask(sock)[0] == 200
    with gate.connect(source="127.0.0.2") as sock:
        code, body = ask(sock, path)
        assert code == 403 and b"proxy_from" in body
    with gate.connect(source="127.0.0.3") as sock:
        assert ask(sock, path)[0] == 200


@pytest.mark.parametrize("path", ["/haproxy_health", "/haproxy_stats", "/metrics"])
@pytest.mark.parametrize("where", ["behind-a-header", "behind-a-local-header", "inside-tls", "without-admin"])
def test_elsewhere_http_is_for_websocket_alone(mqgate, untouched, pki, trust, where, path):
    gate = mqgate(mux(untouched.port, untouched.port, pki, proxy_protocol="accept", proxy_from=LOOPBACK,
                      admin=where != "without-admin"))
    with gate.connect() as sock:
        if where == "behind-a-header":
            sock.sendall(pp.v2(CLIENT, ("198.51.100.1", 8083)))
        if where == "behind-a-local-header":
            sock.sendall(pp.v2(command=pp.LOCAL))
        if where == "inside-tls":
            sock = over_tls(sock, trust)
        code, body = ask(sock, path)
        assert code == 404 and b"/mqtt" in body


# --- closed to clients -----------------------------------------------------------------------------------------------



CLOSED = {
    "full": ({"max_connections": 1}, {}, []),
    "process-full": ({}, {"max_connections": 1}, []),
    "disabled": ({}, {}, ["disable frontend in"]),
    "shut-down": ({}, {}, ["shutdown frontend in"]),
    "too-fast": ({}, {}, ["set rate-limit connections global 1"]),
    "denied": ({"deny": ["127.0.0.1/32"]}, {}, []),
    "source-full": ({"per_source": {"max_connections": 1}}, {}, []),
}


@pytest.fixture(params=CLOSED)
def closed(mqgate, mosquitto, request):
    """A gate that is closed to clients from 127.0.0.1."""
    listener, global_, commands = CLOSED[request.param]
    configuration = mux(mosquitto.port, mosquitto.ws_port, timeouts={"connect_packet": "1s"}, **listener)
    configuration["global"].update(global_)
    gate = mqgate(configuration)
    with gate.connect() as first:
        if request.param != "denied":
            speak_mqtt(first)
        for command in commands:
            assert gate.control(command).strip() == ""
        yield gate




def test_who_is_closed_to_clients_still_answers_http_and_nothing_else(closed, request):
    before = len(sessions(closed))
    for how in (socket.socket.sendall, by_bytes):
        with closed.connect() as sock:
            how(sock, HEALTH)
            assert status(ends(sock)[1]) == 200
    with closed.connect() as sock:
        assert ask(sock, "/metrics")[0] == 200
    if request.node.callspec.params["closed"] == "too-fast":
        return  # clients come in one by one
    for said in (CONNECT, UPGRADE, b"\x16\x03\x01\x00\x05", b"hello"):
        with closed.connect() as sock:
            sock.sendall(said)
            assert ends(sock) == ("reset", b"")
    with closed.connect() as sock:
        started = time.monotonic()
        assert ends(sock) == ("reset", b"")
        assert time.monotonic() - started < 2 * SLACK
    assert len(sessions(closed)) == before
    row = closed.listener_stats()
    assert row["open"] == (0 if request.node.callspec.params["closed"] == "denied" else 1)


def test_a_gate_that_opens_again_takes_clients(mqgate, mosquitto):
    configuration = mux(mosquitto.port, mosquitto.ws_port)
    configuration["global"]["max_connections"] = 1
    gate = mqgate(configuration)
    for command in ("disable", "enable"):
        assert gate.control(f"{command} frontend in").strip() == ""
    for _ in range(3):
        with its_end(gate), gate.connect() as sock:
            speak_mqtt(sock)
            with gate.connect() as second:
                assert ask(second)[0] == 200
        until(lambda: "CurrConns: 0\n" in gate.control("show info"), "room")


def test_a_global_limit_still_pauses_other_listeners(mqgate, mosquitto):
    configuration = mux(mosquitto.port, mosquitto.ws_port)
    configuration["global"].update(max_connections=1, workers=1)
    configuration["listeners"].append({"name": "plain", "bind": "127.0.0.1:0", "protocol": "mqtt", "backend": "broker"})
    gate = mqgate(configuration)
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(gate.connect())
        speak_mqtt(first)
        second = stack.enter_context(gate.connect("plain"))
        second.sendall(CONNECT)
        for _ in range(20):
            with gate.connect() as sock:
                assert ask(sock)[0] == 200
        second.settimeout(0.1)
        with pytest.raises(TimeoutError):
            second.recv(1)
        second.settimeout(DEADLINE_S)
        first.close()
        assert pp.receive_exactly(second, 4) == CONNACK


def test_crowds_that_say_nothing_do_not_keep_health_out(mqgate, mosquitto):
    gate = mqgate(mux(mosquitto.port, mosquitto.ws_port, max_connections=1))
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(gate.connect())
        speak_mqtt(first)
        for _ in range(400):
            stack.enter_context(gate.connect()).sendall(b"GET /m")
        for _ in range(20):
            with gate.connect() as sock:
                assert ask(sock)[0] == 200
        assert gate.descriptors()["socket"] < 200


def test_crowds_of_idle_http_clients_do_not_keep_health_out(mqgate, mosquitto):
    gate = mqgate(mux(mosquitto.port, mosquitto.ws_port))
    with contextlib.ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(gate.connect()).sendall(b"GET /x")
        until(lambda: gate.listener_stats()["connections"] >= 300, "all to be handed over")
        for _ in range(20):
            with gate.connect() as sock:
                assert ask(sock)[0] == 200
        assert gate.descriptors()["socket"] < 200


@pytest.mark.skipif(SANITIZER is not None, reason="a matter of speed")
@pytest.mark.parametrize("state", ["open", "full", "disabled"])
def test_health_is_answered_within_100_ms_while_200_clients_are_busy(mqgate, mosquitto, state):
    clients = 200
    gate = mqgate(mux(mosquitto.port, mosquitto.ws_port, max_connections=clients if state == "full" else 0))
    publish = b"\x30\x12\x00\x01t" + 15 * b"x"
    stop = threading.Event()

    def keep_busy(socks):
        while not stop.is_set():
            for sock in socks:
                sock.sendall(50 * publish)

    with contextlib.ExitStack() as stack:
        socks = []
        for n in range(clients):
            sock = stack.enter_context(gate.connect())
            sock.sendall(CONNECT[:-4] + b"%04d" % n)
            assert pp.receive_exactly(sock, 4) == CONNACK
            socks.append(sock)
        if state == "disabled":
            gate.control("disable frontend in")
        crowd = threading.Thread(target=keep_busy, args=(socks,))
        crowd.start()
        try:
            times = []
            for _ in range(50):
                started = time.monotonic()
                with gate.connect() as sock:
                    assert ask(sock)[0] == 200
                times.append(time.monotonic() - started)
        finally:
            stop.set()
            crowd.join()
    assert max(times) < 0.1


# --- all at once -----------------------------------------------------------------------------------------------------

def mixed(address, trust, kind, number):
    """A client of this kind, from its beginning to its end."""
    name, _, header = kind.partition("+")
    with socket.create_connection(address, DEADLINE_S, ("127.0.0.2", 0) if header else None) as sock:
        if name in KINDS:
            speak, tls, port, _ = KINDS[name]
            if header:
                sock.sendall(HEADERS[header](random.choice([port, 8080])))
            speak(over_tls(sock, trust) if tls else sock, sent_by_tls)
        elif name == "garbage":
            sock.sendall(b"\x00garbage")
            assert ends(sock) == ("eof", b"")
        else:
            path = {"health": "/haproxy_health", "metrics": "/metrics?scope=frontend", "lost": f"/lost/{number}"}[name]
            assert ask(sock, path)[0] == (404 if name == "lost" else 200)


MIX = ["mqtt", "mqtt+v2", "mqtt+v1", "mqtts", "mqtts+v2", "ws", "ws+v2", "wss", "wss+v1", "health", "health", "metrics",
       "lost", "garbage"]


@pytest.mark.limit(600)
def test_a_mix_of_all_kinds_reaches_its_places_and_no_other(mqgate, mosquitto, pki, trust):
    """MQGATE_MUX_CLIENTS says how many; 60000 are a minute's work."""
    n = int(os.environ.get("MQGATE_MUX_CLIENTS", "1500"))
    gate = mqgate(mux(mosquitto.port, mosquitto.ws_port, pki, proxy_protocol="accept", proxy_from=["127.0.0.2/32"]))
    kinds = [MIX[i % len(MIX)] for i in range(n)]
    random.Random(4).shuffle(kinds)
    address, started = gate.address(), time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        for done in [pool.submit(mixed, address, trust, kind, i) for i, kind in enumerate(kinds)]:
            done.result()
    print(f"{n / (time.monotonic() - started):.0f} connections a second")
    wanted = collections.Counter(KINDS[kind.partition("+")[0]][3] for kind in kinds if kind.partition("+")[0] in KINDS)
    clients = sum(wanted.values()) + kinds.count("garbage")
    until(lambda: len(sessions(gate)) >= clients, "the ends of all sessions")
    found = collections.Counter(line.get("backend") for line in sessions(gate))
    assert found == {**wanted, None: kinds.count("garbage")}
    assert gate.listener_stats()["open"] == 0
    assert gate.listener_stats()["connections"] == n
