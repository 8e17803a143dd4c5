"""A stream that stops being MQTT ends its session, once what came before has been delivered; or, where that is not
wanted, goes on as bytes."""
import contextlib
import socket
import ssl
import threading

import pytest

from mqgate import DEADLINE_S, conf, pattern
from mqttproto import PINGREQ, PINGRESP, binary, connack, connect, packet, read_packet, receive
from pki import section
from servers import Listener, ends

TAIL = pattern(3000, 4)  # what comes behind the fault, so that it is seen to be kept away

# Good but for the last byte; versions.
CLIENT_FAULTS = {
    "type 0": (b"\0", (3, 4, 5)),
    "a second CONNECT": (b"\x10", (3, 4, 5)),
    "a CONNACK": (b"\x20", (3, 4, 5)),
    "a SUBACK": (b"\x90", (4, 5)),
    "a PINGRESP": (b"\xD0", (4, 5)),
    "AUTH before 5": (b"\xF0", (3, 4)),
    "a PUBLISH of QoS 3": (b"\x36", (3, 4, 5)),
    "a SUBSCRIBE without its flags": (b"\x80", (4, 5)),
    "an endless length": (b"\x30\xFF\xFF\xFF\xFF", (3, 4, 5)),
    "a padded length in 5": (b"\x30\x80\0", (5,)),
    "a PINGREQ with a body": (b"\xC0\1", (4, 5)),
    "HTTP": (b"G", (4, 5)),
}
SERVER_FAULTS = {
    "type 0": (b"\0", (3, 4, 5)),
    "a CONNECT": (b"\x10", (4, 5)),
    "a second CONNACK": (b"\x20", (3, 4, 5)),
    "a SUBSCRIBE": (b"\x82", (4, 5)),
    "a PINGREQ": (b"\xC0", (4, 5)),
    "a DISCONNECT before 5": (b"\xE0", (3, 4)),
    "a PUBLISH of QoS 3": (b"\x36", (4, 5)),
    "an endless length": (b"\x30\xFF\xFF\xFF\xFF", (4, 5)),
}


def cases(faults):
    return [pytest.param(bytes_, version, id=f"{name} in {version}")
            for name, (bytes_, versions) in faults.items() for version in versions]


class Session:
    """A client and the server behind the gate, greeted."""

    def __init__(self, mqgate, serve, stack, version, tls=None, strict=True, greet=True):
        listener = serve(Listener)
        tls_group = {"tls": [section("edge", tls.leaf("one.test"))]} if tls else {}
        edge = {"tls": "edge"} if tls else {}
        self.gate = mqgate(conf(listener.port, **tls_group,
                                listener={"protocol": "mqtt", "mqtt": {"strict": strict}, **edge}))
        self.client = stack.enter_context(self.gate.connect())
        if tls:
            self.client = stack.enter_context(ssl.create_default_context(cafile=tls.ca).wrap_socket(
                self.client, server_hostname="one.test"))
        self.client.settimeout(DEADLINE_S)
        self.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        hello = connect(version, "talker")
        self.client.sendall(hello)
        self.server = listener.accept()
        assert receive(self.server, len(hello)) == hello
        if greet:
            self.server.sendall(connack(version))
            assert read_packet(self.client) == connack(version)


def publish(version, n):
    return packet(binary("topic") + (b"\0" if version == 5 else b"") + pattern(n, n), 0x30)


def send(sock, data):
    with contextlib.suppress(OSError):
        sock.sendall(data)


def stopped_before(heard, good, fault):
    """All of what was good arrived, and no byte that is not. A header that went wrong later may have begun to."""
    return heard[:len(good)] == good and fault[:-1].startswith(heard[len(good):])


@pytest.mark.parametrize("fault, version", cases(CLIENT_FAULTS))
def test_a_clients_stream_that_stops_being_mqtt_ends_the_session(mqgate, serve, fault, version):
    with contextlib.ExitStack() as stack:
        s = Session(mqgate, serve, stack, version)
        good = PINGREQ + publish(version, 5000) + PINGREQ
        send(s.client, good + fault + TAIL)
        _, heard = ends(s.server)
        assert stopped_before(heard, good, fault), heard[-20:]
        ends(s.client)
        s.client.close()  # else the gate waits for that a moment
        assert s.gate.wait_end()["why"] == "client_not_mqtt"


@pytest.mark.parametrize("fault, version", cases(SERVER_FAULTS))
def test_a_servers_stream_that_stops_being_mqtt_ends_the_session(mqgate, serve, fault, version):
    with contextlib.ExitStack() as stack:
        s = Session(mqgate, serve, stack, version)
        good = PINGRESP + publish(version, 5000) + PINGRESP
        send(s.server, good + fault + TAIL)
        _, heard = ends(s.client)
        assert stopped_before(heard[:len(good) + len(fault) - 1], good, fault), heard[-20:]
        assert version == 5 or len(heard) < len(good) + len(fault)  # 5 may say why
        assert ends(s.server)[1] == b""
        s.client.close()
        assert s.gate.wait_end()["why"] == "server_not_mqtt"


