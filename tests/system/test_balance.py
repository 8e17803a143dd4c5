"""Which server a session goes to, and how many a broker is asked to take at a time."""
import collections
import contextlib
import csv
import threading

import pytest

import proxyproto as pp
from mqgate import conf, until
from servers import Greeter, Listener, Mosquitto, Server, ends

CONNECT = bytes.fromhex("100f00044d5154540402003c0003") + b"abc"
CONNACK = bytes.fromhex("20020000")
DST = ("127.0.0.1", 1883)
FAST_CHECK = {"type": "tcp", "interval": "50ms", "fast_interval": "50ms", "fall": 1, "rise": 1}


@pytest.fixture
def farm(serve):
    """farm(3): servers that say "s0", "s1" and "s2"."""
    return lambda n: [serve(Greeter, f"s{i}") for i in range(n)]


def balanced(servers, how, of_each=(), backend=None, **kwargs):
    """of_each: what the options of each server are."""
    made = conf([server.port for server in servers], backend={"balance": how, **(backend or {})}, **kwargs)
    for options, more in zip(made["backends"][0]["servers"], of_each):
        options.update(more)
    return made


def whose(client):
    """The name of the server that it has reached; None: it was turned away."""
    with contextlib.suppress(ConnectionResetError):
        return client.recv(100).decode() or None
    return None


def visit(gate, source=None):
    with gate.connect(source=source) as client:
        return whose(client)


def visits(gate, n):
    return collections.Counter(visit(gate) for _ in range(n))


def open_at(gate, name):
    return gate.server_stats(name)["in_flight"]


def stat(gate, name="s0"):
    rows = csv.DictReader(gate.get("/haproxy_stats;csv")[2].decode()[2:].splitlines())
    return next(row for row in rows if (row["pxname"], row["svname"]) == ("out", name))


# --- turns and loads -------------------------------------------------------------------------------------------------

def test_roundrobin_takes_strict_turns_whichever_worker_takes_the_client(mqgate, farm):
    gate = mqgate(balanced(farm(3), "roundrobin", global_={"workers": 4}))
    assert [visit(gate) for _ in range(30)] == ["s0", "s1", "s2"] * 10


def test_roundrobin_goes_by_weight(mqgate, farm):
    gate = mqgate(balanced(farm(3), "roundrobin", [{"weight": 10}, {"weight": 30}, {"weight": 0}]))
    assert visits(gate, 80) == {"s0": 20, "s1": 60}
    assert gate.control("set weight out/s2 40") == "\n"
    assert 39 <= visits(gate, 80)["s2"] <= 41


def test_a_server_that_comes_back_takes_its_turns_and_no_more(mqgate, farm):
    servers = farm(3)
    gate = mqgate(balanced(servers, "roundrobin", backend={"check": FAST_CHECK}))
    for name in ("s0", "s1", "s2"):
        gate.wait_log(event="server_up", server=name)
    servers[1].kill()
    gate.wait_log(event="server_down", server="s1")
    assert visits(gate, 60) == {"s0": 30, "s2": 30}
    servers[1].revive()
    gate.wait_log(event="server_up", server="s1", count=2)
    assert 10 <= visits(gate, 30)["s1"] <= 11


def test_leastconn_fills_up_who_has_least(mqgate, farm):
    gate = mqgate(balanced(farm(3), "leastconn"))
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(gate.connect()) for _ in range(30)]
        names = [whose(client) for client in clients]
        assert collections.Counter(names) == {"s0": 10, "s1": 10, "s2": 10}
        for client in [client for client, name in zip(clients, names) if name == "s1"][:6]:
            client.close()
        until(lambda: open_at(gate, "s1") == 4, "six sessions to end")
        more = [stack.enter_context(gate.connect()) for _ in range(6)]
        assert [whose(client) for client in more] == ["s1"] * 6


def test_leastconn_goes_by_weight(mqgate, farm):
    gate = mqgate(balanced(farm(2), "leastconn", [{"weight": 50}, {"weight": 150}]))
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(gate.connect()) for _ in range(40)]
        assert collections.Counter(whose(client) for client in clients) == {"s0": 10, "s1": 30}


@pytest.mark.parametrize("how", ["roundrobin", "leastconn", "source", "client-id"])
def test_backups_are_used_in_their_order_when_all_others_are_gone(mqgate, farm, how):
    gate = mqgate(balanced(farm(4), how, [{}, {"backup": True}, {}, {"backup": True}]))
    sources = [f"127.0.0.{n}" for n in range(10, 26)]
    assert {visit(gate, source) for source in sources} == {"s0", "s2"}
    gate.control("disable server out/s0")
    assert {visit(gate, source) for source in sources} == {"s2"}
    gate.control("disable server out/s2")
    assert {visit(gate, source) for source in sources} == {"s1"}
    gate.control("disable server out/s1")
    assert {visit(gate, source) for source in sources} == {"s3"}
    gate.control("enable server out/s2")
    assert {visit(gate, source) for source in sources} == {"s2"}


