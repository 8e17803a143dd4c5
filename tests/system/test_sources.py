"""Limits for each client address, and the table of sources behind them."""
import concurrent.futures
import contextlib
import csv
import http.client
import ipaddress
import re
import socket
import time

import pytest

import proxyproto as pp
from mqgate import DEADLINE_S, SLACK, conf, until
from servers import Echo, ends

ONE, OTHER, THIRD = "127.0.0.11", "127.0.0.12", "127.0.0.13"
DST = ("127.0.0.1", 1883)
ENTRY = re.compile(r"0x[0-9a-f]{8}: key=(\S+) use=(\d+) exp=(\d+) conn_cnt=(\d+) conn_rate\(1000\)=(\d+) "
                   r"conn_cur=(\d+) refused=(\d+)")


@pytest.fixture
def echo(serve):
    return serve(Echo)


def limited(to, limits, proxied=False, **kwargs):
    listener = {"per_source": limits}
    if proxied:
        listener |= {"proxy_protocol": "accept", "proxy_from": ["127.0.0.0/8"]}
    return conf(to, listener=listener, **kwargs)


def says_hello(client):
    client.sendall(b"hello")
    return client.recv(100) == b"hello"


def is_served(client):
    """The session begins, or is refused with a reset."""
    try:
        return says_hello(client)
    except (ConnectionResetError, BrokenPipeError):
        return False


def come(gate, source=ONE):
    """A connection, or None: a reset may be here before connect() has returned."""
    with contextlib.suppress(ConnectionResetError):
        return gate.connect(source=source)
    return None


def is_let_in(gate, source=ONE):
    with contextlib.suppress(ConnectionResetError), gate.connect(source=source) as client:
        return is_served(client)
    return False


def proxied(gate, header, source="127.0.0.1"):
    client = gate.connect(source=source)
    client.sendall(header)
    return client


def v2(ip):
    return pp.v2((ip, 4000), DST if ":" not in ip else ("::1", 1883))


def entries(gate, arguments="in"):
    """Entries of an answer to "show table": use, conn_cnt, conn_rate, conn_cur and exp by key."""
    answer = gate.control(f"show table {arguments}").rstrip("\n").splitlines()
    if not answer:
        return {}
    assert re.fullmatch(r"# table: in, type: ip, size:\d+, used:\d+", answer[0])
    found = [ENTRY.fullmatch(line).groups() for line in answer[1:]]
    assert all(0 <= int(entry[2]) <= 30000 for entry in found)
    return {key: (int(use), int(ever), int(rate), int(now)) for key, use, _, ever, rate, now, _ in found}


def refusals(gate, source=ONE):
    return int(re.search(r"refused=(\d+)", gate.control(f"show table in key {source}")).group(1))


def denied(gate):
    stats = gate.listener_stats()
    return stats["denied_source_connections"], stats["denied_source_rate"]


# --- limits ----------------------------------------------------------------------------------------------------------

def test_past_its_limit_a_source_is_reset_and_no_other_is(mqgate, echo):
    gate = mqgate(limited(echo.port, {"max_connections": 3}))
    inside = [gate.connect(source=ONE) for _ in range(3)]
    assert all(says_hello(client) for client in inside)
    for n in range(5):
        with contextlib.suppress(ConnectionResetError), gate.connect(source=ONE) as refused:
            assert ends(refused)[0] == "reset"
        until(lambda: denied(gate) == (n + 1, 0), "the refusal to be counted")
        assert is_let_in(gate, OTHER)
    inside.pop().close()
    until(lambda: entries(gate, f"in key {ONE}")[ONE][3] == 2, "the place to be given back")
    inside.append(gate.connect(source=ONE))
    assert says_hello(inside[-1])
    for client in inside:
        client.close()
    until(lambda: gate.listener_stats()["open"] == 0, "all sessions to end")
    stats = gate.listener_stats()
    assert stats["connections"] == stats["closed"] == 14
    assert (entries(gate)[ONE][1], entries(gate)[OTHER][1]) == (4, 5)
    assert (refusals(gate), refusals(gate, OTHER)) == (5, 0)


