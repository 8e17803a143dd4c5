"""PROXY headers: what goes out to servers, what is taken in from load balancers, and what comes through both."""
import socket
import ssl

import paho.mqtt.client
import pytest

import proxyproto as pp
from mqgate import DEADLINE_S, conf, until
from pki import section
from servers import HAProxy, Listener, ends

LOOPBACK = ["127.0.0.0/8"]


@pytest.fixture
def server(serve):
    return serve(Listener)


def received(server):
    """The header of the next connection, and the connection behind it."""
    sock = server.accept()
    return pp.receive(sock), sock


# --- out -------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_header_tells_client_and_listener(mqgate, server, version, host):
    bind = f"[{host}]:0" if ":" in host else f"{host}:0"
    gate = mqgate(conf(server.port, listener={"bind": bind}, server={"send_proxy": f"v{version}"}))
    with socket.create_connection((host, gate.port()), DEADLINE_S) as client:
        client.sendall(b"payload")
        header, accepted = received(server)
        assert header.version == version and header.command == pp.PROXY
        assert header.src == client.getsockname()[:2]
        assert header.dst == client.getpeername()[:2]
        assert accepted.recv(100) == b"payload"
    accepted.close()
    end = gate.wait_end()
    assert end["in"] == str(len(b"payload"))  # the header is not payload
    assert [kind for kind, _ in header.tlvs] == ([pp.UNIQUE_ID] if version == 2 else [])
    if version == 2:
        assert header.tlvs[0][1].decode() == end["id"]


@pytest.fixture
def edge(pki):
    return section("edge", pki.leaf("one.test", "ec"), alpn=["mqtt"], client_ca=pki.ca, verify="optional")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("with_certificate", [False, True])
def test_version_2_carries_the_facts_of_tls(mqgate, server, pki, edge, version, with_certificate):
    gate = mqgate(conf(server.port, listener={"tls": "edge"}, server={"send_proxy": "v2"}, tls=[edge]))
    context = ssl.create_default_context(cafile=pki.ca)
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["mqtt"])
    if with_certificate:
        context.load_cert_chain(*pki.leaf("device-1"))
    with context.wrap_socket(gate.connect(), server_hostname="one.test") as client:
        header, _ = received(server)
        tlvs = dict(header.tlvs)
        assert set(tlvs) == {pp.ALPN, pp.AUTHORITY, pp.UNIQUE_ID, pp.SSL}
        assert (tlvs[pp.ALPN], tlvs[pp.AUTHORITY]) == (b"mqtt", b"one.test")
        flags, verify, facts = pp.parse_ssl(tlvs[pp.SSL])
        assert flags == (0x07 if with_certificate else 0x01)
        assert (verify == 0) == with_certificate
        expected = {pp.SSL_VERSION: client.version().encode(), pp.SSL_CIPHER: client.cipher()[0].encode(),
                    pp.SSL_SIG_ALG: b"SHA256", pp.SSL_KEY_ALG: b"EC256"}
        if with_certificate:
            expected[pp.SSL_CN] = b"device-1"
        assert facts == expected


def test_a_resumed_session_says_that_its_certificate_was_not_in_this_connection(mqgate, server, pki, edge):
    gate = mqgate(conf(server.port, listener={"tls": "edge"}, server={"send_proxy": "v2"}, tls=[edge]))
    context = ssl.create_default_context(cafile=pki.ca)
    context.load_cert_chain(*pki.leaf("device-1"))
    session, flags = None, []
    for _ in range(2):
        with context.wrap_socket(gate.connect(), server_hostname="one.test", session=session) as client:
            header, accepted = received(server)
            flags.append(pp.parse_ssl(dict(header.tlvs)[pp.SSL])[0])
            accepted.sendall(b"x")
            client.recv(1)  # reads the session ticket, too
            session = client.session
    assert flags == [0x07, 0x05]


