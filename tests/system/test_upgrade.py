"""Another binary in the place of this one, in the same process: what goes on, what is closed, and that whatever goes
wrong changes nothing."""
import contextlib
import copy
import csv
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

import websocket as ws
from mqgate import BINARY, BUILD, DEADLINE_S, SLACK, conf, is_refused, pattern, until
from mqttproto import PINGREQ, PINGRESP, binary, connack, connect, packet, read_packet, receive
from pki import section
from servers import Echo, Listener, ends, free_port

HELLO = b"hello"


def upgrade(gate, path=""):
    """What the answer tells: sessions carried over, sessions closed."""
    answer = gate.control(f"upgrade {path}".strip())
    told = re.match(r"Upgraded from \S+ to \S+: (\d+) sessions carried over, (\d+) closed, paused for [0-9.]+ ms\.",
                    answer)
    assert told, answer
    return int(told[1]), int(told[2])


def fails(gate, path=""):
    """Why it did."""
    answer = gate.control(f"upgrade {path}".strip())
    assert answer.startswith("The upgrade failed, and nothing has changed: "), answer
    return answer


@pytest.fixture
def echo(serve):
    return serve(Echo)


def says_hello(client):
    client.sendall(HELLO)
    return receive(client, len(HELLO)) == HELLO


# --- what goes on ----------------------------------------------------------------------------------------------------

def test_sessions_and_the_process_go_on_ten_times(mqgate, echo):
    gate = mqgate(conf(echo.port))
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(gate.connect()) for _ in range(20)]
        assert all(map(says_hello, clients))
        before = gate.descriptors()
        for _ in range(10):
            assert upgrade(gate) == (20, 0)
            assert all(map(says_hello, clients))
        assert gate.process.poll() is None
        after = gate.descriptors()
        assert after == before
        assert gate.listener_stats()["open"] == 20
        with gate.connect() as another:
            assert says_hello(another)
    gate.wait_end(21)
    assert gate.listener_stats()["open"] == 0


def test_by_signal(mqgate, echo):
    gate = mqgate(conf(echo.port))
    with gate.connect() as client:
        assert says_hello(client)
        gate.process.send_signal(signal.SIGUSR2)
        assert gate.wait_log(event="upgraded", by="signal", sessions=1, closed=0)
        assert says_hello(client)


def upgrade_under_way(gate, client, server, n):
    """n bytes each way, more than the sockets hold, to receivers that do not read at first: upgrades before, and again
    and again until all has arrived, as it was."""
    up, down = pattern(n, 1), pattern(n, 2)
    writers = [threading.Thread(target=sock.sendall, args=(data,)) for sock, data in ((client, up), (server, down))]
    for writer in writers:
        writer.start()
    until(lambda: gate.control("show sess").count("state=relay") == 1, "it to relay")
    for _ in range(3):
        assert upgrade(gate) == (1, 0)
    heard = {}
    readers = [threading.Thread(target=lambda s=sock, d=data: heard.update({s: receive(s, len(d))}))
               for sock, data in ((server, up), (client, down))]
    for reader in readers:
        reader.start()
    while any(reader.is_alive() for reader in readers):
        assert upgrade(gate) == (1, 0)
    for thread in readers + writers:
        thread.join()
    assert heard == {server: up, client: down}


def test_bytes_in_hand_go_along_both_ways(mqgate, serve):
    gate = mqgate(conf((listener := serve(Listener)).port))
    with gate.connect() as client, listener.accept() as server:
        upgrade_under_way(gate, client, server, 6_000_000)


def test_a_half_close_goes_along(mqgate, serve):
    gate = mqgate(conf((listener := serve(Listener)).port))
    with gate.connect() as client, listener.accept() as server:
        client.sendall(HELLO)
        client.shutdown(socket.SHUT_WR)
        assert receive(server, 5) == HELLO and server.recv(1) == b""
        assert upgrade(gate) == (1, 0)
        server.sendall(b"good bye")
        assert receive(client, 8) == b"good bye"
        server.close()
        assert client.recv(1) == b""
    assert gate.wait_end()["why"] == "client_closed"


def test_who_waits_for_a_server_goes_on_waiting(mqgate, serve):
    """In the queue of a server that is full, with what it has sent."""
    gate = mqgate(conf((listener := serve(Listener)).port, server={"max_connections": 1}))
    with gate.connect() as first, listener.accept() as server, gate.connect() as second:
        second.sendall(HELLO)
        until(lambda: "state=queue" in gate.control("show sess"), "it to queue")
        assert upgrade(gate) == (2, 0)
        until(lambda: "state=queue" in gate.control("show sess"), "it to queue again")
        first.close()
        assert server.recv(1) == b""
        server.close()
        with listener.accept() as server:
            assert receive(server, 5) == HELLO
            server.sendall(b"welcome")
            assert receive(second, 7) == b"welcome"


