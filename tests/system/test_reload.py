"""Another configuration while the gate runs: what changes, what stays, and that nobody notices."""
import contextlib
import copy
import csv
import http.client
import os
import re
import shutil
import signal
import socket
import ssl
import threading
import time

import pytest

from mqgate import DEADLINE_S, SLACK, conf, is_refused, run, until
from mqttproto import connack
from pki import section
from servers import Echo, Listener, Server, ends, free_port

HELLO = b"hello"


@pytest.fixture
def echo(serve):
    return serve(Echo)


def says_hello(client):
    client.sendall(HELLO)
    return client.recv(100) == HELLO


def with_listener(configuration, **options):
    """One more like the first."""
    changed = copy.deepcopy(configuration)
    changed["listeners"].append({**changed["listeners"][0], **options})
    return changed


def dial(port, host="127.0.0.1"):
    return socket.create_connection((host, port), DEADLINE_S)


def refuses(port, host="127.0.0.1"):
    return is_refused((host, port))


class Name(Server):
    """Says what it is called, and echoes."""

    def __init__(self, name, **options):
        self.name = name
        super().__init__(**options)

    def serve(self, sock):
        sock.sendall(self.name)
        while piece := sock.recv(65536):
            sock.sendall(piece)


# --- what changes ----------------------------------------------------------------------------------------------------

def test_the_same_again_changes_nothing(mqgate, echo):
    configuration = conf(echo.port)
    gate = mqgate(configuration)
    before = gate.descriptors()
    with gate.connect() as client:
        assert says_hello(client)
        for _ in range(5):
            assert gate.reload(configuration) == ""
        assert says_hello(client)
        with gate.connect() as another:
            assert says_hello(another)
    until(lambda: gate.listener_stats()["open"] == 0, "the end")
    until(lambda: gate.descriptors() == before, "descriptors to be closed")
    assert gate.stats()["reloads"] == 5 and gate.listener_stats()["sessions"] == 2
    assert len(gate.logged(event="listening", listener="in")) == 1


def test_listeners_come_and_go(mqgate, echo):
    one, two = free_port(), free_port()
    first = conf(echo.port, listener={"bind": f"127.0.0.1:{one}"})
    gate = mqgate(first)
    with dial(one) as old:
        assert says_hello(old)
        gate.reload(with_listener(first, name="second", bind=f"127.0.0.1:{two}"))
        with dial(one) as a, dial(two) as b:
            assert says_hello(a) and says_hello(b)
        gate.reload(conf(echo.port, listener={"bind": f"127.0.0.1:{two}", "name": "second"}))
        until(lambda: refuses(one), "the first to be closed")
        with dial(two) as b:
            assert says_hello(b)
        assert says_hello(old), "a session goes on without its listener"
        assert [each["name"] for each in gate.stats()["listeners"]] == ["second"]
    end = gate.wait_end(listener="in")
    assert end["why"] == "client_closed"
    assert gate.wait_log(event="listening", listener="second")["addr"] == f"127.0.0.1:{two}"


def test_a_listener_moves(mqgate, echo):
    one, two = free_port(), free_port()
    gate = mqgate(conf(echo.port, listener={"bind": f"127.0.0.1:{one}"}))
    with dial(one) as old:
        gate.reload(conf(echo.port, listener={"bind": f"127.0.0.1:{two}"}))
        until(lambda: refuses(one), "the old address to be closed")
        with dial(two) as new:
            assert says_hello(old) and says_hello(new)
            assert gate.listener_stats()["open"] == 2


def test_from_one_address_to_all_and_back(mqgate, echo):
    port = free_port()
    one, every = (conf(echo.port, listener={"bind": f"{host}:{port}"}) for host in ("127.0.0.1", "0.0.0.0"))
    gate = mqgate(one)
    gate.reload(every)
    with dial(port, "127.0.0.3") as client:
        assert says_hello(client)
        gate.reload(one)
        until(lambda: refuses(port, "127.0.0.3"), "the other addresses to be closed")
        with dial(port) as another:
            assert says_hello(client) and says_hello(another)


