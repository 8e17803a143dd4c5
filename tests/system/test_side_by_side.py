"""The same traffic through mqgate and through HAProxy, and every figure of the CSV compared.

MQGATE_SIDE_SECONDS says how long the traffic goes on; once through all of it is the least.
"""
import contextlib
import csv
import os
import socket
import struct
import time

import pytest

from mqgate import SLACK, conf, until
from servers import HAProxy, Server, ends

SECONDS = float(os.environ.get("MQGATE_SIDE_SECONDS", "0"))

# Columns whose values follow the clock or the machine: there, and numbers, on both sides or on neither.
MOVING = {"rate", "rate_max", "conn_rate", "conn_rate_max", "lastchg", "downtime", "lastsess", "qtime", "ctime",
          "ttime", "qtime_max", "ctime_max", "ttime_max", "check_duration", "smax", "qmax", "check_status", "last_chk",
          "chkfail", "pid", "iid", "sid", "check_desc"}

# What differs on purpose: (row, column) -> why. "*" is any row.
KNOWN = {
    ("BACKEND", "algo"): "mqgate's own name of the same order: local-first against first",
    ("*", "need_conn_est"): "HAProxy's estimate decays with time; mqgate needs what is open",
    ("*", "addr"): "each has its own servers and its own port",
    ("sock-1", "conn_tot"): "HAProxy 2.6 has it for frontends only, newer ones for listeners too, as mqgate",
}


class Puppet(Server):
    """Does with a connection what its first byte says: e echoes all, c echoes once and closes, r resets."""

    def serve(self, sock):
        while data := sock.recv(65536):
            if data[:1] == b"r":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.close()
                return
            sock.sendall(data)
            if data[:1] == b"c":
                return


class Side:
    """One of the two proxies: where clients connect, its servers, its CSV."""

    def __init__(self, connect, ask, servers):
        self.connect, self.ask, self.servers = connect, ask, servers

    def rows(self):
        lines = self.ask("show stat").rstrip("\n").splitlines()
        found = {}
        for row in csv.DictReader(lines):
            row["pxname"] = row.pop("# pxname")
            if row["pxname"] in ("in", "out"):
                found[row["svname"]] = row
        return found

    def quiet(self):
        until(lambda: all(row["scur"] == "0" and row["qcur"] in ("0", "") for row in self.rows().values()),
              "all sessions to end")


def echo(side, text=b"e" * 100):
    with side.connect() as client:
        client.sendall(text)
        got = b""
        while len(got) < len(text):
            got += client.recv(65536)


def client_half_closes(side):
    with side.connect() as client:
        client.sendall(b"echo and end")
        client.shutdown(socket.SHUT_WR)
        assert ends(client) == ("eof", b"echo and end")


def server_closes(side):
    with side.connect() as client:
        client.sendall(b"close")
        assert ends(client) == ("eof", b"close")


def server_resets(side):
    with side.connect() as client:
        client.sendall(b"reset")
        ends(client)


def large(side):
    echo(side, b"e" * 300000)


def several_at_once(side):
    clients = [side.connect() for _ in range(5)]
    for client in clients:
        client.sendall(b"ee")
        assert client.recv(10) == b"ee"
    for client in clients:
        client.close()


def denied(side):
    with contextlib.suppress(ConnectionResetError), side.connect(source="127.0.0.66") as client:
        ends(client)


def first_server_dies_and_comes_back(side):
    """Sessions find the first server dead, the check does too, the second takes over, the first comes home."""
    side.servers[0].kill()
    until(lambda: side.rows()["s0"]["status"].startswith("DOWN"), "s0 to be found dead")
    for _ in range(3):
        echo(side)
    side.servers[0].revive()
    until(lambda: side.rows()["s0"]["status"] == "UP", "s0 to be found alive")
    echo(side)


def all_die(side):
    for server in side.servers:
        server.kill()
    until(lambda: side.rows()["BACKEND"]["status"] == "DOWN", "the backend to be down")
    for _ in range(4):
        with side.connect() as client:
            ends(client)
    for server in side.servers:
        server.revive()
    until(lambda: side.rows()["s0"]["status"] == side.rows()["s1"]["status"] == "UP", "both to be back")


ACTS = [echo, client_half_closes, server_closes, server_resets, large, several_at_once, denied,
        first_server_dies_and_comes_back, all_die]


@pytest.fixture
def sides(mqgate, serve, tmp_path):
    ours, theirs = ([serve(Puppet) for _ in range(2)] for _ in range(2))
    check = {"type": "tcp", "interval": "100ms", "fast_interval": "100ms", "fall": 3, "rise": 2}
    gate = mqgate(conf([server.port for server in ours], listener={"deny": ["127.0.0.66/32"]}, backend={"check": check}))
    path = tmp_path / "haproxy"
    path.mkdir()
    socket_path = path / "stats"
    proxy = serve(HAProxy, path, f"""
global
  stats socket {socket_path} level admin
frontend in
  option socket-stats
  option contstats
  maxconn 4000
  bind {{front}}
  tcp-request connection reject if {{{{ src 127.0.0.66 }}}}
  default_backend out
backend out
  balance first
  option contstats
  option redispatch 1
  retries 3
  default-server weight 100 inter 100 fastinter 100 downinter 100 fall 3 rise 2
  server s0 127.0.0.1:{theirs[0].port} check
  server s1 127.0.0.1:{theirs[1].port} check
""", "front")

    until(socket_path.exists, "HAProxy's stats socket")

    def ask_haproxy(line):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(socket_path))
            client.sendall(line.encode() + b"\n")
            answer = b""
            while piece := client.recv(65536):
                answer += piece
            return answer.decode()

    def connect_haproxy(source="127.0.0.1"):
        client = socket.create_connection(("127.0.0.1", proxy.ports["front"]), 10 * SLACK, (source, 0))
        return client

    both = {"mqgate": Side(lambda source="127.0.0.1": gate.connect(source=source), gate.control, ours),
            "haproxy": Side(connect_haproxy, ask_haproxy, theirs)}
    for side in both.values():
        until(lambda side=side: all(side.rows()[name]["status"] == "UP" and side.rows()[name]["check_status"].endswith(
            "L4OK") for name in ("s0", "s1")), "the first checks")
        side.ask("clear counters all")
    return both


def is_number(text):
    return text.lstrip("-").isdigit()


def differences(sides):
    ours, theirs = sides["mqgate"].rows(), sides["haproxy"].rows()
    assert set(ours) == set(theirs)
    for name, row in theirs.items():
        for column, value in row.items():
            if column is None or column == "":
                continue
            if column == "-":
                break  # behind it each proxy has its own
            own = ours[name][column]
            if (name, column) in KNOWN or ("*", column) in KNOWN:
                continue
            if column in MOVING:
                if (own == "") != (value == "") or is_number(own) != is_number(value):
                    yield name, column, own, value
            elif own != value:
                yield name, column, own, value


@pytest.mark.limit(240)
def test_every_figure_is_haproxy_s_or_its_difference_is_explained(sides):
    end = time.monotonic() + SECONDS
    rounds = 0
    while rounds == 0 or time.monotonic() < end:
        for act in ACTS:
            for side in sides.values():
                act(side)
        rounds += 1
    for side in sides.values():
        side.quiet()
    found = list(differences(sides))
    assert not found, f"after {rounds} rounds, mqgate against HAProxy:\n" + "\n".join(map(str, found))