def test_the_deadline_of_a_session_goes_along(mqgate, echo):
    """What is left of it, not the whole again."""
    gate = mqgate(conf(echo.port, timeouts={"idle": "3s"}))
    with gate.connect() as client:
        assert says_hello(client)
        until(lambda: re.search(r"exp=1s", gate.control("show sess")), "two thirds to pass")
        assert upgrade(gate) == (1, 0)
        assert re.search(r"exp=[01]s", gate.control("show sess"))
        assert client.recv(1) == b""
    assert gate.wait_end()["why"] == "idle_timeout"


def test_mqtt_goes_on_where_it_was(mqgate, serve):
    """In the middle of packets both ways; what is wrong afterwards is found at the right byte."""
    gate = mqgate(conf((listener := serve(Listener)).port, listener={"protocol": "mqtt"}))
    hello, good = connect(5, "talker"), packet(binary("topic") + b"\0" + pattern(1000, 1), 0x30)
    with gate.connect() as client:
        client.sendall(hello)
        with listener.accept() as server:
            assert receive(server, len(hello)) == hello
            server.sendall(connack(5))
            assert read_packet(client) == connack(5)
            client.sendall(good[:500])
            server.sendall(good[:2])
            assert receive(server, 500) == good[:500] and receive(client, 2) == good[:2]
            assert upgrade(gate) == (1, 0)
            client.sendall(good[500:] + PINGREQ)
            server.sendall(good[2:] + PINGRESP)
            assert receive(server, len(good) - 500 + 2) == good[500:] + PINGREQ
            assert receive(client, len(good) - 2 + 2) == good[2:] + PINGRESP
            assert 'client_id="talker"' in gate.control("show sess")
            client.sendall(b"\0")
            assert read_packet(client)[0] == 0xE0
            ends(server)
    assert gate.wait_end()["why"] == "client_not_mqtt"


MASK = b"\1\2\3\4"


def test_websocket_goes_on_where_it_was(mqgate, serve):
    """In the middle of its head, of a frame, and while it waits for a server."""
    gate = mqgate(conf((listener := serve(Listener)).port, listener={"protocol": "ws"},
                       server={"max_connections": 1}))
    hello = ws.frame(connect(5, "talker"), mask=MASK)
    big = ws.frame(packet(binary("topic") + b"\0" + pattern(1000, 1), 0x30), mask=MASK)
    back = ws.frame(packet(binary("topic") + b"\0" + pattern(1000, 2), 0x30))
    head = ws.request()
    with ws.Client(gate.connect()) as client, ws.Client(gate.connect()) as late:
        client.send(head[:50])
        until(lambda: "state=upgrade" in gate.control("show sess"), "the head to be read")
        assert upgrade(gate) == (2, 0)
        client.send(head[50:])
        assert client.head().first == "HTTP/1.1 101 Switching Protocols"
        client.send(hello[:9])
        assert upgrade(gate) == (2, 0)
        client.send(hello[9:])
        with ws.BrokerSide(listener.accept()) as server:
            assert upgrade(gate) == (2, 0)  # the server has not answered: another try is made
        with ws.BrokerSide(listener.accept()) as server:
            server.up()
            assert server.take(len(hello)) == hello
            server.send(ws.frame(connack(5)))
            assert client.frame().payload == connack(5)
            late.up()
            late.send(hello)
            until(lambda: "state=queue" in gate.control("show sess"), "the other to queue")
            client.send(big[:500])
            server.send(back[:500])
            assert server.take(500) == big[:500] and client.take(500) == back[:500]
            assert upgrade(gate) == (2, 0)
            client.send(big[500:])
            server.send(back[500:])
            assert server.take(len(big) - 500) == big[500:] and client.take(len(back) - 500) == back[500:]
            client.send(ws.frame(b"\0\0", mask=MASK))
            assert client.frame().payload[0] == 0xE0
            client.ends()
        with ws.BrokerSide(listener.accept()) as server:
            server.up()
            assert server.take(len(hello)) == hello
    gate.wait_end(why="client_not_mqtt")


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture
def tls(mqgate, pki):
    """tls(to, ...) starts a gate with a TLS listener in front of `to`; its clients come of the function beside it."""
    def start(to, **options):
        return mqgate(conf(to, listener={"tls": "edge"}, tls=[section("edge", pki.leaf("one.test"), **options)]))

    def dial(gate, version, session=None):
        context = ssl.create_default_context(cafile=pki.ca)
        context.minimum_version = context.maximum_version = version
        if session is not None:
            return dial.context.wrap_socket(gate.connect(), server_hostname="one.test", session=session)
        dial.context = context
        return context.wrap_socket(gate.connect(), server_hostname="one.test")
    return start, dial