def test_who_waits_in_a_queue_is_served(mqgate, echo):
    """An address keeps its sockets, whichever listener has it; one that goes lets in who has come."""
    port = free_port()
    configuration = conf(echo.port, listener={"bind": f"127.0.0.1:{port}"}, global_={"max_connections": 4000})
    gate = mqgate(configuration)
    with contextlib.ExitStack() as stack:
        held = stack.enter_context(dial(port))
        assert says_hello(held)
        gate.control("set maxconn global 1")
        waiting = [stack.enter_context(dial(port)) for _ in range(20)]
        gate.reload({**configuration, "listeners": [{**configuration["listeners"][0], "name": "other"}]})
        gate.control("set maxconn global 4000")
        assert all(says_hello(client) for client in waiting)


def test_another_protocol_and_tls_on_the_same_sockets(mqgate, echo, pki):
    port = free_port()
    plain = conf(echo.port, listener={"bind": f"127.0.0.1:{port}"}, tls=[section("edge", pki.leaf("one.test"))])
    gate = mqgate(plain)
    with dial(port) as old:
        assert says_hello(old)
        secure = copy.deepcopy(plain)
        secure["listeners"][0]["tls"] = "edge"
        gate.reload(secure)
        trust = ssl.create_default_context(cafile=pki.ca)
        with trust.wrap_socket(dial(port), server_hostname="one.test") as new:
            assert says_hello(new) and says_hello(old)
        secure["listeners"][0] |= {"protocol": "mqtt"}
        gate.reload(secure)
        with trust.wrap_socket(dial(port), server_hostname="one.test") as new:
            new.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert ends(new)[1] == b""
        assert says_hello(old)
    gate.wait_end(why="not_mqtt")


def test_servers_come_and_go_without_touching_sessions(mqgate, serve):
    a, b = serve(lambda: Name(b"a")), serve(lambda: Name(b"b"))
    gate = mqgate(conf(a.port))
    with gate.connect() as old:
        assert old.recv(1) == b"a"
        other = conf(b.port)
        other["backends"][0]["servers"][0]["name"] = "s1"
        gate.reload(other)
        with gate.connect() as new:
            assert new.recv(1) == b"b"
            assert says_hello(old) and says_hello(new)
        assert {each["name"] for each in gate.stats()["backends"][0]["servers"]} == {"s1"}
    assert gate.wait_end(server="s0")["why"] == "client_closed"


def test_a_server_moves(mqgate, serve):
    a, b = serve(lambda: Name(b"a")), serve(lambda: Name(b"b"))
    gate = mqgate(conf(a.port))
    with gate.connect() as old:
        assert old.recv(1) == b"a"
        gate.reload(conf(b.port))
        with gate.connect() as new:
            assert new.recv(1) == b"b" and says_hello(old)
            assert gate.server_stats()["in_flight"] == 2


def test_limits_hold_for_old_and_new_sessions_together(mqgate, serve):
    server = serve(lambda: Name(b"a"))
    gate = mqgate(conf(server.port))
    with gate.connect() as first, gate.connect() as second:
        assert first.recv(1) == second.recv(1) == b"a"
        gate.reload(conf(server.port, server={"max_connections": 2}))
        with gate.connect() as third:
            until(lambda: gate.stats()["backends"][0]["waiting"] == 1, "the third to wait")
            first.close()
            assert third.recv(1) == b"a"


def test_who_waits_for_a_server_since_before_is_served(mqgate, serve):
    server = serve(lambda: Name(b"a"))
    one = conf(server.port, server={"max_connections": 1}, global_={"workers": 1})  # each has a queue of its own
    gate = mqgate(one)
    with gate.connect() as first:
        assert first.recv(1) == b"a"
        with gate.connect() as second:
            until(lambda: gate.stats()["backends"][0]["waiting"] == 1, "the second to wait")
            gate.reload(one)
            with gate.connect() as third:
                until(lambda: gate.stats()["backends"][0]["waiting"] == 2, "the third to wait")
                first.close()
                assert second.recv(1) == b"a", "the oldest first"
                second.close()
                assert third.recv(1) == b"a"