def test_a_source_is_held_to_its_limit_over_all_workers(mqgate, echo):
    gate = mqgate(limited(echo.port, {"max_connections": 5}, global_={"workers": 4}))
    clients = [client for client in (come(gate) for _ in range(40)) if client is not None]
    assert sum(is_served(client) for client in clients) == 5
    assert denied(gate) == (35, 0)
    for client in clients:
        client.close()
    until(lambda: entries(gate)[ONE][3] == 0, "the places to be given back")


def test_past_its_rate_a_source_is_reset_until_time_has_passed(mqgate, echo):
    gate = mqgate(limited(echo.port, {"rate_limit": 10}))
    begun = time.monotonic()
    served = sum(is_let_in(gate) for _ in range(40))
    if time.monotonic() - begun < 0.9:
        assert 10 <= served <= 20
    assert denied(gate) == (0, 40 - served)
    assert refusals(gate) == 40 - served
    assert is_let_in(gate, OTHER)
    until(lambda: is_let_in(gate), "the source to be let in again")


def test_the_listener_s_limit_takes_no_place_of_a_source(mqgate, echo):
    configuration = limited(echo.port, {"max_connections": 2})
    configuration["listeners"][0]["max_connections"] = 1
    gate = mqgate(configuration)
    with gate.connect(source=ONE) as client:
        assert says_hello(client)
        for _ in range(3):
            assert not is_let_in(gate)
        assert entries(gate)[ONE][1:] == (1, entries(gate)[ONE][2], 1)
    assert denied(gate) == (0, 0)


def stat_rows(gate):
    rows = csv.DictReader(gate.control("show stat").rstrip("\n").splitlines())
    return {(row["# pxname"], row["svname"]): row for row in rows}


def test_refused_sources_are_counted_in_csv_and_are_denied_connections(mqgate, echo):
    gate = mqgate(limited(echo.port, {"max_connections": 1}))
    with gate.connect(source=ONE) as client:
        assert says_hello(client)
        for _ in range(4):
            assert not is_let_in(gate)
        found = stat_rows(gate)
    columns = ("mqgate_denied_source", "dcon", "dses", "ereq")
    for key in ("in", "FRONTEND"), ("in", "sock-1"):
        assert [found[key][column] for column in columns] == ["4", "4", "0", "0"], key
    assert found["out", "s0"]["mqgate_denied_source"] == found["out", "BACKEND"]["mqgate_denied_source"] == ""


def test_sources_refused_after_their_header_are_denied_sessions(mqgate, echo):
    gate = mqgate(limited(echo.port, {"max_connections": 1}, proxied=True))
    with proxied(gate, v2("192.0.2.1")) as client:
        assert says_hello(client)
        with proxied(gate, v2("192.0.2.1")) as refused:
            assert ends(refused)[0] == "reset"
        front = stat_rows(gate)["in", "FRONTEND"]
    columns = ("mqgate_denied_source", "dcon", "dses", "ereq")
    assert [front[column] for column in columns] == ["1", "0", "1", "0"]
    metrics = gate.get("/metrics")[2].decode()
    assert 'mqgate_frontend_denied_source_total{proxy="in"} 1\n' in metrics
    assert 'mqgate_frontend_sources_untracked_total{proxy="in"} 0\n' in metrics


# --- PROXY headers ---------------------------------------------------------------------------------------------------

def test_the_client_that_a_proxy_header_names_is_charged(mqgate, echo):
    gate = mqgate(limited(echo.port, {"max_connections": 2}, proxied=True))
    inside = [proxied(gate, pp.v1(("192.0.2.1", 4000), DST)), proxied(gate, v2("192.0.2.1"))]
    assert all(says_hello(client) for client in inside)
    with proxied(gate, v2("192.0.2.1")) as refused:
        assert ends(refused)[0] == "reset"
    end = gate.wait_end(why="source_limit")
    assert end["client"].startswith("192.0.2.1:")
    with proxied(gate, v2("192.0.2.2")) as other:
        assert says_hello(other)
        assert {key: entry[3] for key, entry in entries(gate).items()} == {"192.0.2.1": 2, "192.0.2.2": 1}
    assert denied(gate) == (1, 0)
    assert gate.listener_stats()["request_errors"] == 0
    for client in inside:
        client.close()