@pytest.mark.parametrize("version, option", [(1, "accept-proxy"), (2, "accept-proxy")])
def test_haproxy_takes_our_header(mqgate, server, tmp_path, version, option):
    body = (f"frontend in\n bind {{front}} {option}\n log-format \"seen %ci:%cp to %[dst]:%[dst_port]\"\n"
            f" default_backend out\nbackend out\n server s 127.0.0.1:{server.port}\n")
    with HAProxy(tmp_path, body, "front") as haproxy:
        gate = mqgate(conf(haproxy.ports["front"], server={"send_proxy": f"v{version}"}))
        with gate.connect(source="127.0.0.9") as client:
            client.sendall(b"through both")
            accepted = server.accept()
            assert accepted.recv(100) == b"through both"
            accepted.close()
            ends(client)
            seen = f"seen 127.0.0.9:{client.getsockname()[1]} to 127.0.0.1:{gate.port()}"
        until(lambda: seen in haproxy.log(), f"{seen} in HAProxy's log")


@pytest.mark.limit(120)
@pytest.mark.parametrize("version", [1, 2])
def test_rabbitmq_sees_the_real_client(mqgate, rabbitmq, version):
    # Unchecked: RabbitMQ 3.10 itself fails on a LOCAL or UNKNOWN header, in rabbit_net:socket_ends/2.
    gate = mqgate(conf(rabbitmq.port, listener={"protocol": "mqtt"}, server={"send_proxy": f"v{version}"}))
    client = paho.mqtt.client.Client(f"through-v{version}")
    got = []
    client.on_connect = lambda *_: client.subscribe("topic", 1)
    client.on_subscribe = lambda *_: client.publish("topic", b"hello", 1)
    client.on_message = lambda _client, _user, message: got.append(message.payload)
    client.connect("127.0.0.1", gate.port(), bind_address="127.0.0.77")
    source = client.socket().getsockname()
    until(lambda: client.loop(0.05) == 0 and got, "the message")
    client.disconnect()
    seen = f"({source[0]}:{source[1]} -> 127.0.0.1:{gate.port()}, client id: through-v{version})"
    until(lambda: seen in rabbitmq.log(), f"{seen} in RabbitMQ's log")
    assert got == [b"hello"]


# --- in --------------------------------------------------------------------------------------------------------------

SRC, DST = ("192.0.2.7", 4711), ("198.51.100.1", 1883)
SRC6, DST6 = ("2001:db8::7", 4711), ("2001:db8::1", 1883)
GOOD_HEADERS = {
    "v1": (pp.v1(SRC, DST), SRC, DST), "v1 IPv6": (pp.v1(SRC6, DST6), SRC6, DST6),
    "v2": (pp.v2(SRC, DST), SRC, DST), "v2 IPv6": (pp.v2(SRC6, DST6), SRC6, DST6),
    "v2 CRC32C": (pp.v2(SRC, DST, checksum="good"), SRC, DST),
    "v2 TLVs": (pp.v2(SRC, DST, tlvs=pp.tlv(pp.NOOP, bytes(100))), SRC, DST),
}
# The client stays who the socket says it is.
NAMELESS_HEADERS = {
    "v1 UNKNOWN": b"PROXY UNKNOWN\r\n", "v1 UNKNOWN with addresses": b"PROXY UNKNOWN ::1 ::2 1 2\r\n",
    "v2 LOCAL": pp.v2(command=pp.LOCAL), "v2 LOCAL with addresses": pp.v2(SRC, DST, command=pp.LOCAL),
    "v2 UNSPEC": pp.v2(),
}
BAD_HEADERS = {
    "CRC32C": pp.v2(SRC, DST, checksum="bad"), "v1 port": b"PROXY TCP4 1.2.3.4 5.6.7.8 99999 1\r\n",
    "v1 address": b"PROXY TCP4 1.2.3.256 5.6.7.8 9 1\r\n", "v1 without end": b"PROXY TCP4 " + b"1" * 200,
    "no header": b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00", "v2 version 3": b"".join(
        [pp.SIGNATURE, b"\x31\x11\x00\x0c", bytes(12)]),
    "v2 short addresses": pp.SIGNATURE + b"\x21\x11\x00\x04" + bytes(4),
    "v2 TLV too long": pp.v2(SRC, DST, tlvs=b"\x05\x00\x09abc"),
}