def test_a_larger_limit_lets_the_waiting_in(mqgate, serve):
    server = serve(lambda: Name(b"a"))
    gate = mqgate(conf(server.port, server={"max_connections": 1}))
    with gate.connect() as first:
        assert first.recv(1) == b"a"
        with gate.connect() as second:
            until(lambda: gate.stats()["backends"][0]["waiting"] == 1, "the second to wait")
            gate.reload(conf(server.port, server={"max_connections": 2}))
            assert second.recv(1) == b"a"


def test_per_source_counts_go_on(mqgate, echo):
    limited = conf(echo.port, listener={"per_source": {"max_connections": 2}})
    gate = mqgate(limited)
    with gate.connect() as first:
        assert says_hello(first)
        gate.reload(limited)
        with gate.connect() as second:
            assert says_hello(second)
            with contextlib.suppress(ConnectionResetError), gate.connect() as third:
                assert ends(third)[0] == "reset"
        first.close()
    until(lambda: gate.listener_stats()["open"] == 0, "all to be gone")
    with gate.connect() as a, gate.connect() as b:
        assert says_hello(a) and says_hello(b)


def test_a_pace_goes_on_and_changes(mqgate, echo):
    slow, fast = (conf(echo.port, listener={"rate_limit": rate}, global_={"workers": 1}) for rate in (1, 1000))
    gate = mqgate(slow)
    with gate.connect() as first, contextlib.ExitStack() as stack:
        assert says_hello(first)
        waiting = [stack.enter_context(gate.connect()) for _ in range(30)]
        until(lambda: gate.listener_stats()["waiting"] == 30, "them to wait")
        gate.reload(slow)
        assert gate.listener_stats()["waiting"] > 25
        gate.reload(fast)
        begun = time.monotonic()
        assert all(says_hello(client) for client in waiting)
        assert time.monotonic() - begun < 5 * SLACK


def server_row(gate, name="s0"):
    rows = csv.DictReader(gate.control("show stat").removeprefix("# ").splitlines())
    return next(row for row in rows if row["svname"] == name)


def test_counters_and_the_operators_word_stay(mqgate, echo):
    configuration = conf(echo.port, server={"weight": 100})
    gate = mqgate(configuration)
    with gate.connect() as client:
        assert says_hello(client)
    gate.wait_end()
    gate.control("set weight out/s0 50", "set maxconn server out/s0 7", "set server out/s0 state drain")
    gate.reload(configuration)
    assert (gate.server_stats()["sessions"], gate.listener_stats()["sessions"]) == (1, 1)
    row = server_row(gate)
    assert (row["weight"], row["status"], row["slim"]) == ("50", "DRAIN", "7")
    gate.reload(conf(echo.port, server={"weight": 20}))
    row = server_row(gate)
    assert (row["weight"], row["status"], row["slim"]) == ("20", "DRAIN", "7"), "another key is another matter"


def test_a_paused_listener_stays_paused_and_one_that_was_shut_down_comes_back(mqgate, echo):
    port = free_port()
    configuration = conf(echo.port, listener={"bind": f"127.0.0.1:{port}"})
    gate = mqgate(configuration)
    gate.control("disable frontend in")
    until(lambda: refuses(port), "it to be paused")
    gate.reload(configuration)
    assert refuses(port)
    gate.control("enable frontend in")
    until(lambda: not refuses(port), "it to be open")
    gate.control("shutdown frontend in")
    until(lambda: refuses(port), "it to be closed")
    gate.reload(configuration)
    with dial(port) as client:
        assert says_hello(client)


def test_checks_go_on_where_they_were(mqgate, serve):
    """A server that is up is up; health never says otherwise."""
    echo = serve(Echo)
    dead = free_port()
    checked = conf([echo.port, dead], backend={"check": {"type": "tcp", "interval": "1h", "fast_interval": "1h"}})
    gate = mqgate(checked)
    until(lambda: gate.server_stats("s0")["state"] == "UP" and gate.server_stats("s1")["state"] == "DOWN", "checks")
    stop, answers = threading.Event(), set()

    def ask():
        while not stop.is_set():
            answers.add(gate.health())

    asker = threading.Thread(target=ask)
    asker.start()
    for _ in range(10):
        gate.reload(checked)
        assert (gate.server_stats("s0")["state"], gate.server_stats("s1")["state"]) == ("UP", "DOWN")
    stop.set()
    asker.join()
    assert answers == {200}
    assert not gate.logged(event="server_state", state="UP")[1:], "no check was begun anew"