@pytest.mark.parametrize("how", ["roundrobin", "leastconn", "source"])
def test_one_that_refuses_costs_a_try_and_no_client(mqgate, farm, how):
    servers = farm(3)
    servers[0].kill()
    gate = mqgate(balanced(servers, how))
    found = collections.Counter(visit(gate, f"127.0.0.{n}") for n in range(10, 40))
    assert set(found) == {"s1", "s2"} and found.total() == 30
    assert gate.stats()["backends"][0]["stat"]["wredis"] > 0


@pytest.mark.parametrize("how", ["roundrobin", "leastconn", "source", "client-id"])
def test_the_statistics_name_the_balance(mqgate, farm, how):
    gate = mqgate(balanced(farm(2), how))
    assert gate.stats()["backends"][0]["stat"]["algo"] == how


# --- the same server for the same client -----------------------------------------------------------------------------

def homes(gate, sources):
    return {source: visit(gate, source) for source in sources}


SOURCES = [f"127.0.{n // 200}.{n % 200 + 10}" for n in range(240)]


def test_a_source_goes_to_the_same_server_and_sources_are_spread(mqgate, farm):
    gate = mqgate(balanced(farm(3), "source"))
    first = homes(gate, SOURCES)
    assert homes(gate, SOURCES) == first
    assert all(55 < n < 105 for n in collections.Counter(first.values()).values())


def test_only_those_of_a_server_that_goes_down_move_and_they_come_home(mqgate, farm):
    gate = mqgate(balanced(farm(3), "source"))
    before = homes(gate, SOURCES)
    gate.control("disable server out/s1")
    meanwhile = homes(gate, SOURCES)
    moved = collections.Counter(meanwhile[source] for source in SOURCES if before[source] == "s1")
    assert all(before[source] in ("s1", meanwhile[source]) for source in SOURCES)
    assert set(moved) == {"s0", "s2"}
    gate.control("enable server out/s1")
    assert homes(gate, SOURCES) == before


def test_a_server_that_is_added_takes_its_share_and_order_does_not_matter(mqgate, farm):
    servers = farm(4)
    before = homes(mqgate(balanced(servers[:3], "source")), SOURCES)
    more = balanced(servers, "source")
    more["backends"][0]["servers"].reverse()
    after = homes(mqgate(more), SOURCES)
    assert all(after[source] in (before[source], "s3") for source in SOURCES)
    assert 35 < list(after.values()).count("s3") < 85


def test_the_client_of_a_proxy_header_is_the_source(mqgate, farm):
    listener = {"proxy_protocol": "required", "proxy_from": ["127.0.0.0/8"]}
    gate = mqgate(balanced(farm(3), "source", listener=listener))

    def home(ip, port, family="4"):
        src, dst = ((ip, port), DST) if family == "4" else ((f"::ffff:{ip}", port), ("::1", 1883))
        with gate.connect() as client:
            client.sendall(pp.v2(src, dst))
            return whose(client)

    ips = [f"192.0.2.{n}" for n in range(40)]
    first = {ip: home(ip, 4000) for ip in ips}
    assert set(first.values()) == {"s0", "s1", "s2"}
    assert {ip: home(ip, 5000) for ip in ips} == first
    assert {ip: home(ip, 4000, "6") for ip in ips} == first


def one_of(gate, name):
    """A source whose home this server is."""
    return next(source for source in SOURCES if visit(gate, source) == name)


def test_who_waits_for_its_own_server_holds_up_nobody_else(mqgate, farm):
    gate = mqgate(balanced(farm(2), "source", [{"max_connections": 1}, {}], timeouts={"queue": "300ms"}))
    here, there = one_of(gate, "s0"), one_of(gate, "s1")
    until(lambda: open_at(gate, "s0") == 0, "the first to leave")
    with gate.connect(source=here) as holder:
        assert whose(holder) == "s0"
        with gate.connect(source=here) as waiting:
            until(lambda: gate.stats()["backends"][0]["waiting"] == 1, "it to wait")
            assert visit(gate, there) == "s1"
            assert ends(waiting)[1] == b""
    gate.wait_end(why="queue_timeout")
    until(lambda: open_at(gate, "s0") == 0, "the holder to leave")
    assert visit(gate, here) == "s0"


def test_who_waits_is_next_when_its_server_has_room(mqgate, farm):
    gate = mqgate(balanced(farm(2), "source", [{"max_connections": 1}, {"max_connections": 1}]))
    here = one_of(gate, "s0")
    until(lambda: open_at(gate, "s0") == 0, "the first to leave")
    with gate.connect(source=here) as holder:
        assert whose(holder) == "s0"
        with gate.connect(source=here) as waiting:
            until(lambda: gate.stats()["backends"][0]["waiting"] == 1, "it to wait")
            holder.close()
            assert whose(waiting) == "s0"