@pytest.mark.parametrize("version", VERSIONS)
def test_tls_goes_on_with_bytes_in_hand_both_ways(tls, serve, version):
    start, dial = tls
    gate = start((listener := serve(Listener)).port)
    with dial(gate, version) as client, listener.accept() as server:
        upgrade_under_way(gate, client, server, 3_000_000)
        client.close()
        assert server.recv(1) == b""


@pytest.mark.parametrize("version", VERSIONS)
def test_tickets_are_still_good(tls, echo, version):
    start, dial = tls
    gate = start(echo.port)
    with dial(gate, version) as client:
        assert says_hello(client)
        session = client.session
    upgrade(gate)
    with dial(gate, version, session) as client:
        assert client.session_reused
        assert says_hello(client)


def test_a_session_to_a_server_over_tls_is_closed_and_told_of(mqgate, serve, pki):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pki.leaf("one.test"))
    gate = mqgate(conf(serve(Echo, tls=context).port, server={"tls": "inner"},
                       tls_client=[{"name": "inner", "ca": pki.ca, "sni": "one.test"}]))
    with gate.connect() as client:
        assert says_hello(client)
        assert upgrade(gate) == (0, 1)
        assert ends(client)[1] == b""
    assert gate.wait_end(why="upgrade")["state"] == "relay"


def test_a_session_whose_listener_is_gone_is_closed(mqgate, echo):
    gate = mqgate(configuration := conf(echo.port))
    more = copy.deepcopy(configuration)
    more["listeners"].append({**more["listeners"][0], "name": "more"})
    gate.reload(more)
    with gate.connect() as stays, gate.connect("more") as goes:
        assert says_hello(stays) and says_hello(goes)
        gate.configure(configuration)
        assert upgrade(gate) == (1, 1)
        assert ends(goes)[1] == b""
        assert says_hello(stays)


def test_tls_that_openssl_holds_is_closed_and_told_of(tls, echo):
    start, dial = tls
    gate = start(echo.port, detach=False)
    with dial(gate, VERSIONS[1]) as client:
        assert says_hello(client)
        assert upgrade(gate) == (0, 1)
        with contextlib.suppress(ssl.SSLError):
            assert client.recv(1) == b""
    end = gate.wait_end(why="upgrade")
    assert (end["state"], end["in"], end["out"]) == ("relay", "5", "5")


def started(gate):
    """Seconds since 1970."""
    return int(re.search(r"^Start_time_sec: (\d+)$", gate.control("show info"), re.M)[1])


def test_names_and_times_go_along(mqgate, echo):
    gate = mqgate(conf(echo.port))
    with gate.connect() as client:
        assert says_hello(client)
        before = re.match(r"0x(\w+): ", gate.control("show sess"))[1]
        begun = started(gate)
        assert abs(begun - time.time()) < 60 * SLACK
        assert upgrade(gate) == (1, 0)
        assert re.match(r"0x(\w+): ", gate.control("show sess"))[1] == before
        assert started(gate) == begun
    assert gate.wait_end()["id"] == before


def test_who_is_being_read_goes_along(mqgate, serve):
    """A CONNECT in two parts, a client that has said nothing, and one that goes on where it was let in."""
    gate = mqgate(conf((listener := serve(Listener)).port, listener={"protocol": "mqtt"}))
    hello = connect(4, "slow")
    with gate.connect() as slow, gate.connect() as silent:
        slow.sendall(hello[:5])
        until(lambda: gate.control("show sess").count("state=connect_packet") == 2, "both to be read")
        assert upgrade(gate) == (2, 0)
        slow.sendall(hello[5:])
        with listener.accept() as server:
            assert receive(server, len(hello)) == hello
        silent.sendall(hello)
        with listener.accept() as server:
            assert receive(server, len(hello)) == hello


def test_who_waits_for_his_turn_goes_along(mqgate, serve):
    """At the pace of rate_limit; with what came with a PROXY header."""
    gate = mqgate(conf((listener := serve(Listener)).port,
                       listener={"protocol": "mqtt", "rate_limit": 1, "proxy_protocol": "accept",
                                 "proxy_from": ["127.0.0.0/8"]}))
    hello = connect(4, "slow")
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            client = stack.enter_context(gate.connect())
            client.sendall(b"PROXY TCP4 192.0.2.1 192.0.2.2 4000 1883\r\n" + hello)
        until(lambda: "state=turn" in gate.control("show sess"), "somebody to wait")
        assert upgrade(gate) == (4, 0)
        for _ in range(4):
            server = stack.enter_context(listener.accept())
            assert receive(server, len(hello)) == hello