def test_a_server_that_moved_is_what_it_was_until_it_was_checked_there(mqgate, serve):
    silent = serve(Listener)
    check = {"check": {"type": "mqtt", "interval": "500ms", "fast_interval": "100ms", "timeout": "400ms", "fall": 3}}

    class Broker(Server):
        def serve(self, sock):
            sock.recv(100)
            sock.sendall(connack(4))
            sock.recv(1)

    broker = serve(Broker)
    gate = mqgate(conf(broker.port, backend=check))
    until(lambda: gate.server_stats()["state"] == "UP", "it to be up")
    gate.reload(conf(silent.port, backend=check))
    assert gate.server_stats()["state"] == "UP" and gate.health() == 200
    until(lambda: gate.server_stats()["state"] == "DOWN", "its check to fail there")
    gate.reload(conf(broker.port, backend=check))
    until(lambda: gate.server_stats()["state"] == "UP", "it to be up again")


def test_a_shorter_interval_holds_at_once(mqgate, serve):
    echo = serve(Echo)
    rare, often = ({"check": {"type": "tcp", "interval": each, "fast_interval": each}} for each in ("1h", "50ms"))
    gate = mqgate(conf(echo.port, backend=rare))
    until(lambda: gate.server_stats()["state"] == "UP", "the first check")
    echo.kill()
    gate.reload(conf(echo.port, backend=often))
    until(lambda: gate.server_stats()["state"] == "DOWN", "it to be seen")


def test_checks_switched_on_and_off(mqgate, serve):
    echo = serve(Echo)
    gate = mqgate(conf(echo.port))
    assert gate.health() == 200
    gate.reload(conf(echo.port, backend={"check": {"type": "tcp"}}))
    assert gate.health() == 200
    until(lambda: gate.server_stats()["state"] == "UP", "a check")
    echo.kill()
    gate.reload(conf(echo.port, backend={"check": {"type": "tcp", "interval": "100ms", "fast_interval": "100ms"}}))
    until(lambda: gate.health() == 503, "it to be down")
    gate.reload(conf(echo.port))
    assert gate.health() == 200


def test_admin_settings_apply_at_once(mqgate, echo):
    one, two = free_port(), free_port()

    def at(port, **admin):
        return conf(echo.port, admin={"bind": f"127.0.0.1:{port}", **admin})

    def status(port, path):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
        connection.request("GET", path)
        found = connection.getresponse().status
        connection.close()
        return found

    gate = mqgate(at(one))
    assert (status(one, "/haproxy_health"), status(one, "/metrics")) == (200, 200)
    gate.reload(at(one, stats_allow=["10.0.0.0/8"], health_uri="/up"))
    assert (status(one, "/up"), status(one, "/haproxy_health"), status(one, "/metrics")) == (200, 404, 403)
    gate.reload(at(two))
    assert refuses(one) and status(two, "/haproxy_health") == 200
    gate.reload(conf(echo.port, admin={"bind": ""}))
    assert refuses(two)
    gate.reload(at(one))
    assert status(one, "/haproxy_health") == 200
    assert "admin,FRONTEND" in gate.control("show stat")


def test_log_settings_apply_at_once(mqgate, echo):
    gate = mqgate(conf(echo.port, log={"access": "off"}))
    with gate.connect() as client:
        assert says_hello(client)
        gate.reload(conf(echo.port, log={"access": "end", "format": "json"}))
    assert gate.wait_end()["why"] == "client_closed"
    assert gate.log.raw[-1].startswith("{")
    gate.reload(conf(echo.port, log={"access": "off"}))
    gate.reload(conf(echo.port, log={"access": "off", "to": ["stderr"]}))
    until(lambda: "event=reloaded" in gate.stderr(), "the log to go elsewhere")


def test_the_number_of_connections_changes(mqgate, echo):
    gate = mqgate(conf(echo.port, global_={"max_connections": 100}))
    assert "Maxconn: 100\n" in gate.control("show info")
    gate.reload(conf(echo.port, global_={"max_connections": 200}))
    assert "Maxconn: 200\n" in gate.control("show info")
    gate.control("set maxconn global 50")
    gate.reload(conf(echo.port, global_={"max_connections": 200}))
    assert "Maxconn: 50\n" in gate.control("show info")