def test_those_who_wait_for_a_server_that_goes_down_move_on(mqgate, farm):
    gate = mqgate(balanced(farm(2), "source", [{"max_connections": 1}, {}]))
    here = one_of(gate, "s0")
    until(lambda: open_at(gate, "s0") == 0, "the first to leave")
    with contextlib.ExitStack() as stack:
        assert whose(stack.enter_context(gate.connect(source=here))) == "s0"
        waiting = [stack.enter_context(gate.connect(source=here)) for _ in range(5)]
        until(lambda: gate.stats()["backends"][0]["waiting"] == 5, "them to wait")
        gate.control("disable server out/s0")
        assert [whose(client) for client in waiting] == ["s1"] * 5


def test_those_who_wait_elsewhere_go_home_when_their_server_is_back(mqgate, farm):
    gate = mqgate(balanced(farm(2), "source", [{}, {"max_connections": 1}], global_={"workers": 1}))
    here, there = one_of(gate, "s0"), one_of(gate, "s1")
    until(lambda: open_at(gate, "s1") == 0, "the first to leave")
    gate.control("disable server out/s0")
    with contextlib.ExitStack() as stack:
        assert whose(stack.enter_context(gate.connect(source=there))) == "s1"
        first = stack.enter_context(gate.connect(source=there))  # its home is where it waits
        until(lambda: gate.stats()["backends"][0]["waiting"] == 1, "it to wait")
        behind = [stack.enter_context(gate.connect(source=here)) for _ in range(3)]
        until(lambda: gate.stats()["backends"][0]["waiting"] == 4, "them to wait")
        gate.control("enable server out/s0")
        assert [whose(client) for client in behind] == ["s0"] * 3
        assert gate.stats()["backends"][0]["waiting"] == 1
        first.close()


class NamedBroker(Greeter):
    """Answers a CONNECT, and publishes its name."""

    def serve(self, sock):
        assert sock.recv(1000)
        sock.sendall(CONNACK + bytes([0x30, 2 + len(self.name), 0, len(self.name)]) + self.name)
        while sock.recv(1000):
            pass


def connect_as(client_id):
    payload = bytes.fromhex("00044d5154540402003c") + bytes([0, len(client_id)]) + client_id.encode()
    return bytes([0x10, len(payload)]) + payload


def home_of_id(gate, client_id, source):
    with gate.connect(source=source) as client:
        client.sendall(connect_as(client_id))
        answer = b""
        while len(answer) < 10:
            answer += client.recv(100)
        return answer[8:].decode()


def test_a_client_id_goes_to_the_same_server_from_wherever_it_comes(mqgate, serve):
    brokers = [serve(NamedBroker, f"s{n}") for n in range(3)]
    gate = mqgate(balanced(brokers, "client-id", listener={"protocol": "mqtt"}))
    ids = [f"client-{n}" for n in range(60)]
    first = {each: home_of_id(gate, each, "127.0.0.10") for each in ids}
    assert set(first.values()) == {"s0", "s1", "s2"}
    assert {each: home_of_id(gate, each, "127.0.0.11") for each in ids} == first
    gate.control("disable server out/s2")
    meanwhile = {each: home_of_id(gate, each, "127.0.0.10") for each in ids}
    assert all(first[each] in ("s2", meanwhile[each]) for each in ids)
    gate.control("enable server out/s2")
    assert {each: home_of_id(gate, each, "127.0.0.10") for each in ids} == first
    assert {home_of_id(gate, "", "127.0.0.10") for _ in range(10)} == {home_of_id(gate, "", "127.0.0.10")}
    assert {home_of_id(gate, "", source) for source in SOURCES[:40]} == {"s0", "s1", "s2"}


def test_where_no_connect_is_read_client_id_goes_by_the_address(mqgate, farm):
    servers = farm(3)
    by_id, by_source = mqgate(balanced(servers, "client-id")), mqgate(balanced(servers, "source"))
    assert homes(by_id, SOURCES[:40]) == homes(by_source, SOURCES[:40])


# --- max_pending -----------------------------------------------------------------------------------------------------

class SlowBroker(Server):
    """Answers a CONNECT when it is told to."""

    def __init__(self):
        self.unanswered, self.most, self.asked = 0, 0, 0
        self._lock = threading.Lock()
        self._answers = threading.Semaphore(0)
        super().__init__()

    def serve(self, sock):
        assert sock.recv(1000) == CONNECT
        self._count(1)
        self._answers.acquire()
        self._count(-1)
        sock.sendall(CONNACK)
        while sock.recv(1000):
            pass

    def _count(self, by):
        with self._lock:
            self.unanswered += by
            self.asked += by > 0
            self.most = max(self.most, self.unanswered)

    def answer(self, n=1):
        self._answers.release(n)

    def close(self):
        self.answer(1000)
        super().close()