# --- what does not ---------------------------------------------------------------------------------------------------

TLS_BEGINS = bytes.fromhex("16030100c8010000c40303")


@pytest.fixture
def tls_gate(mqgate, serve, pki):
    def start(wait):
        listener = serve(Listener)
        return mqgate(conf(listener.port, listener={"tls": "edge"}, tls=[section("edge", pki.leaf("one.test"))],
                           global_={"upgrade": {"wait": wait}})), listener
    return start


def test_a_handshake_is_waited_for(tls_gate, pki):
    """And whoever comes meanwhile waits in the kernel's queue."""
    gate, _ = tls_gate("60s")
    with gate.connect() as slow, gate.control_connect() as operator:
        slow.sendall(TLS_BEGINS)
        until(lambda: "state=handshake" in gate.control("show sess"), "the handshake")
        operator.sendall(b"upgrade\n")
        gate.wait_log(event="upgrading")
        with gate.connect() as late:
            slow.close()
            assert b" 0 closed" in operator.recv(1000)
            context = ssl.create_default_context(cafile=pki.ca)
            context.wrap_socket(late, server_hostname="one.test").close()


def test_who_is_not_done_in_time_is_closed_and_told_of(tls_gate):
    gate, _ = tls_gate("100ms")
    with gate.connect() as client:
        client.sendall(TLS_BEGINS)
        until(lambda: "state=handshake" in gate.control("show sess"), "the handshake")
        assert upgrade(gate) == (0, 1)
        assert ends(client)[1] == b""
    end = gate.wait_end(why="upgrade")
    assert end["state"] == "handshake"
    assert gate.listener_stats()["open"] == 0


# --- what goes wrong -------------------------------------------------------------------------------------------------

def script(directory, text):
    path = directory / "other"
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="ascii")
    path.chmod(0o755)
    return path


FAULTS = {
    "missing": (None, "No such file"),
    "not executable": ("", "Permission denied"),
    "no program": ("\x7fnothing", "Exec format error"),
    "refuses": ("echo 'mqgate: line 7: unknown key' >&2; exit 1", "unknown key"),
    "crashes": ("kill -SEGV $$", "Segmentation fault"),
    "crashes in the dry run": ('[ -z "$MQGATE_IMAGE" ] || kill -ABRT $$', "Aborted"),
    "does not read images": ("echo fine", "does not read images"),
    "goes away before its turn": (f'{BINARY} "$@" || exit; [ -z "$MQGATE_IMAGE" ] || rm "$0"', "No such file"),
}


@pytest.mark.parametrize("what", FAULTS)
def test_a_binary_that_will_not_do_changes_nothing(mqgate, echo, tmp_path, what):
    text, why = FAULTS[what]
    path = tmp_path / "missing" if text is None else script(tmp_path, text)
    if what == "not executable":
        path.chmod(0o644)
    if what == "no program":
        path.write_bytes(text.encode())
    gate = mqgate(conf(echo.port))
    with gate.connect() as client:
        assert says_hello(client)
        before = gate.descriptors()
        assert why in fails(gate, path)
        gate.wait_log(event="upgrade_failed", by="command")
        assert says_hello(client)
        assert gate.descriptors() == before
        with gate.connect() as another:
            assert says_hello(another)
        assert upgrade(gate)[1] == 0
        assert says_hello(client)


def test_a_configuration_that_is_no_good_changes_nothing(mqgate, echo):
    gate = mqgate(configuration := conf(echo.port))
    with gate.connect() as client:
        assert says_hello(client)
        gate.file.write_text("nonsense", encoding="ascii")
        assert f"{gate.file}:" in fails(gate)
        assert says_hello(client)
        gate.configure(configuration)
        assert upgrade(gate) == (1, 0)


def test_a_new_listener_that_finds_its_port_taken_changes_nothing(mqgate, echo):
    gate = mqgate(configuration := conf(echo.port))
    changed = copy.deepcopy(configuration)
    changed["listeners"].append({**changed["listeners"][0], "name": "more", "bind": f"127.0.0.1:{echo.port}"})
    with gate.connect() as client:
        assert says_hello(client)
        gate.configure(changed)
        assert re.search(f'listener "more": listen on 127.0.0.1:{echo.port}: Address already in use', fails(gate))
        assert says_hello(client)