def test_more_listeners_than_the_limit_of_files_carries_leave_room_for_fewer_clients(mqgate, echo):
    one = conf(echo.port, listener={"bind": f"127.0.0.1:{free_port()}"}, global_={"max_connections": 100000})
    gate = mqgate(one, nofile=1000)

    def carried():
        return int(re.search(r"^Maxconn: (\d+)$", gate.control("show info"), re.M).group(1))
    before, many = carried(), one
    for n in range(5):
        many = with_listener(many, name=f"more{n}", bind=f"127.0.0.1:{free_port()}")
    gate.reload(many)
    assert carried() == before - 5
    gate.reload(one)
    assert carried() == before


def test_what_waits_for_another_start_is_said(mqgate, echo):
    gate = mqgate(conf(echo.port))
    changed = conf(echo.port, global_={"workers": 3, "pid_file": "/nonexistent/pid"})
    said = gate.reload(changed)
    assert "global.workers waits for" in said and "global.pid_file waits for" in said
    assert gate.stats()["workers"] == 2
    gate.wait_log(2, event="reload_incomplete")


# --- ways to ask -----------------------------------------------------------------------------------------------------

def test_by_signal(mqgate, serve):
    a, b = serve(lambda: Name(b"a")), serve(lambda: Name(b"b"))
    gate = mqgate(conf(a.port))
    gate.configure(conf(b.port))
    gate.process.send_signal(signal.SIGHUP)
    gate.wait_log(event="reloaded", by="signal")
    with gate.connect() as client:
        assert client.recv(1) == b"b"


def test_many_signals_end_with_the_newest_file(mqgate, serve):
    names = [serve(lambda name=name: Name(name)) for name in (b"a", b"b")]
    gate = mqgate(conf(names[0].port))
    for i in range(50):
        gate.configure(conf(names[i % 2].port))
        gate.process.send_signal(signal.SIGHUP)

    def newest():
        with gate.connect() as client:
            return client.recv(1) == b"b"
    until(newest, "the last file to be in force")


def test_levels(mqgate, echo):
    gate = mqgate(conf(echo.port, global_={"control_level": "operator"}))
    assert "Permission denied" in gate.control("reload")
    assert gate.stats()["reloads"] == 0


# --- failures --------------------------------------------------------------------------------------------------------

@pytest.fixture
def taken():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock.getsockname()[1]


def failing(what, port, taken, tmp_path, pki):
    good = conf(port)
    if what == "syntax":
        return "global: { workers = ;", "mqgate.conf:1"
    if what == "unknown key":
        return {**good, "listenres": []}, "unknown key"
    if what == "busy port":
        return with_listener(good, name="busy", bind=f"127.0.0.1:{taken}"), 'listener "busy": listen on'
    if what == "one address for two":
        return with_listener(conf(port, listener={"bind": f"127.0.0.1:{taken + 1}"}), name="two"), \
            "which listeners.in.bind has"
    if what == "one address for admin and another":
        return conf(port, listener={"bind": f"0.0.0.0:{taken + 1}"}, admin={"bind": f"127.0.0.1:{taken + 1}"}), \
            "which listeners.in.bind has"
    if what == "busy admin port":
        return conf(port, admin={"bind": f"127.0.0.1:{taken}"}), "admin: listen on"
    if what == "missing certificate":
        leaf = pki.leaf("one.test")
        return {**with_listener(good, name="tls", tls="edge"), "tls": [
            {"name": "edge", "certificates": [{"chain": str(tmp_path / "none.pem"), "key": leaf.key}]}]}, "none.pem"
    assert what == "another's key"
    one, other = pki.leaf("one.test"), pki.leaf("two.test")
    return {**with_listener(good, name="tls", tls="edge"), "tls": [
        {"name": "edge", "certificates": [{"chain": one.chain, "key": other.key}]}]}, "edge"


@pytest.mark.parametrize("what", ["syntax", "unknown key", "busy port", "busy admin port", "one address for two",
                                  "one address for admin and another", "missing certificate", "another's key"])