@pytest.mark.parametrize("first", [PINGRESP, b"SSH-2.0-server\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_a_server_that_does_not_begin_with_a_connack_is_no_broker(mqgate, serve, first):
    with contextlib.ExitStack() as stack:
        s = Session(mqgate, serve, stack, 4, greet=False)
        send(s.server, first)
        _, heard = ends(s.client)
        assert first not in heard
        s.client.close()
        assert s.gate.wait_end()["why"] == "server_not_mqtt"


def test_what_came_before_the_fault_is_delivered_however_much_it_is(mqgate, serve):
    """More than sockets and buffers hold, to a server that does not read at first."""
    with contextlib.ExitStack() as stack:
        s = Session(mqgate, serve, stack, 4)
        good = publish(4, 100000) * 80
        thread = threading.Thread(target=send, args=(s.client, good + b"\0" + TAIL))
        thread.start()
        assert receive(s.server, len(good)) == good
        assert ends(s.server)[1] == b""
        thread.join()


@pytest.mark.parametrize("cut", range(1, 8))
def test_the_fault_is_found_wherever_the_stream_is_cut(mqgate, serve, pki, cut):
    with contextlib.ExitStack() as stack:
        s = Session(mqgate, serve, stack, 5, tls=pki)
        good = publish(5, 20) + PINGREQ
        data = good + b"\x80"
        for i in range(0, len(data), cut):
            send(s.client, data[i:i + cut])
        assert ends(s.server)[1] == good
        s.client.close()
        assert s.gate.wait_end()["why"] == "client_not_mqtt"


@pytest.mark.parametrize("kind", ["tcp", "tls"])
@pytest.mark.parametrize("version", [4, 5])
def test_packets_of_every_kind_and_size_are_mqtt(mqgate, serve, pki, version, kind):
    """Nothing is ended that is none of its business: topics, identifiers, properties and payloads are the broker's."""
    none = b"\0" if version == 5 else b""
    up = [publish(version, n) for n in (0, 1, 100, 127, 128, 16383, 16384, 300000)]
    up += [packet(binary("t") + b"\0\1" + none + b"x", first) for first in (0x32, 0x34, 0x3B, 0x3D)]
    up += [packet(b"\0\1", first) for first in (0x40, 0x50, 0x62, 0x70)]
    up += [packet(b"\0\1" + none + binary("#") + b"\1", 0x82), packet(b"\0\1" + none + binary("#"), 0xA2), PINGREQ]
    down = [publish(version, n) for n in (0, 1000, 2100000)]
    down += [packet(b"\0\1", first) for first in (0x40, 0x50, 0x62, 0x70)]
    down += [packet(b"\0\1" + none + b"\0", 0x90), packet(b"\0\1" + (b"\0\0" if version == 5 else b""), 0xB0), PINGRESP]
    if version == 5:
        up += [b"\x40\3\0\1\x10", b"\x40\4\0\1\x10\0", b"\xF0\0", b"\xF0\2\x18\0"]
        down += [b"\xF0\2\x18\0", b"\xE0\2\x8B\0"]
    with contextlib.ExitStack() as stack:
        s = Session(mqgate, serve, stack, version, pki if kind == "tls" else None)
        for sender, receiver, packets in ((s.client, s.server, up), (s.server, s.client, down)):
            data = b"".join(packets)
            thread = threading.Thread(target=send, args=(sender, data))
            thread.start()
            assert receive(receiver, len(data)) == data
            thread.join()
        s.client.sendall(b"\xE0\0")
        s.client.shutdown(socket.SHUT_WR)
        assert ends(s.server) == ("eof", b"\xE0\0")


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("who", ["client", "server"])
def test_without_strict_what_stops_being_mqtt_goes_on_as_bytes_and_is_counted(mqgate, serve, who, version):
    with contextlib.ExitStack() as stack:
        s = Session(mqgate, serve, stack, version, strict=False)
        sender, receiver = (s.client, s.server) if who == "client" else (s.server, s.client)
        data = publish(version, 100) + b"\0" + TAIL
        sender.sendall(data)
        assert receive(receiver, len(data)) == data
        receiver.sendall(PINGREQ if who == "server" else PINGRESP)  # the other way is none the worse for it
        assert receive(sender, 2) in (PINGREQ, PINGRESP)
        s.client.shutdown(socket.SHUT_WR)
        assert ends(s.server)[0] == "eof"
        s.server.close()
        s.gate.wait_end(why="client_closed")
        assert s.gate.listener_stats()["mqtt"]["loose"] == 1