def test_listeners_that_are_new_changed_or_gone(mqgate, echo):
    """The file is read anew: who has connected where nobody listens any more is served."""
    port, other = free_port(), free_port()
    configuration = conf(echo.port, listener={"bind": f"127.0.0.1:{port}"})
    gate = mqgate(configuration)
    configuration["listeners"][0]["bind"] = f"0.0.0.0:{port}"
    configuration["listeners"].append({**configuration["listeners"][0], "name": "more", "bind": f"127.0.0.1:{other}"})
    with gate.connect() as client:
        assert says_hello(client)
        gate.configure(configuration)
        assert upgrade(gate) == (1, 0)
        for host, at in (("127.0.0.1", port), ("127.0.0.2", port), ("127.0.0.1", other)):
            with socket.create_connection((host, at), DEADLINE_S) as another:
                assert says_hello(another)
        configuration["listeners"].pop()
        gate.configure(configuration)
        assert upgrade(gate)[1] == 0
        assert is_refused(("127.0.0.1", other))
        assert says_hello(client)


@pytest.mark.parametrize("workers", [1, 4])
def test_another_number_of_workers(mqgate, echo, workers):
    gate = mqgate(configuration := conf(echo.port))
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(gate.connect()) for _ in range(20)]
        assert all(map(says_hello, clients))
        configuration["global"]["workers"] = workers
        gate.configure(configuration)
        assert upgrade(gate) == (20, 0)
        assert gate.wait_log(2, event="ready")["workers"] == str(workers)
        clients += [stack.enter_context(gate.connect()) for _ in range(20)]
        assert all(map(says_hello, clients))


@pytest.mark.parametrize("workers", [1, 4])
def test_who_waits_in_the_queues_finds_another_number_of_workers(mqgate, echo, pki, workers):
    """Held there by a handshake that is waited for."""
    configuration = conf(echo.port, listener={"tls": "edge"}, tls=[section("edge", pki.leaf("one.test"))],
                         global_={"upgrade": {"wait": "60s"}})
    plain = {**configuration["listeners"][0], "name": "plain"}
    del plain["tls"]
    configuration["listeners"].append(plain)
    gate = mqgate(configuration)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(gate.connect("plain")) for _ in range(20)]
        assert all(map(says_hello, clients))
        slow, operator = stack.enter_context(gate.connect()), stack.enter_context(gate.control_connect())
        slow.sendall(TLS_BEGINS)
        until(lambda: "state=handshake" in gate.control("show sess"), "the handshake")
        configuration["global"]["workers"] = workers
        gate.configure(configuration)
        operator.sendall(b"upgrade\n")
        until(lambda: "phase: wait" in gate.control("show upgrade"), "it to wait")
        late = [stack.enter_context(gate.connect("plain")) for _ in range(20)]
        for client in late:
            client.sendall(HELLO)
        assert gate.listener_stats("plain")["open"] == 20
        slow.close()
        assert b" 20 sessions carried over, 0 closed" in operator.recv(1000)
        assert all(receive(client, len(HELLO)) == HELLO for client in late)
        assert all(map(says_hello, clients + late))
        assert gate.wait_log(2, event="ready")["workers"] == str(workers)


def test_what_a_reload_leaves_to_an_upgrade(mqgate, echo, tmp_path):
    """The control socket, at another path and with another mode, and the file with the process id."""
    old, new = tmp_path / "old.pid", tmp_path / "new.pid"
    gate = mqgate(configuration := conf(echo.port, global_={"pid_file": str(old)}))
    before, inode = gate.control_path, gate.control_path.stat().st_ino
    with gate.connect() as client:
        assert says_hello(client)
        configuration["global"]["control_mode"] = "0600"
        gate.configure(configuration)
        assert upgrade(gate) == (1, 0)
        assert (before.stat().st_mode & 0o777, before.stat().st_ino) == (0o600, inode)
        assert old.read_text(encoding="ascii") == f"{gate.pid}\n"

        configuration["global"].update(pid_file=str(new), control_socket=str(tmp_path / "new"), control_level="user",
                                       control_mode="0640")
        said = gate.reload(configuration)
        for key in ("pid_file", "control_socket", "control_mode", "control_level"):
            assert f"the change of global.{key} waits for an upgrade or a restart" in said
        assert old.exists() and before.exists() and not new.exists()
        assert upgrade(gate) == (1, 0)
        gate.control_path = tmp_path / "new"
        assert gate.control_path.stat().st_mode & 0o777 == 0o640
        assert new.read_text(encoding="ascii") == f"{gate.pid}\n"
        assert not old.exists() and not before.exists()
        assert "Permission denied" in gate.control("upgrade")
        assert says_hello(client)
    gate.stop()
    assert not new.exists() and not gate.control_path.exists()