def test_what_is_wrong_changes_nothing(mqgate, echo, taken, tmp_path, pki, what):
    good = conf(echo.port)
    gate = mqgate(good)
    bad, expected = failing(what, echo.port, taken, tmp_path, pki)
    before = gate.descriptors()
    with gate.connect() as client:
        assert says_hello(client)
        open_before = gate.descriptors()
        gate.configure(bad)
        answer = gate.control("reload")
        assert expected in answer and "Reloaded" not in answer, answer
        gate.wait_log(event="reload_failed", by="command")
        assert says_hello(client) and gate.descriptors() == open_before
        with gate.connect() as another:
            assert says_hello(another)
    until(lambda: gate.descriptors() == before, "descriptors to be closed")
    stats = gate.stats()
    assert (stats["reloads"], stats["reloads_failed"], stats["reload_failed"]) == (0, 1, True)
    assert gate.reload(good) == ""
    assert not gate.stats()["reload_failed"]


def test_the_answer_is_that_of_the_check(mqgate, echo):
    gate = mqgate(conf(echo.port))
    gate.configure({**conf(echo.port), "nonsense": 1})
    checked = run("-c", "-f", gate.file)
    assert gate.control("reload").splitlines()[0] in checked.stderr


# --- certificates ----------------------------------------------------------------------------------------------------

def serial_of(gate, pki, session=None):
    context = ssl.create_default_context(cafile=pki.ca)
    context.check_hostname = False
    with context.wrap_socket(gate.connect(), session=session) as client:
        return client.getpeercert()["serialNumber"]


@pytest.fixture
def tls_gate(mqgate, echo, pki, tmp_path):
    leaf = pki.leaf("one.test")
    files = [tmp_path / "chain.pem", tmp_path / "key.pem"]
    for source, target in zip((leaf.chain, leaf.key), files):
        shutil.copy(source, target)
    gate = mqgate(conf(echo.port, listener={"tls": "edge"}, tls=[
        {"name": "edge", "certificates": [{"chain": str(files[0]), "key": str(files[1])}]}]))
    return gate, files


def replace(files, leaf):
    """As tools do it: a new file takes the old one's name."""
    for source, target in zip((leaf.chain, leaf.key), files):
        new = target.with_suffix(".new")
        shutil.copy(source, new)
        os.replace(new, target)


def test_a_renewed_certificate_is_taken_at_once_when_asked(tls_gate, pki):
    gate, files = tls_gate
    context = ssl.create_default_context(cafile=pki.ca)
    before = serial_of(gate, pki)
    with context.wrap_socket(gate.connect(), server_hostname="one.test") as old:
        replace(files, pki.leaf("one.test", "rsa"))
        assert gate.control("reload tls").startswith("Reloaded.")
        assert serial_of(gate, pki) != before
        assert says_hello(old)


def test_a_renewed_certificate_is_noticed(tls_gate, pki):
    gate, files = tls_gate
    before = serial_of(gate, pki)
    replace(files, pki.leaf("one.test", "rsa"))
    gate.wait_log(event="reloaded", by="files")
    assert serial_of(gate, pki) != before


def test_a_certificate_that_is_no_good_is_told_of_once_and_the_old_one_stays(tls_gate, pki):
    gate, files = tls_gate
    before = serial_of(gate, pki)
    files[0].write_text("nonsense", encoding="ascii")
    gate.wait_log(event="reload_failed", by="files")
    assert serial_of(gate, pki) == before
    assert "chain.pem" in gate.control("reload tls")
    shutil.copy(pki.leaf("one.test").chain, files[0])
    gate.wait_log(event="reloaded", by="files")
    assert len(gate.logged(event="reload_failed", by="files")) == 1


def test_tickets_survive(tls_gate, pki):
    gate, _ = tls_gate
    context = ssl.create_default_context(cafile=pki.ca)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with context.wrap_socket(gate.connect(), server_hostname="one.test") as client:
        assert says_hello(client)
        session = client.session
    assert gate.control("reload").startswith("Reloaded.")
    with context.wrap_socket(gate.connect(), server_hostname="one.test", session=session) as client:
        assert client.session_reused and says_hello(client)