def connecting(gate):
    client = gate.connect()
    client.sendall(CONNECT)
    return client


@pytest.mark.parametrize("protocol", ["tcp", "mqtt"])
def test_a_broker_is_never_asked_more_than_it_may_owe_and_all_come_in(mqgate, serve, protocol):
    broker = serve(SlowBroker)
    gate = mqgate(conf(broker.port, server={"max_pending": 3}, listener={"protocol": protocol}))
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connecting(gate)) for _ in range(20)]
        until(lambda: gate.stats()["backends"][0]["waiting"] == 17, "17 to wait")
        until(lambda: broker.unanswered == 3, "three to ask")
        row = stat(gate)
        assert (row["mqgate_pending"], row["scur"]) == ("3", "3")
        assert stat(gate, "BACKEND")["qcur"] == "17"
        assert 'mqgate_server_pending_connects{proxy="out",server="s0"} 3\n' in gate.get("/metrics")[2].decode()
        for n in range(4, 21):
            broker.answer()
            until(lambda n=n: broker.asked == n, "the next to ask")
        broker.answer(3)
        assert [client.recv(100) for client in clients] == [CONNACK] * 20
        assert broker.most == 3
        assert (stat(gate)["mqgate_pending"], stat(gate)["scur"]) == ("0", "20")
    until(lambda: open_at(gate, "s0") == 0, "all to leave")


def test_a_client_that_leaves_before_the_answer_makes_room(mqgate, serve):
    broker = serve(SlowBroker)
    gate = mqgate(conf(broker.port, server={"max_pending": 1}))
    with connecting(gate) as first, connecting(gate):
        until(lambda: gate.stats()["backends"][0]["waiting"] == 1, "one to wait")
        until(lambda: broker.asked == 1, "the first to ask")
        first.close()
        broker.answer()  # so that it finds out
        until(lambda: broker.asked == 2, "the second to ask")
        broker.answer()
    until(lambda: stat(gate)["mqgate_pending"] == "0", "nobody to be pending")


def test_who_waits_too_long_for_a_broker_that_answers_nobody_is_turned_away(mqgate, serve):
    broker = serve(SlowBroker)
    gate = mqgate(conf(broker.port, server={"max_pending": 2}, timeouts={"queue": "200ms"}))
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connecting(gate)) for _ in range(5)]
        gate.wait_end(count=3, why="queue_timeout")
        assert sum(client.fileno() >= 0 for client in clients) == 5
        assert broker.asked == 2
        assert gate.health() == 200


def test_a_server_that_cannot_be_reached_owes_no_answer(mqgate, serve):
    with Listener() as gone:
        port = gone.port
    gate = mqgate(conf(port, server={"max_pending": 1}, backend={"tries": 2}))
    for _ in range(3):
        with gate.connect() as client:
            assert ends(client)[1] == b""
    assert stat(gate)["mqgate_pending"] == "0"


def test_pending_places_are_shared_out_by_the_balance(mqgate, serve):
    brokers = [serve(SlowBroker) for _ in range(3)]
    gate = mqgate(balanced(brokers, "leastconn", [{"max_pending": 1}, {"max_pending": 2}, {"max_pending": 3}]))
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connecting(gate)) for _ in range(30)]
        until(lambda: [broker.unanswered for broker in brokers] == [1, 2, 3], "six to ask")
        until(lambda: gate.stats()["backends"][0]["waiting"] == 24, "the others to wait")
        for broker in brokers:
            broker.answer(30)
        assert [client.recv(100) for client in clients] == [CONNACK] * 30
        assert [broker.most for broker in brokers] == [1, 2, 3]


# --- brokers ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("how", ["leastconn", "roundrobin"])
def test_a_storm_on_three_brokers_is_shared_and_all_come_in(mqgate, serve, tmp_path, how):
    brokers = []
    for n in range(3):
        directory = tmp_path / f"broker{n}"
        directory.mkdir()
        brokers.append(serve(Mosquitto, directory))
    gate = mqgate(balanced(brokers, how, [{"max_pending": 2}] * 3, listener={"protocol": "mqtt"}))
    with contextlib.ExitStack() as stack:
        clients = []
        for n in range(90):
            client = stack.enter_context(gate.connect())
            client.sendall(CONNECT[:-3] + f"{n:03}".encode())
            clients.append(client)
        assert [client.recv(100) for client in clients] == [CONNACK] * 90
        shares = [open_at(gate, f"s{n}") for n in range(3)]
        assert sum(shares) == 90 and min(shares) > 0  # a broker that answers sooner is asked sooner again