@pytest.mark.parametrize("key", ["control_socket", "pid_file"])
def test_a_path_that_cannot_be_made_changes_nothing(mqgate, echo, key):
    gate = mqgate(configuration := conf(echo.port))
    with gate.connect() as client:
        assert says_hello(client)
        configuration["global"][key] = "/nonexistent/path"
        gate.configure(configuration)
        assert re.search(rf"{key} /nonexistent/path: .*no (such file|directory)", fails(gate), re.I)
        assert says_hello(client)


def test_no_control_socket_and_no_pid_file_any_more(mqgate, echo, tmp_path):
    gate = mqgate(configuration := conf(echo.port, global_={"pid_file": str(tmp_path / "pid")}))
    with gate.connect() as client:
        assert says_hello(client)
        configuration["global"].update(pid_file="", control_socket="")
        gate.configure(configuration)
        assert upgrade(gate) == (1, 0)
        assert not (tmp_path / "pid").exists() and not gate.control_path.exists()
        gate.process.send_signal(signal.SIGUSR2)
        gate.wait_log(2, event="upgraded")
        assert says_hello(client)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_user_and_group(mqgate, echo):
    """Once; who has become somebody is told that only a restart can change that."""
    gate = mqgate(configuration := conf(echo.port))
    with gate.connect() as client:
        assert says_hello(client)
        configuration["global"].update(user="nobody", group="daemon")
        said = gate.reload(configuration)
        assert "global.user waits for an upgrade or a restart" in said
        assert "global.group waits for an upgrade or a restart" in said
        assert upgrade(gate) == (1, 0)
        assert (gate.status("Uid"), gate.status("Gid")) == (["65534"] * 4, ["1"] * 4)
        there = gate.control_path.stat()
        assert (there.st_uid, there.st_gid) == (65534, 1)
        assert says_hello(client)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_who_has_become_somebody_stays_that(mqgate, echo, tmp_path):
    """And must be able to read what an upgrade reads."""
    for directory in (tmp_path, *tmp_path.parents):
        if directory.stat().st_uid == 0 and directory.stat().st_mode & 0o005 != 0o005:
            directory.chmod(directory.stat().st_mode | 0o055)
    gate = mqgate(configuration := conf(echo.port, global_={"user": "nobody", "group": "daemon"}))
    gate.file.chmod(0o644)
    with gate.connect() as client:
        assert says_hello(client)
        assert upgrade(gate) == (1, 0)
        configuration["global"]["user"] = "daemon"
        gate.configure(configuration)
        assert "global.user and global.group are others now" in fails(gate)
        assert "global.user waits for a restart" in gate.control("reload")
        assert says_hello(client)


def test_during_reloads(mqgate, echo):
    gate = mqgate(conf(echo.port))
    over = threading.Event()

    def reload():
        while not over.is_set():
            with contextlib.suppress(OSError):  # the connection may go with the old process
                gate.control("reload")

    with gate.connect() as client:
        thread = threading.Thread(target=reload)
        thread.start()
        try:
            for _ in range(10):
                assert upgrade(gate) == (1, 0)
                assert says_hello(client)
        finally:
            over.set()
            thread.join()
    assert gate.logged(event="reloaded")


def test_one_at_a_time_and_no_reload_meanwhile(mqgate, echo, tmp_path):
    gate = mqgate(conf(echo.port))
    slow = script(tmp_path, f'[ "$MQGATE_IMAGE" ] || read line <{tmp_path}/go; exec {BINARY} "$@"')
    os.mkfifo(tmp_path / "go")
    with gate.control_connect() as operator:
        operator.sendall(f"upgrade {slow}\n".encode())
        gate.wait_log(event="upgrading")
        assert gate.control("upgrade") == "An upgrade is under way.\n\n"
        assert gate.control("reload") == "An upgrade is under way.\n\n"
        (tmp_path / "go").write_text("\n", encoding="ascii")
        assert operator.recv(1000).startswith(b"Upgraded from ")


def test_words_that_are_none(mqgate, echo):
    gate = mqgate(conf(echo.port))
    for words in ("upgrade now", "upgrade /a /b"):
        assert gate.control(words) == "'upgrade' expects nothing or the absolute path of a binary.\n\n"


# --- what is known ---------------------------------------------------------------------------------------------------

def test_figures_go_along(mqgate, echo):
    gate = mqgate(conf(echo.port))
    with gate.connect() as client:
        assert says_hello(client)
        with gate.connect() as another:
            assert says_hello(another)
        until(lambda: gate.listener_stats()["open"] == 1, "one end")
        gate.control("set server out/s0 weight 13", "set maxconn frontend in 77")

        def figures():
            """Columns of `show stat`, but for rates."""
            header, *lines = csv.reader(gate.control("show stat").strip().splitlines())
            return [{name: value for name, value in zip(header, line) if "rate" not in name and name != "iid"}
                    for line in lines if line[0] != "admin"]
        before = figures()
        assert upgrade(gate) == (1, 0)
        assert figures() == before
        assert says_hello(client)
    until(lambda: gate.listener_stats()["open"] == 0, "the other")