def test_past_its_rate_a_client_behind_a_proxy_is_refused(mqgate, echo):
    gate = mqgate(limited(echo.port, {"rate_limit": 3}, proxied=True))
    served = 0
    for _ in range(12):
        with proxied(gate, v2("192.0.2.1")) as client:
            served += is_served(client)
    assert 3 <= served < 12
    assert denied(gate) == (0, 12 - served)


def test_a_64_of_ipv6_is_one_source_and_ipv4_in_ipv6_is_ipv4(mqgate, echo):
    gate = mqgate(limited(echo.port, {"max_connections": 2}, proxied=True))
    inside = [proxied(gate, v2(ip)) for ip in ("2001:db8:1:2::1", "2001:db8:1:2:ffff::2", "::ffff:192.0.2.1",
                                               "192.0.2.1", "2001:db8:1:3::1")]
    assert all(says_hello(client) for client in inside)
    for ip in ("2001:db8:1:2::3", "192.0.2.1"):
        with proxied(gate, v2(ip)) as refused:
            assert ends(refused)[0] == "reset"
    with proxied(gate, v2("::ffff:192.0.2.2")) as other:
        assert says_hello(other)
    until(lambda: {key: entry[3] for key, entry in entries(gate).items() if entry[3]} == {
        "2001:db8:1:2::": 2, "192.0.2.1": 2, "2001:db8:1:3::": 1}, "the sources of those inside alone")
    assert list(entries(gate, "in key 2001:db8:1:2::abcd")) == ["2001:db8:1:2::"]
    for client in inside:
        client.close()


@pytest.mark.parametrize("header", [pp.v2(command=pp.LOCAL), pp.v2(), b"PROXY UNKNOWN\r\n"],
                         ids=["local", "unspec", "unknown"])
def test_a_header_that_names_nobody_is_charged_to_nobody(mqgate, echo, header):
    gate = mqgate(limited(echo.port, {"max_connections": 1, "rate_limit": 1}, proxied=True))
    clients = [proxied(gate, header) for _ in range(10)]
    assert all(says_hello(client) for client in clients)
    assert entries(gate) == {}
    for client in clients:
        client.close()


def test_without_a_header_the_peer_is_charged(mqgate, echo):
    gate = mqgate(limited(echo.port, {"max_connections": 1}, proxied=True))
    with gate.connect(source=ONE) as client:
        assert says_hello(client)
        assert not is_let_in(gate)
        assert is_let_in(gate, OTHER)
    gate.wait_end(why="source_limit")


def test_what_is_refused_before_the_client_is_known_takes_no_place(mqgate, echo):
    gate = mqgate(limited(echo.port, {"max_connections": 1}, proxied=True))
    with proxied(gate, v2("192.0.2.1")[:20]) as client:
        client.shutdown(socket.SHUT_WR)
        ends(client)
    until(lambda: gate.listener_stats()["open"] == 0, "the session to end")
    assert all(entry[3] == 0 for entry in entries(gate).values())


# --- the table -------------------------------------------------------------------------------------------------------

def test_only_listeners_with_limits_have_tables(mqgate, echo):
    configuration = limited(echo.port, {"max_connections": 10})
    configuration["listeners"].append({"name": "free", "bind": "127.0.0.1:0", "protocol": "tcp", "backend": "out"})
    gate = mqgate(configuration)
    assert gate.control("show table") == "# table: in, type: ip, size:65536, used:0\n\n"
    assert gate.control("show table in") == "# table: in, type: ip, size:65536, used:0\n\n"
    for table in ("free", "out", "nosuch"):
        assert gate.control(f"show table {table}") == gate.control(f"clear table {table}") == "No such table\n\n"


