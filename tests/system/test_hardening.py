"""What one client may not do to others: faults that a review found, each as the client that showed it."""
import socket
import time

from mqgate import conf, until
from mqttproto import connack, connect, receive
from servers import Server, ends, free_port


class Patient(Server):
    """Answers what comes first with a CONNACK, and reads on."""

    def serve(self, sock):
        if sock.recv(100000):
            sock.sendall(connack(4))
        while sock.recv(100000):
            pass


def mux(port, **listener):
    return conf(port, listener={"protocol": "auto", **listener}, global_={"workers": 1})


def is_let_in(gate):
    with gate.connect() as client:
        client.sendall(connect(4))
        return receive(client, 4) == connack(4)


def test_a_header_that_is_begun_must_become_one(mqgate, serve):
    """Bytes that fill a buffer, and what looks like another header behind them."""
    gate = mqgate(mux(serve(Patient).port, proxy_protocol="accept", proxy_from=["127.0.0.0/8"]))
    with gate.connect() as client:
        client.sendall(b"PROXY " + b"x" * (16384 - 6) + b"PROXY again")
        ends(client)
    gate.wait_end(why="proxy_header_bad")
    assert is_let_in(gate)


def test_a_bad_header_owes_no_source_anything(mqgate, serve):
    gate = mqgate(mux(serve(Patient).port, proxy_protocol="accept", proxy_from=["127.0.0.0/8"],
                      per_source={"max_connections": 1}))
    for _ in range(3):
        with gate.connect() as client:
            client.sendall(b"PROXY nonsense\r\n")
            ends(client)
    until(lambda: gate.listener_stats()["open"] == 0, "them to be gone")
    assert is_let_in(gate)


def test_urgent_data_does_not_keep_a_worker_busy(mqgate, serve):
    """Nobody can look past it: that client is refused, at once and not after a deadline's worth of turns."""
    gate = mqgate(mux(serve(Patient).port))
    with gate.connect() as client:
        client.send(b"G")
        until(lambda: gate.listener_stats()["open"] == 1, "it to be looked at")
        client.send(b"E", socket.MSG_OOB)
        ends(client)
    gate.wait_end(why="unknown_protocol")


def test_a_place_is_free_while_a_refused_client_lingers(mqgate):
    gate = mqgate(conf(free_port(), listener={"protocol": "mqtt"}, server={"max_connections": 1}, backend={"tries": 1}))
    with gate.connect() as first, gate.connect() as second:
        first.sendall(connect(4))
        assert receive(first, 4) == b"\x20\x02\x00\x03"
        begun = time.monotonic()
        second.sendall(connect(4))
        assert receive(second, 4) == b"\x20\x02\x00\x03" and time.monotonic() - begun < 1.5