def facts(answer):
    return dict(line.split(": ", 1) for line in answer.strip().splitlines())


def metrics(gate):
    lines = (line.rsplit(" ", 1) for line in gate.get("/metrics")[2].decode().splitlines() if line[0] != "#")
    return {name: float(value) for name, value in lines}


def test_it_is_told_everywhere(mqgate, echo, tmp_path):
    gate = mqgate(conf(echo.port))
    begun = int(time.time())
    assert gate.control("show upgrade") == "phase: none\nupgrades: 0\nfailed: 0\n\n"
    assert facts(gate.control("show info"))["LastUpgrade"] == "never"
    with gate.connect() as client:
        assert says_hello(client)
        fails(gate, tmp_path / "missing")
        told, info, stats = facts(gate.control("show upgrade")), facts(gate.control("show info")), gate.stats()
        assert begun <= int(told["failed_sec"]) <= time.time() and "No such file" in told["failed_why"]
        assert told["upgrades"] == "0" and told["failed"] == "1" and "last_sec" not in told
        assert (info["LastUpgrade"], info["LastUpgrade_sec"]) == ("failed", told["failed_sec"])
        assert stats["upgrade_failed"] and stats["upgrade_failed_why"] == told["failed_why"]
        assert metrics(gate)["mqgate_upgrade_last_failed"] == 1
        assert upgrade(gate) == (1, 0)
        version, why = gate.control("show version").strip(), told["failed_why"]
        told = facts(gate.control("show upgrade"))
        assert begun <= int(told.pop("last_sec")) <= time.time() and int(told.pop("failed_sec")) >= begun
        pause = int(told.pop("pause_us"))
        assert pause > 0
        assert told == {"phase": "none", "upgrades": "1", "failed": "1", "last_from": version, "last_by": "command",
                        "sessions": "1", "closed": "0", "failed_why": why}
        info, stats = facts(gate.control("show info")), gate.stats()
        assert (info["Upgrades"], info["FailedUpgrades"], info["UpgradeSessions"], info["UpgradeClosed"]) == (
            "1", "1", "1", "0")
        assert (info["UpgradePause_us"], int(info["LastUpgrade_sec"])) == (str(pause), stats["upgrade_wall_s"])
        assert (stats["upgrades"], stats["upgrades_failed"], stats["upgrade_sessions"], stats["upgrade_closed"]) == (
            1, 1, 1, 0)
        assert (stats["upgrade_pause_us"], stats["upgrade_by"], stats["upgrade_from"]) == (pause, "command", version)
        assert stats["upgrade_failed_why"] == why and "upgrade" not in stats
        figures = metrics(gate)
        for name, value in {"upgrades_total": 1, "upgrades_failed_total": 1, "upgrade_sessions": 1, "upgrade_closed": 0,
                            "upgrade_last_seconds": stats["upgrade_wall_s"], "upgrade_pause_seconds": pause / 1e6}.items():
            assert figures[f"mqgate_{name}"] == value, name


def test_one_that_is_under_way_is_told_of(tls_gate, tmp_path):
    gate, _ = tls_gate("60s")
    slow = script(tmp_path, f'[ "$MQGATE_IMAGE" ] || read line <{tmp_path}/go; exec {BINARY} "$@"')
    os.mkfifo(tmp_path / "go")
    with gate.connect() as client, gate.control_connect() as operator:
        client.sendall(TLS_BEGINS)
        until(lambda: "state=handshake" in gate.control("show sess"), "the handshake")
        operator.sendall(f"upgrade {slow}\n".encode())
        until(lambda: "phase: check" in gate.control("show upgrade"), "the check")
        told, stats = facts(gate.control("show upgrade")), gate.stats()["upgrade"]
        assert (told["by"], told["binary"], told["awaited"]) == ("command", str(slow), "0")
        assert 0 < stats.pop("left_ms") <= 30000
        assert stats == {"phase": "check", "by": "command", "binary": str(slow), "awaited": 0}
        (tmp_path / "go").write_text("\n", encoding="ascii")
        until(lambda: "phase: wait" in gate.control("show upgrade"), "it to wait")
        stats = gate.stats()["upgrade"]
        assert (stats["phase"], stats["awaited"]) == ("wait", 1) and 30000 < stats["left_ms"] <= 60000
        client.close()
        assert operator.recv(1000).startswith(b"Upgraded from ")
    assert gate.control("show upgrade").startswith("phase: none\n") and "upgrade" not in gate.stats()