def test_an_entry_tells_of_its_source(mqgate, echo):
    gate = mqgate(limited(echo.port, {"max_connections": 10}))
    for _ in range(2):
        assert is_let_in(gate)
    with gate.connect(source=ONE) as client:
        assert says_hello(client)
        until(lambda: entries(gate)[ONE][3] == 1, "the others to be over")
        use, ever, rate, now = entries(gate)[ONE]
        assert (use, ever, now) == (1, 3, 1) and rate <= 3
        assert gate.control("show table") == "# table: in, type: ip, size:65536, used:1\n\n"
        assert list(entries(gate, f"in key {ONE}")) == [ONE]
        assert gate.control(f"show table in key {OTHER}") == "\n"


FILTER = "Filter entry #%d: %s"
OPERATOR = 'Require and operator among "eq", "ne", "le", "ge", "lt", "gt"'
SHOW = 'Optional argument only supports "data.<store_data_type>" <operator> <value> and key <key>'
CLEAR = 'Required arguments: <table> "data.<store_data_type>" <operator> <value> or <table> key <key>'


def test_mistakes_in_the_commands_are_answered_in_haproxy_s_words(mqgate, echo):
    gate = mqgate(limited(echo.port, {"max_connections": 10}))
    for command, answer in {
            "show table in key": "Key value expected",
            "show table in key x": "Invalid key",
            "show table in what": SHOW,
            "clear table": CLEAR,
            "clear table in what": CLEAR,
            "clear table in key": "Key value expected",
            "show table in data.bogus gt 1": FILTER % (1, "Unknown data type"),
            "show table in data.conn_cur": FILTER % (1, OPERATOR),
            "show table in data.conn_cur gt 1 data.conn_cnt near 1": FILTER % (2, OPERATOR),
            "clear table in data.conn_cur eq x": FILTER % (1, "Require a valid integer value to compare against"),
            "show table in" + 5 * " data.conn_cur ge 0": "Detected extra data in filter, after '0'",
            "user; show table in key 127.0.0.1": "Permission denied",
            "user; clear table in": "Permission denied"}.items():
        assert gate.control(command).strip("\n") == answer, command


def test_a_user_sees_how_full_a_table_is_and_no_addresses(mqgate, echo):
    gate = mqgate(limited(echo.port, {"max_connections": 10}))
    assert is_let_in(gate)
    head = "# table: in, type: ip, size:65536, used:1\n"
    assert gate.control("user; show table") == f"\n{head}\n"
    assert gate.control("user; show table in") == f"\n{head}# contents not dumped due to insufficient privileges\n\n"


@pytest.fixture
def three_sources(mqgate, echo):
    """ONE has two connections and was refused once; OTHER has one; a third has none."""
    gate = mqgate(limited(echo.port, {"max_connections": 2}))
    with contextlib.ExitStack() as stack:
        for source in (ONE, ONE, OTHER):
            assert says_hello(stack.enter_context(gate.connect(source=source)))
        assert not is_let_in(gate)
        assert is_let_in(gate, THIRD)
        until(lambda: gate.listener_stats()["open"] == 3, "the third to be over")
        yield gate


@pytest.mark.parametrize("conditions, found", [
    ("data.conn_cur gt 1", {ONE}),
    ("data.conn_cur ge 1", {ONE, OTHER}),
    ("data.conn_cur lt 1", {THIRD}),
    ("data.conn_cur le 1", {OTHER, THIRD}),
    ("data.conn_cur ne 1", {ONE, THIRD}),
    ("data.conn_cnt eq 1", {OTHER, THIRD}),
    ("data.conn_cnt eq 1 data.conn_cur eq 1", {OTHER}),
    ("data.refused gt 0", {ONE}),
    ("data.conn_rate gt 1000", set()),
    (f"data.conn_cur gt 1 key {OTHER}", set()),
    (f"key {ONE} data.conn_cur gt 1", {ONE})])
def test_entries_are_chosen_by_their_figures(three_sources, conditions, found):
    assert set(entries(three_sources, f"in {conditions}")) == found