@pytest.fixture
def gate_in(mqgate, server):
    def start(proxy_protocol="required", proxy_from=LOOPBACK, timeouts=None, **listener):
        return mqgate(conf(server.port, server={"send_proxy": "v2"}, timeouts=timeouts or {}, listener={
            "proxy_protocol": proxy_protocol, "proxy_from": proxy_from, **listener}))
    return start


@pytest.mark.parametrize("piecewise", [False, True], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("mode", ["accept", "required"])
@pytest.mark.parametrize("kind", GOOD_HEADERS)
def test_a_good_header_names_the_client(gate_in, server, kind, mode, piecewise):
    header, src, dst = GOOD_HEADERS[kind]
    gate = gate_in(mode)
    with gate.connect() as client:
        send(client, header, piecewise)
        client.sendall(b"payload")
        seen, accepted = received(server)
        assert (seen.src, seen.dst) == (src, dst)
        assert accepted.recv(100) == b"payload"
        via = client.getsockname()
    accepted.close()
    end = gate.wait_end()
    assert end["client"] == (f"[{src[0]}]:{src[1]}" if ":" in src[0] else f"{src[0]}:{src[1]}")
    assert end["via"] == f"{via[0]}:{via[1]}"


def send(client, data, piecewise):
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for piece in ([data] if not piecewise else [data[i:i + 1] for i in range(len(data))]):
        client.sendall(piece)


@pytest.mark.parametrize("kind", NAMELESS_HEADERS)
def test_a_header_without_a_client_leaves_the_socket_s_address(gate_in, server, kind):
    gate = gate_in()
    with gate.connect() as client:
        client.sendall(NAMELESS_HEADERS[kind] + b"payload")
        seen, accepted = received(server)
        assert seen.src == client.getsockname()
        assert accepted.recv(100) == b"payload"


@pytest.mark.parametrize("kind", BAD_HEADERS)
def test_a_bad_header_ends_the_connection(gate_in, kind):
    gate = gate_in()
    with gate.connect() as client:
        client.sendall(BAD_HEADERS[kind])
        client.shutdown(socket.SHUT_WR)
        assert ends(client)[1] == b""
    gate.wait_end(why="proxy_header_bad", state="proxy_header")
    assert gate.listener_stats()["proxy_errors"] == 1


@pytest.mark.parametrize("first", [b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00", b"P", b"PROXIMITY",
                                   b"\r\n\r\nhello"])
def test_accept_goes_on_without_a_header(gate_in, server, first):
    gate = gate_in("accept", timeouts={"proxy_header": "200ms"})
    with gate.connect() as client:
        client.sendall(first)
        seen, accepted = received(server)
        assert seen.src == client.getsockname()
        assert pp.receive_exactly(accepted, len(first)) == first


def test_accept_waits_for_a_first_byte_no_longer_than_told(gate_in, server):
    gate = gate_in("accept", timeouts={"proxy_header": "100ms"})
    with gate.connect() as client:
        _, accepted = received(server)
        accepted.sendall(b"the server speaks first")
        assert client.recv(100) == b"the server speaks first"


def test_required_waits_for_the_header_no_longer_than_told(gate_in):
    gate = gate_in(timeouts={"proxy_header": "100ms"})
    with gate.connect() as client:
        client.sendall(pp.v1(SRC, DST)[:-1])
        assert ends(client)[1] == b""
    gate.wait_end(why="proxy_header_timeout")


@pytest.mark.parametrize("mode", ["accept", "required"])
def test_a_header_from_elsewhere_ends_the_connection(gate_in, server, mode):
    gate = gate_in(mode, proxy_from=["127.0.0.9/32"])
    with gate.connect() as client:
        client.sendall(pp.v2(SRC, DST))
        assert ends(client)[1] == b""
    gate.wait_end(why="proxy_header_untrusted")
    with gate.connect(source="127.0.0.9") as client:
        client.sendall(pp.v2(SRC, DST))
        server.accept().close()
    gate.wait_end(client=f"{SRC[0]}:{SRC[1]}")


def test_off_passes_a_header_on_as_payload(mqgate, server):
    gate = mqgate(conf(server.port))
    with gate.connect() as client:
        client.sendall(pp.v1(SRC, DST))
        accepted = server.accept()
        assert pp.receive(accepted).src == SRC


IN_IP6 = (f"::ffff:{SRC[0]}", SRC[1]), (f"::ffff:{DST[0]}", DST[1])  # IPv4 as a dual-stack balancer may write it


@pytest.mark.parametrize("header", [pp.v1(SRC, DST), pp.v2(SRC, DST), pp.v1(*IN_IP6), pp.v2(*IN_IP6)],
                         ids=["v1", "v2", "v1-in-IPv6", "v2-in-IPv6"])
def test_allow_and_deny_see_the_client_in_the_header(gate_in, server, header):
    gate = gate_in(deny=["192.0.2.0/24"])
    with gate.connect() as client:
        client.sendall(header)
        assert ends(client) == ("reset", b"")
    gate.wait_end(why="denied")
    assert gate.listener_stats()["denied_sessions"] == 1
    gate = gate_in(allow=["192.0.2.0/24"])
    with gate.connect() as client:
        client.sendall(header)
        server.accept().close()


def test_tlvs_are_passed_on_behind_ours(gate_in, server):
    theirs = [(pp.AUTHORITY, b"front.test"), (0xE0, b"custom"), (0xEA, b"\x01vpce-1")]
    gate = gate_in()
    with gate.connect() as client:
        client.sendall(pp.v2(SRC, DST, tlvs=b"".join(pp.tlv(*each) for each in theirs), checksum="good"))
        seen, _ = received(server)
    assert [each for each in seen.tlvs if each in theirs] == theirs
    assert pp.CRC32C not in dict(seen.tlvs)  # of their header, not of ours


def test_the_header_comes_before_tls(mqgate, server, pki):
    gate = mqgate(conf(server.port, server={"send_proxy": "v2"}, tls=[section("edge", pki.leaf("one.test"))],
                       listener={"tls": "edge", "proxy_protocol": "required", "proxy_from": LOOPBACK}))
    sock = gate.connect()
    sock.sendall(pp.v2(SRC, DST))
    with ssl.create_default_context(cafile=pki.ca).wrap_socket(sock, server_hostname="one.test") as client:
        client.sendall(b"payload")
        seen, accepted = received(server)
        assert seen.src == SRC and dict(seen.tlvs)[pp.AUTHORITY] == b"one.test"
        assert accepted.recv(100) == b"payload"


@pytest.mark.parametrize("option", ["send-proxy", "send-proxy-v2", "send-proxy-v2-ssl-cn"])
def test_haproxy_s_header_is_taken(gate_in, server, pki, tmp_path, option):
    identity = pki.leaf("one.test")
    pem = tmp_path / "haproxy.pem"
    pem.write_bytes(open(identity.chain, "rb").read() + open(identity.key, "rb").read())
    gate = gate_in()
    body = (f"frontend in\n bind {{front}} ssl crt {pem} ca-file {pki.ca} verify required\n default_backend out\n"
            f"backend out\n server s 127.0.0.1:{gate.port()} {option}\n")
    with HAProxy(tmp_path, body, "front") as haproxy:
        context = ssl.create_default_context(cafile=pki.ca)
        context.load_cert_chain(*pki.leaf("device-1"))
        sock = socket.create_connection(("127.0.0.1", haproxy.ports["front"]), DEADLINE_S, ("127.0.0.9", 0))
        with context.wrap_socket(sock, server_hostname="one.test") as client:
            client.sendall(b"payload")
            seen, accepted = received(server)
            assert seen.src == client.getsockname() and seen.dst == client.getpeername()
            assert accepted.recv(100) == b"payload"
            ours_and_theirs = dict(seen.tlvs)
    if option == "send-proxy-v2-ssl-cn":
        flags, verify, facts = pp.parse_ssl(ours_and_theirs[pp.SSL])
        assert (flags, verify, facts[pp.SSL_CN]) == (0x07, 0, b"device-1")


def test_health_checks_send_local(mqgate, server):
    gate = mqgate(conf(server.port, server={"send_proxy": "v2"}, backend={"check": {"type": "tcp"}}))
    header, _ = received(server)
    assert header.command == pp.LOCAL and header.src is None
    gate.wait_log(event="server_up")