def test_mqgatectl_says_how_it_went(mqgate, echo, tmp_path):
    gate = mqgate(conf(echo.port))

    def ctl(*words):
        return subprocess.run([BUILD / "src" / "mqgatectl", "-s", gate.control_path, "upgrade", *words],
                              capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    done = ctl()
    assert done.returncode == 0 and "0 sessions carried over" in done.stdout
    done = ctl(str(tmp_path / "missing"))
    assert (done.returncode, done.stdout) == (1, "") and "No such file" in done.stderr
    done = ctl("now")
    assert (done.returncode, done.stdout) == (1, "") and "absolute path" in done.stderr


def test_mqgatectl_is_not_content_when_mqgate_ends_instead(tls_gate):
    gate, _ = tls_gate("60s")
    with gate.connect() as client:
        client.sendall(TLS_BEGINS)
        until(lambda: "state=handshake" in gate.control("show sess"), "the handshake")
        with subprocess.Popen([BUILD / "src" / "mqgatectl", "-s", gate.control_path, "upgrade"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as waits:
            until(lambda: "phase: wait" in gate.control("show upgrade"), "it to wait")
            gate.stop()
            said = waits.communicate(timeout=DEADLINE_S)
            assert waits.returncode == 1
            assert said == ("", "mqgatectl: mqgate is gone, and has not said how it went\n")


@contextlib.contextmanager
def leaving(clients):
    """They go when they hear that they are to."""
    def leave(client):
        ends(client)
        client.close()
    threads = [threading.Thread(target=leave, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    yield
    for client in clients:
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join()


def test_a_drain_goes_on(mqgate, echo):
    """At its pace, to its end."""
    gate = mqgate(conf(echo.port))
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(gate.connect()) for _ in range(20)]
        assert all(map(says_hello, clients))
        stack.enter_context(leaving(clients))
        gate.control("drain rate 10 deadline 60s notice 0s")
        until(lambda: gate.listener_stats()["open"] < 20, "the first to go")
        carried, closed = upgrade(gate)
        assert carried > 0 and closed == 0
        assert gate.health() == 503
        assert "phase: shed" in gate.control("show drain") and "rate: 10" in gate.control("show drain")
        gate.expect_exit(0)
    assert {line["why"] for line in gate.logged(event="session_end")} == {"drain"}


def test_a_shed_goes_on(mqgate, echo):
    gate = mqgate(conf(echo.port))
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(gate.connect()) for _ in range(20)]
        assert all(map(says_hello, clients))
        stack.enter_context(leaving(clients))
        gate.control("shed 10 rate 10")
        until(lambda: gate.listener_stats()["open"] < 20, "the first to go")
        upgrade(gate)
        gate.wait_log(event="shed_done")
        assert gate.listener_stats()["open"] == 10


# --- other versions --------------------------------------------------------------------------------------------------

def another(directory, change, version=1, damage=""):
    """A binary of another version."""
    return script(directory, f"OTHER_VERSION='{BINARY}|{change}|{version}|{damage}' exec /usr/bin/python3 -B "
                             f"{pathlib.Path(__file__).parent}/other_version.py \"$@\"")


@pytest.mark.parametrize("change", ["nothing", "optional", "optional in groups", "without names", "without rows"])
def test_an_older_and_a_newer_version_and_back(tls, echo, tmp_path, change):
    start, dial = tls
    gate = start(echo.port)
    with dial(gate, VERSIONS[1]) as client:
        assert says_hello(client)
        for path in (another(tmp_path, change), BINARY):
            assert upgrade(gate, path) == (1, 0)
            assert says_hello(client)
    gate.wait_end(why="client_closed")


REFUSED = {
    "a field that it must know": (("needed field",), "field 1000 of a session is needed and not known"),
    "a field within one": (("needed in groups",), "field 1000 of a"),
    "a record that it must know": (("needed record",), "records of kind 1000"),
    "a session that cannot be": (("nonsense",), "of a session"),
    "version 2 of the image": (("nothing", 2), "the image is of version 2"),
    "a damaged image": (("nothing", 1, "damage"), "the image is damaged"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_the_other_version_cannot_read_changes_nothing(tls, echo, tmp_path, what):
    start, dial = tls
    gate = start(echo.port)
    change, why = REFUSED[what]
    with dial(gate, VERSIONS[0]) as client:
        assert says_hello(client)
        assert why in fails(gate, another(tmp_path, *change))
        assert says_hello(client)