def test_entries_are_cleared_by_their_figures(three_sources):
    gate = three_sources
    assert gate.control("clear table in data.conn_cnt gt 1") == "\n"  # in use: it stays
    assert gate.control(f"clear table in key {THIRD} data.conn_cur gt 0") == "\n"
    assert set(entries(gate)) == {ONE, OTHER, THIRD}
    assert gate.control("clear table in data.conn_cur eq 0") == "\n"
    assert set(entries(gate)) == {ONE, OTHER}


def test_clearing_forgets_who_has_no_connections(mqgate, echo):
    gate = mqgate(limited(echo.port, {"max_connections": 10}))
    with gate.connect(source=ONE) as client:
        assert says_hello(client)
        for source in (OTHER, THIRD, "127.0.0.14"):
            assert is_let_in(gate, source)
        until(lambda: gate.listener_stats()["open"] == 1, "the others to be over")
        assert gate.control(f"clear table in key {ONE}") == "Entry currently in use, cannot remove\n\n"
        assert gate.control(f"clear table in key {OTHER}") == "\n"
        assert set(entries(gate)) == {ONE, THIRD, "127.0.0.14"}
        assert gate.control("clear table in key 127.0.0.99") == "\n"
        assert gate.control("clear table in") == "\n"
        assert set(entries(gate)) == {ONE}
        assert is_let_in(gate, OTHER)
        assert entries(gate)[OTHER][1] == 1


def test_clearing_lets_a_source_begin_anew(mqgate, echo):
    gate = mqgate(limited(echo.port, {"rate_limit": 1}))
    let_in = 0
    for _ in range(5):
        let_in += is_let_in(gate)
        until(lambda: gate.listener_stats()["open"] == 0, "the session to end")
        gate.control("clear table in")
    assert let_in >= 5


def is_tracked(gate, ip):
    with proxied(gate, v2(ip)) as client:
        return says_hello(client) and ip in entries(gate, f"in key {ip}")


def waits_longest_for_health(gate, over):
    """Seconds, while over() is not."""
    longest = 0
    connection = http.client.HTTPConnection(*gate.address("admin"), timeout=DEADLINE_S)
    while not over():
        begun = time.monotonic()
        connection.request("GET", "/haproxy_health")
        assert connection.getresponse().read() is not None
        longest = max(longest, time.monotonic() - begun)
    connection.close()
    return longest


@pytest.mark.limit(180)
def test_100000_sources_cost_bounded_memory_and_hold_nobody_up(mqgate, echo):
    gate = mqgate(limited(echo.port, {"max_connections": 1}, proxied=True, log={"access": "off"}))
    n = 100000 // SLACK
    first = int(ipaddress.ip_address("10.0.0.0"))
    with proxied(gate, v2("192.0.2.1")) as held:
        assert says_hello(held)
        before = gate.pss_kib("Pss_Anon")
        for i in range(n):
            # from many addresses, so that ports do not run out
            proxied(gate, v2(str(ipaddress.ip_address(first + i * 7))), f"127.0.1.{i % 250 + 1}").close()
            if i % 5000 == 0:
                assert says_hello(held)  # the server does not wait for ever
        until(lambda: gate.listener_stats()["open"] == 1, "the sources to be gone")
        if SLACK == 1:  # sanitizers keep what was freed
            assert gate.pss_kib("Pss_Anon") - before < 8 * 1024
        with proxied(gate, v2("192.0.2.1")) as refused:
            assert ends(refused)[0] == "reset"
        assert denied(gate) == (1, 0)
        until(lambda: is_tracked(gate, "192.0.2.2"), "somebody to give way to a newcomer")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            asked = pool.submit(entries, gate)
            assert waits_longest_for_health(gate, asked.done) < 0.2 * SLACK
            assert "192.0.2.1" in asked.result()
            assert 1000 < len(asked.result()) <= 65536
        with gate.control_connect() as leaves:  # in the middle of the answer
            leaves.sendall(b"show table in\n")
        assert gate.control("clear table in") == "\n"
        assert gate.control("show table") == "# table: in, type: ip, size:65536, used:1\n\n"
        assert says_hello(held)
