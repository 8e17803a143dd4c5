"""max_age: old sessions are asked to reconnect, in the words of their protocol, and no faster than the budget says."""
import selectors
import time

import pytest

import websocket as ws
from mqgate import DEADLINE_S, conf
from mqttproto import connect_of
from servers import Echo, ends

TEXT = b"connected for long, please connect anew"
DISCONNECT_5 = bytes([0xE0, 5 + len(TEXT), 0x9C, 3 + len(TEXT), 0x1F, 0, len(TEXT)]) + TEXT


def aged(port, protocol, **max_age):
    return conf(port, listener={"protocol": protocol, "max_age": {"after": "200ms", "jitter": "0%", **max_age}})


@pytest.mark.parametrize("level, words", [(4, b""), (5, DISCONNECT_5)])
def test_an_mqtt_client_hears_it_in_its_version(mqgate, mosquitto, level, words):
    gate = mqgate(aged(mosquitto.port, "mqtt", budget=6000))
    with gate.connect() as client:
        client.sendall(connect_of(client_id=b"old", level=level))
        end, heard = ends(client)
    connack_len = 2 + heard[1]
    assert (end, heard[0], heard[3], heard[connack_len:]) == ("eof", 0x20, 0, words)
    told = gate.wait_end(why="max_age", state="relay", client_id="old")
    assert int(told["dur_ms"]) >= 200


@pytest.mark.parametrize("level, words", [(4, b""), (5, b"\x82" + bytes([len(DISCONNECT_5)]) + DISCONNECT_5)])
def test_a_websocket_client_gets_a_close_frame_too(mqgate, mosquitto, level, words):
    gate = mqgate(aged(mosquitto.ws_port, "ws", budget=6000))
    with gate.connect() as client:
        client.sendall(ws.request() + ws.frame(connect_of(client_id=b"old", level=level), mask=bytes(4)))
        end, heard = ends(client)
    assert end == "eof" and heard.startswith(b"HTTP/1.1 101 ")
    assert heard.endswith(words + b"\x88\x02\x03\xe9")  # 1001, going away
    gate.wait_end(why="max_age", state="relay")


def test_what_is_no_mqtt_just_ends(mqgate, serve):
    gate = mqgate(aged(serve(Echo).port, "tcp", budget=6000))
    with gate.connect() as client:
        client.sendall(b"hello")
        assert ends(client) == ("eof", b"hello")


def ages(gate, n):
    """Seconds after which n clients, begun at once, are sent away."""
    begun, ended = time.monotonic(), []
    with selectors.DefaultSelector() as clients:
        for _ in range(n):
            clients.register(gate.connect(), selectors.EVENT_READ)
        while len(ended) < n:
            for key, _ in clients.select(DEADLINE_S):
                assert key.fileobj.recv(100) == b""
                ended.append(time.monotonic() - begun)
                clients.unregister(key.fileobj)
                key.fileobj.close()
    return ended


def test_the_budget_is_spread_evenly(mqgate, serve):
    """At 600 a minute one every tenth of a second, though all are old at once."""
    ended = ages(mqgate(aged(serve(Echo).port, "tcp", budget=600)), 10)
    assert ended[-1] - ended[0] > 0.7


def test_jitter_parts_them(mqgate, serve):
    gate = mqgate(aged(serve(Echo).port, "tcp", budget=60000, after="1s", jitter="50%"))
    ended = ages(gate, 40)
    assert 0.5 <= ended[0] < 0.9 < 1.1 < ended[-1]
