"""log.format = "tcplog": what HAProxy writes, mqgate writes. Both go through the same cases, side by side."""
import contextlib
import datetime
import re
import signal
import socket
import ssl
import time

import pytest

import proxyproto as pp
from mqgate import DEADLINE_S, SLACK, conf, until
from pki import section
from servers import Greeter, HAProxy, Listener, ends, free_port, reset

# --- both proxies ----------------------------------------------------------------------------------------------------

SESSION = re.compile(
    r"(?P<client>\S+):(?P<port>\d+) \[(?P<date>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d\.\d{3})\] (?P<frontend>\S+) "
    r"(?P<backend>[^/ ]+)/(?P<server>\S+) (?P<wait>-1|\d+)/(?P<connect>-1|\d+)/(?P<total>\d+) (?P<bytes>\d+) "
    r"(?P<code>\S{2}) (?P<process_n>\d+)/(?P<frontend_n>\d+)/(?P<backend_n>\d+)/(?P<server_n>\d+)/"
    r"(?P<retries>\+?\d+) (?P<server_queue>\d+)/(?P<backend_queue>\d+)")
FAILURE = re.compile(r"(?P<client>\S+):(?P<port>\d+) \[(?P<date>[^]]+)\] (?P<frontend>[^/ ]+)/(?P<bind>\d+): (?P<what>.*)")
# What is not the same in two runs; of the times it is compared whether the point was reached.
VARYING = {"port", "date", "total"}


def parse(line):
    match = SESSION.fullmatch(line) or FAILURE.fullmatch(line)
    assert match, f"neither a session nor a failure: {line!r}"
    fields = match.groupdict()
    for time_of in ("wait", "connect"):
        if time_of in fields:
            fields[time_of] = "-1" if fields[time_of] == "-1" else "reached"
    return fields


class Proxy:
    """What a case asks of either. The frontend is "in", the backend "out" with servers "s0", "s1" at the ports given;
    a case says what else it needs in both languages."""

    def line_of(self, client):
        """The line of the connection from this address, awaited."""
        mark = "%s:%d [" % (client[:2] if isinstance(client, tuple) else client.getsockname()[:2])
        return until(lambda: next((line for line in self.lines() if line.startswith(mark)), None),
                     f"a line of {mark} in {self.lines()}")

    def line_with(self, text):
        return until(lambda: next((line for line in self.lines() if text in line), None), f"{text} in {self.lines()}")

    def settled(self):
        """No connection but the test's own is counted: HAProxy was asked for its port before."""

    @staticmethod
    def a_moment():
        """Nothing outside shows that a proxy has put a connection into its queue, or has begun to connect."""
        time.sleep(0.1)


class Mqgate(Proxy):
    def __init__(self, start, _directory, pki):
        self._start, self._pki, self.gate = start, pki, None

    def begin(self, ports, *, mqgate=None, tls=False, backup=None, **_):
        options = dict(mqgate or {})
        if tls:
            options["listener"] = {"tls": "edge", **options.get("listener", {})}
            options["tls"] = [section("edge", self._pki.leaf("one.test"))]
        log = {"format": "tcplog", **options.pop("log", {})}
        configuration = conf(ports, log=log, global_={"workers": 1}, **options)
        for server in configuration["backends"][0]["servers"]:
            server.update({"backup": True} if server["name"] == backup else {})
        self.gate = self._start(configuration)

    def connect(self):
        return self.gate.connect()

    def command(self, text):
        self.gate.control(text)

    def lines(self):
        return list(self.gate.log.raw)

    def end(self):
        self.gate.stop()


class Haproxy(Proxy):
    def __init__(self, start, directory, pki):
        self._start, self._directory, self._pki, self._process = start, directory, pki, None

    def begin(self, ports, *, haproxy="", frontend="", bind="", server="", tls=False, form="option tcplog",
              backup=None, **_):
        if tls:
            leaf = self._pki.leaf("one.test")
            both = self._directory / "both.pem"
            both.write_text(open(leaf.chain, encoding="ascii").read() + open(leaf.key, encoding="ascii").read(),
                            encoding="ascii")
            bind += f" ssl crt {both}"
        options = "".join(f" {line.strip()}\n" for line in f"{form};{haproxy}".split(";"))
        # Its first try goes to the first server too, and a lost try is followed by the next server.
        self._process = self._start(
            HAProxy, self._directory, " option abortonclose\n option redispatch 1\n retries 2\n"
            " timeout queue 5s\n timeout client-fin 30s\n timeout server-fin 30s\n balance first\n" + options
            + f"frontend in\n bind {{entry}} {bind}\n {frontend}\n default_backend out\nbackend out\n"
            + "".join(f" server s{n} 127.0.0.1:{port} {server} {'backup' if backup == f's{n}' else ''}\n"
                      for n, port in enumerate(ports))
            + "global\n stats socket unix@control level admin\n", "entry")
        self._asked = 1

    def connect(self):
        return socket.create_connection(("127.0.0.1", self._process.ports["entry"]), DEADLINE_S)

    def lines(self):
        """Without what it writes to standard error besides: "[WARNING] (PID) : text"."""
        return [line for line in self._process.log().splitlines() if not line.startswith("[")]

    def settled(self):
        until(lambda: len([line for line in self.lines() if SESSION.fullmatch(line) or FAILURE.fullmatch(line)])
              >= self._asked, "the end of the connection that asked for the port")

    def command(self, text):
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(str(self._directory / "control"))
            control.sendall(f"{text}\n".encode())
            ends(control)

    def soft_stop(self):
        self._process.signal(signal.SIGUSR1)

    def end(self):
        self._process.stop()


class Case:
    """One run of a case against one proxy."""

    def __init__(self, proxy, serve, pki):
        self.proxy, self._serve, self.pki = proxy, serve, pki

    def serve(self, kind, *args, **kwargs):
        return self._serve(kind, *args, **kwargs)

    def begin(self, *servers, **options):
        """Servers, or ports where nobody is."""
        self.proxy.begin([each if isinstance(each, int) else each.port for each in servers or [self.greeter()]],
                         **options)
        self.proxy.settled()

    def greeter(self):
        return self.serve(Greeter, "hello")

    def greeted(self):
        client = self.proxy.connect()
        assert client.recv(5) == b"hello"
        return client

    def relay(self, **options):
        """A session that has moved a byte each way, its client, and what the server accepted."""
        listener = self.serve(Listener)
        self.proxy.begin([listener.port], **options)
        if isinstance(self.proxy, Haproxy):
            listener.accept().close()
        self.proxy.settled()
        client = self.proxy.connect()
        server = listener.accept()
        client.sendall(b"123")
        server.sendall(b"12345")
        assert server.recv(3) == b"123" and client.recv(5) == b"12345"
        return client, server

    def handshake(self, client):
        return ssl.create_default_context(cafile=self.pki.ca).wrap_socket(client, server_hostname="one.test")


# --- sessions --------------------------------------------------------------------------------------------------------

def ended_by_client(case):
    client, server = case.relay()
    name = client.getsockname()
    client.close()
    assert ends(server) == ("eof", b"")
    server.close()
    return name


def ended_by_server(case):
    client, server = case.relay()
    name = client.getsockname()
    server.close()
    assert ends(client) == ("eof", b"")
    client.close()
    return name


def half_closed_by_client_and_then_ended(case):
    client, server = case.relay()
    client.shutdown(socket.SHUT_WR)
    assert ends(server) == ("eof", b"")
    server.sendall(b"more")
    server.close()
    assert ends(client) == ("eof", b"more")
    return client


def reset_by_client(case):
    client, server = case.relay()
    name = client.getsockname()
    reset(client)
    ends(server)
    server.close()
    return name


def reset_by_server(case):
    client, server = case.relay()
    reset(server)
    ends(client)
    return client


def idle(case):
    client, server = case.relay(mqgate={"timeouts": {"idle": "100ms"}}, haproxy="timeout client 100ms")
    ends(server)  # HAProxy waits for the server to follow
    server.close()
    ends(client)
    return client


def half_closed_by_client_for_too_long(case):
    client, _ = case.relay(mqgate={"timeouts": {"half_closed": "100ms"}}, haproxy="timeout server-fin 100ms;"
                           "timeout server 100ms; timeout client 5s")
    client.shutdown(socket.SHUT_WR)
    ends(client)
    return client


def half_closed_by_server_for_too_long(case):
    client, server = case.relay(mqgate={"timeouts": {"half_closed": "100ms"}}, haproxy="timeout client-fin 100ms;"
                                "timeout client 100ms; timeout server 5s")
    server.shutdown(socket.SHUT_WR)
    ends(client)
    return client


def killed(case):
    client, _ = case.relay()
    case.proxy.command("shutdown sessions server out/s0")
    ends(client)
    return client


def one_of_two(case):
    """The other one is counted everywhere."""
    case.begin()
    other = case.greeted()
    client = case.greeted()
    name = client.getsockname()
    client.close()
    case.proxy.line_of(name)
    other.close()
    return name


def no_server_is_up(case):
    check = {"type": "tcp", "interval": "50ms", "fast_interval": "50ms", "fall": 1, "rise": 1}
    case.begin(free_port(), mqgate={"backend": {"check": check}}, server="check inter 50 fall 1 rise 1")
    case.proxy.line_with("has no server available!")
    client = case.proxy.connect()
    ends(client)
    return client


def refused(case):
    case.begin(free_port(), mqgate={"backend": {"tries": 1}}, haproxy="retries 0")
    client = case.proxy.connect()
    ends(client)
    return client


def refused_by_all(case):
    case.begin(free_port(), free_port(), free_port(), mqgate={"backend": {"tries": 3}})
    client = case.proxy.connect()
    ends(client)
    return client


def refused_by_the_only_one(case):
    case.begin(free_port(), mqgate={"backend": {"tries": 2}}, haproxy="retries 1; timeout connect 100ms")
    client = case.proxy.connect()
    ends(client)
    return client


def refused_and_then_served(case):
    case.begin(free_port(), case.greeter(), mqgate={"backend": {"tries": 3}})
    client = case.greeted()
    name = client.getsockname()
    client.close()
    return name


@contextlib.contextmanager
def deaf_port():
    """Listens, and its queue is full: nobody gets an answer."""
    with contextlib.ExitStack() as stack:
        deaf = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(deaf.getsockname())
        yield deaf.getsockname()[1]


def connect_timed_out(case):
    with deaf_port() as port:
        case.begin(port, mqgate={"backend": {"tries": 1}, "timeouts": {"connect": "200ms"}},
                   haproxy="retries 0; timeout connect 200ms")
        client = case.proxy.connect()
        ends(client)
    return client


def given_up_while_connecting(case):
    with deaf_port() as port:
        case.begin(port, mqgate={"backend": {"tries": 1}}, haproxy="retries 0")
        client = case.proxy.connect()
        name = client.getsockname()
        case.proxy.a_moment()
        client.close()
        case.proxy.line_of(name)
    return name


QUEUE = {"mqgate": {"server": {"max_connections": 1}, "timeouts": {"queue": "300ms"}},
         "haproxy": "timeout queue 300ms", "server": "maxconn 1"}
PATIENT = {**QUEUE, "mqgate": {"server": {"max_connections": 1}}, "haproxy": "timeout queue 5s"}


def queued_for_too_long(case):
    case.begin(**QUEUE)
    with case.greeted():
        client = case.proxy.connect()
        ends(client)
        case.proxy.line_of(client)
    return client


def given_up_in_the_queue(case):
    case.begin(**PATIENT)
    with case.greeted():
        client = case.proxy.connect()
        name = client.getsockname()
        case.proxy.a_moment()
        client.close()
        case.proxy.line_of(name)
    return name


def reset_in_the_queue(case):
    case.begin(**PATIENT)
    with case.greeted():
        client = case.proxy.connect()
        name = client.getsockname()
        case.proxy.a_moment()
        reset(client)
        case.proxy.line_of(name)
    return name


def second_in_the_queue(case):
    case.begin(**PATIENT)
    served = case.greeted()
    first = case.proxy.connect()
    case.proxy.a_moment()
    second = case.proxy.connect()
    case.proxy.a_moment()
    served.close()
    assert first.recv(5) == b"hello"
    first.close()
    assert second.recv(5) == b"hello"
    name = second.getsockname()
    second.close()
    return name


PROXY_IN = {"mqgate": {"listener": {"proxy_protocol": "required", "proxy_from": ["127.0.0.0/8"]}},
            "bind": "accept-proxy"}


def behind_a_proxy(case):
    case.begin(**PROXY_IN)
    with case.proxy.connect() as client:
        client.sendall(pp.v1(("192.0.2.7", 7), ("192.0.2.8", 8)))
        assert client.recv(5) == b"hello"
    return "192.0.2.7", 7


def behind_a_proxy_with_ipv6(case):
    case.begin(**PROXY_IN)
    with case.proxy.connect() as client:
        client.sendall(pp.v1(("2001:db8::7", 7), ("2001:db8::8", 8)))
        assert client.recv(5) == b"hello"
    return "2001:db8::7", 7


def denied(case):
    case.begin(mqgate={"listener": {**PROXY_IN["mqgate"]["listener"], "deny": ["192.0.2.0/24"]}}, bind="accept-proxy",
               frontend="tcp-request content reject if {{ src 192.0.2.0/24 }}")
    with case.proxy.connect() as client:
        client.sendall(pp.v1(("192.0.2.7", 7), ("192.0.2.8", 8)))
        ends(client)
    return "192.0.2.7", 7


def tls(case):
    case.begin(tls=True)
    client = case.handshake(case.proxy.connect())
    name = client.getsockname()
    assert client.recv(5) == b"hello"
    client.close()
    return name


def server_handshake_failed(case):
    server = case.serve(NoTls)
    case.begin(server, mqgate={"backend": {"tries": 1}, "server": {"tls": "inner"},
                               "tls_client": [{"name": "inner", "ca": case.pki.ca}]},
               haproxy="retries 0", server="ssl verify none")
    client = case.proxy.connect()
    ends(client)
    return client


class NoTls(Greeter):
    def __init__(self, **options):
        super().__init__("this is no TLS record", **options)


# --- what fails before it is a session ---------------------------------------------------------------------------------

def says(text, *, fin=False, quiet_reset=False, **options):
    def play(case):
        case.begin(**options)
        client = case.proxy.connect()
        name = client.getsockname()
        with contextlib.suppress(OSError):
            client.sendall(text)
            if fin:
                client.shutdown(socket.SHUT_WR)
        if quiet_reset:
            reset(client)
        else:
            ends(client)
        return name
    return play


def named(name, play):
    play.__name__ = name
    return play


LATE_HANDSHAKE = {"tls": True, "mqgate": {"timeouts": {"handshake": "100ms"}}, "haproxy": "timeout client 100ms"}
LATE_HEADER = {**PROXY_IN, "mqgate": {**PROXY_IN["mqgate"], "timeouts": {"proxy_header": "100ms"}},
               "haproxy": "timeout client 100ms"}
FAILURES = [
    named("http_instead_of_tls", says(b"GET / HTTP/1.1\r\n\r\n", tls=True)),
    named("no_handshake_in_time", says(b"", **LATE_HANDSHAKE)),
    named("ended_before_the_handshake", says(b"", fin=True, tls=True)),
    named("reset_before_the_handshake", says(b"", quiet_reset=True, tls=True)),
    named("no_proxy_header", says(b"GET / HTTP/1.1\r\n\r\n", **PROXY_IN)),
    named("proxy_header_with_nonsense", says(b"PROXY nonsense\r\n", **PROXY_IN)),
    named("no_proxy_header_in_time", says(b"", **LATE_HEADER)),
    named("ended_before_the_proxy_header", says(b"", fin=True, **PROXY_IN)),
    named("reset_before_the_proxy_header", says(b"", quiet_reset=True, **PROXY_IN)),
]

CASES = [ended_by_client, ended_by_server, half_closed_by_client_and_then_ended, reset_by_client, reset_by_server, idle,
         killed, half_closed_by_client_for_too_long, half_closed_by_server_for_too_long, one_of_two, no_server_is_up, refused,
         refused_by_all, refused_by_the_only_one, refused_and_then_served, connect_timed_out,
         given_up_while_connecting, queued_for_too_long, given_up_in_the_queue, reset_in_the_queue,
         second_in_the_queue, behind_a_proxy, behind_a_proxy_with_ipv6, denied, tls, server_handshake_failed, *FAILURES]

# Where mqgate says something else: field, its value, HAProxy's.
ON_PURPOSE = {
    # HAProxy goes to the server tried last but one; mqgate to one that was not tried yet.
    "refused_by_all": {"server": ("s2", "s0")},
    # The letter of the phase it was in, as HAProxy's manual has it, and as it has it for a client that ends.
    "reset_in_the_queue": {"code": ("CQ", "CD")},
    # One text for every header that is none.
    "proxy_header_with_nonsense": {"what": (
        "Received something which does not look like a PROXY protocol header",
        "Received an unhandled protocol in the PROXY protocol header")},
}

# HAProxy says one thing or the other, as it comes to see the reset.
SOMETIMES = {"reset_before_the_handshake": {"what": ("SSL handshake failure", "Connection error during SSL handshake")}}


@pytest.fixture
def both(mqgate, serve, tmp_path, pki):
    """both(play) runs the case against mqgate and then against HAProxy; the two answers."""
    def run(play):
        answers = []
        for kind, start in ((Mqgate, mqgate), (Haproxy, serve)):
            (tmp_path / kind.__name__).mkdir(exist_ok=True)
            proxy = kind(start, tmp_path / kind.__name__, pki)
            answers.append(play(Case(proxy, serve, pki)))
            proxy.end()
        return answers
    return run


def differences(ours, theirs):
    return {name: (ours.get(name), theirs.get(name)) for name in {**ours, **theirs}
            if name not in VARYING and ours.get(name) != theirs.get(name)}


def line_of_its_client(play):
    def run(case):
        return case.proxy.line_of(play(case))
    return run


@pytest.mark.parametrize("play", CASES, ids=lambda play: play.__name__)
def test_both_proxies_write_the_same_line(both, play):
    lines = both(line_of_its_client(play))
    ours, theirs = (parse(line) for line in lines)
    different = differences(ours, theirs)
    assert different == ON_PURPOSE.get(play.__name__, {}) or different == SOMETIMES.get(play.__name__), lines
    for fields in (ours, theirs):
        accepted = datetime.datetime.strptime(fields["date"], "%d/%b/%Y:%H:%M:%S.%f")
        assert datetime.timedelta() <= datetime.datetime.now() - accepted < datetime.timedelta(minutes=2)


def waited_in_vain(play):
    """The times of a line as numbers: queue, connect, all."""
    def run(case):
        return [int(each) for each in case.proxy.line_of(play(case)).split(" ")[4].split("/")]
    return run


@pytest.mark.parametrize("play, at_least", [(queued_for_too_long, (300, -1, 300)), (connect_timed_out, (0, -1, 200)),
                                            (idle, (0, 0, 100))], ids=["queue", "connect", "idle"])
def test_times_are_the_same(both, play, at_least):
    for times in both(waited_in_vain(play)):
        assert all(least <= found < least + 100 * SLACK for found, least in zip(times, at_least)), times


# --- what else a session leaves ----------------------------------------------------------------------------------------

def begins_behind_a_proxy(case):
    """The line of the begin, and the address that it must name as the client's."""
    case.proxy.begin([case.greeter().port], mqgate={**PROXY_IN["mqgate"], "log": {"access": "start+end"}},
                     bind="accept-proxy", form="log global")
    with case.proxy.connect() as client:
        client.sendall(pp.v1(("2001:db8::7", 7), ("2001:db8::8", 8)))
        assert client.recv(5) == b"hello"
    return case.proxy.line_with("Connect from 2001:db8::7:7 ")


def test_the_begin_of_a_session_is_told_in_the_same_words(both):
    ours, theirs = both(begins_behind_a_proxy)
    assert ours == theirs == "Connect from 2001:db8::7:7 to 2001:db8::8:8 (in/TCP)"


def test_the_begin_names_the_address_that_was_connected_to(mqgate, serve):
    gate = mqgate(conf(serve(Greeter, "hello").port, log={"format": "tcplog", "access": "start+end"}))
    with gate.connect() as client:
        assert client.recv(5) == b"hello"
        gate.wait_log(text="Connect from %s:%d to %s:%d (in/TCP)" % (*client.getsockname(), *client.getpeername()))


def a_good_one_and_a_bad_one(case):
    """Client ports of the two sessions, and which of them have a line."""
    listener = case.serve(Listener)
    case.proxy.begin([listener.port], mqgate={"log": {"access": "errors"}}, form="option tcplog;option dontlog-normal")
    if isinstance(case.proxy, Haproxy):
        listener.accept().close()
    ports = []
    for end in (socket.socket.close, reset):
        client, server = case.proxy.connect(), listener.accept()
        ports.append(client.getsockname()[1])
        server.sendall(b"x")
        assert client.recv(1) == b"x"
        end(server)
        ends(client)
        client.close()
    bad = case.proxy.line_of(("127.0.0.1", ports[1]))
    return parse(bad)["code"], [port for port in ports if any(f":{port} " in line for line in case.proxy.lines())] == [
        ports[1]]


def test_normal_sessions_can_be_left_out_as_with_dontlog_normal(both):
    assert both(a_good_one_and_a_bad_one) == [("SD", True), ("SD", True)]


def test_a_sender_outside_proxy_from_is_told_of(mqgate, serve):
    """HAProxy has no such rule."""
    gate = mqgate(conf(serve(Greeter, "hello").port, log={"format": "tcplog"},
                       listener={"proxy_protocol": "required", "proxy_from": ["10.0.0.0/8"]}))
    with gate.connect() as client:
        name = client.getsockname()
        ends(client)
    line = until(lambda: next((each for each in gate.log.raw if f":{name[1]} [" in each), None))
    assert parse(line)["what"] == "PROXY protocol header refused, the sender is not in proxy_from"


def test_the_second_address_of_a_listener_is_bind_two(mqgate, serve, pki):
    gate = mqgate(conf(serve(Greeter, "hello").port, log={"format": "tcplog"}, tls=[section("edge", pki.leaf("one.test"))],
                       listener={"tls": "edge", "bind": ["127.0.0.1:0", "127.0.0.2:0"]}))
    host, port = gate.wait_log(2, event="listening", listener="in")["addr"].split(":")
    with socket.create_connection((host, int(port)), DEADLINE_S) as client:
        name = client.getsockname()
        client.sendall(b"no TLS")
        ends(client)
    line = until(lambda: next((each for each in gate.log.raw if f":{name[1]} [" in each), None))
    assert parse(line)["bind"] == "2"


def test_what_a_stop_cuts_is_killed_in_its_phase(mqgate, serve):
    """HAProxy says nothing of them. "D" is the relay, "Q" the queue, "R" one whose PROXY header has not come."""
    configuration = conf(serve(Greeter, "hello").port, log={"format": "tcplog"}, server={"max_connections": 1},
                         global_={"workers": 1})  # else the slot of the first may go to the second, just before its end
    configuration["listeners"].append({**configuration["listeners"][0], "name": "late", "proxy_protocol": "required",
                                       "proxy_from": ["127.0.0.0/8"]})
    gate = mqgate(configuration)
    with gate.connect() as served, gate.connect("late") as late:
        assert served.recv(5) == b"hello"
        with gate.connect() as queued:
            until(lambda: gate.listener_stats()["sessions"] == 2 and gate.listener_stats("late")["connections"] == 1)
            names = [each.getsockname() for each in (served, queued, late)]
            gate.stop()
    codes = [next(parse(line) for line in gate.log.raw if f":{port} [" in line) for _, port in names]
    assert [(each["backend"], each["server"], each["code"]) for each in codes] == [
        ("out", "s0", "KD"), ("out", "<NOSRV>", "KQ"), ("late", "<NOSRV>", "KR")]


# --- servers and proxies -----------------------------------------------------------------------------------------------

def unlike_each_time(line):
    return re.sub(r"duration: \d+ms", "duration: Nms", line)


def servers_come_and_go(case):
    """Two servers and a backup go down, and one comes up again."""
    servers = [case.greeter() for _ in range(3)]
    check = {"type": "tcp", "interval": "50ms", "fast_interval": "50ms", "fall": 1, "rise": 1}
    case.begin(*servers, server="check inter 50 fall 1 rise 1", mqgate={"backend": {"check": check}}, backup="s2")
    if isinstance(case.proxy, Mqgate):  # a server is UP for HAProxy before it has been asked
        for n in range(3):
            case.proxy.line_with(f"Server out/s{n} is UP")
    begun = len(case.proxy.lines())
    for n, server in enumerate(servers):
        server.kill()
        case.proxy.line_with(f"Server out/s{n} is DOWN")
    case.proxy.line_with("no server available")
    servers[0].revive()
    down = len(case.proxy.lines())
    until(lambda: any("s0 is UP" in line for line in case.proxy.lines()[down:]))
    return [unlike_each_time(line) for line in case.proxy.lines()[begun:] if "erver" in line and " [" not in line]


def test_servers_go_down_and_up_in_the_same_words(both):
    ours, theirs = both(servers_come_and_go)
    assert ours == theirs
    assert len(ours) == 5


ORDERS = ["disable server out/s0", "enable server out/s0", "set server out/s0 state drain", "set server out/s0 state ready",
          "set server out/s0 state drain", "disable server out/s0", "set server out/s0 state ready",
          "disable server out/s1", "enable server out/s1", "disable frontend in", "enable frontend in",
          "shutdown frontend in"]


def operated(case):
    """What each command of an operator leaves in the log."""
    case.begin(case.greeter(), case.greeter(), backup="s1")
    begun = len(case.proxy.lines())
    for n, order in enumerate(ORDERS):
        case.proxy.command(order)
        until(lambda: len(case.proxy.lines()) > begun + n, f"a line on {order}")  # pylint: disable=cell-var-from-loop
    return case.proxy.lines()[begun:begun + len(ORDERS)]


def test_an_operators_work_is_told_in_the_same_words(both):
    ours, theirs = both(operated)
    # HAProxy was asked for its port.
    assert ours == [re.sub("FE: 1,", "FE: 0,", line) for line in theirs]


def test_a_server_that_an_operator_calls_down_is_told_of(mqgate, serve):
    gate = mqgate(conf(serve(Greeter, "hello").port, log={"format": "tcplog"},
                       backend={"check": {"type": "tcp", "interval": "1h", "rise": 1}}))
    gate.wait_log(event="backend_up")
    gate.control("set server out/s0 health down")
    gate.wait_log(text="Server out/s0 is DOWN, changed from CLI. 0 active and 0 backup servers left. "
                       "0 sessions active, 0 requeued, 0 remaining in queue.")
    gate.control("disable health out/s0")
    gate.wait_log(event="server_admin", action="checks_off")


def test_the_code_of_an_answer_is_told(mqgate, serve):
    """HAProxy: "Layer7 wrong status, code: 500, info: "Internal Server Error"": the same places, mqgate's info."""
    answers = [b"HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n"]
    gate = mqgate(conf(serve(Answering, answers).port, log={"format": "tcplog"}, backend={"check": {
        "type": "http", "interval": "50ms", "fast_interval": "50ms", "fall": 1, "rise": 1}}))

    def told(text):
        return until(lambda: next((unlike_each_time(line) for line in gate.log.raw if text in line), None), text)
    assert told("is DOWN").startswith(
        'Server out/s0 is DOWN, reason: Layer7 wrong status, code: 500, info: "HTTP status 500, expected 200", '
        "check duration: Nms. 0 active and 0 backup servers left. ")
    answers[0] = answers[0].replace(b"500", b"200")
    assert told("is UP").startswith(
        'Server out/s0 is UP, reason: Layer7 check passed, code: 200, info: "HTTP status 200", check duration: Nms. '
        "1 active and 0 backup servers online. ")


class Answering(Greeter):
    """Gives the answer of the moment to whatever was asked."""

    def __init__(self, answers, **options):
        self.answers = answers
        super().__init__("", **options)

    def serve(self, sock):
        sock.recv(1000)
        sock.sendall(self.answers[0])


def served_two_and_stopped(case):
    case.begin()
    for _ in range(2):
        case.greeted().close()
    if isinstance(case.proxy, Mqgate):
        until(lambda: case.proxy.gate.listener_stats()["closed"] == 2)
    else:
        until(lambda: sum(bool(SESSION.fullmatch(line)) for line in case.proxy.lines()) == 3)
        case.proxy.soft_stop()
        case.proxy.line_with("Proxy out stopped")
    case.proxy.end()
    return [line for line in case.proxy.lines() if line.startswith("Proxy ") and "HTTPCLIENT" not in line]


def test_proxies_stop_in_the_same_words(both):
    ours, theirs = both(served_two_and_stopped)
    assert ours == ["Proxy in started.", "Proxy out started.",  # HAProxy says so before 2.2
                    "Proxy in stopped (cumulated conns: FE: 2, BE: 0).",
                    "Proxy out stopped (cumulated conns: FE: 0, BE: 2)."]
    one_more = [re.sub(r"\b2\b", "3", line) for line in ours[2:]]  # the one that asked for its port
    assert theirs == one_more


def test_other_events_are_words_and_fields(mqgate, serve):
    gate = mqgate(conf(serve(Greeter, "hello").port, log={"format": "tcplog"}))
    gate.process.send_signal(signal.SIGHUP)
    assert gate.wait_log(event="reloaded")["by"] == "signal"
    ready = next(line for line in gate.log.raw if line.startswith("ready "))
    assert re.match(r"ready version=\S+ node=\S+ pid=%d " % gate.pid, ready)


# --- syslog and those who read it ----------------------------------------------------------------------------------------

@pytest.fixture
def syslog():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(DEADLINE_S)
        yield sock


def to_syslog(case, syslog):
    """One of each kind: a session, a server that goes down and up, a soft stop. Severity and text."""
    port = syslog.getsockname()[1]
    listener = case.serve(Listener)
    check = {"type": "tcp", "interval": "50ms", "fast_interval": "50ms", "fall": 1, "rise": 1}
    case.proxy.begin([listener.port], server="check inter 50 fall 1 rise 1", mqgate={
        "log": {"to": ["stdout", f"syslog:udp://127.0.0.1:{port}"]}, "backend": {"check": check}},
        haproxy=f"log 127.0.0.1:{port} local0")
    listener.close()
    case.proxy.line_with("no server available")
    name = case.proxy.connect()
    ends(name)
    case.proxy.line_of(name)
    before = len(case.proxy.lines())
    case.serve(Listener, port=listener.port)
    until(lambda: any("is UP" in line for line in case.proxy.lines()[before:]))
    if isinstance(case.proxy, Haproxy):
        case.proxy.soft_stop()
        case.proxy.line_with("Proxy out stopped")
    case.proxy.end()
    found = {}
    while "Proxy out stopped" not in found:
        text = syslog.recv(65536).decode()
        match = re.fullmatch(r"<(\d+)>([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) (\w+)\[(\d+)\]: (.*?)\n?", text)
        assert match, text
        for kind in ("is DOWN", "no server available", "<NOSRV>", "is UP", "Proxy out stopped"):
            if kind in match[5]:
                found[kind] = int(match[1]) % 8
    return found


def test_syslog_is_told_the_same_severities(both, syslog):
    ours, theirs = both(lambda case: to_syslog(case, syslog))
    assert ours == theirs == {"is DOWN": 1, "no server available": 0, "<NOSRV>": 6, "is UP": 5, "Proxy out stopped": 4}


# What log pipelines look for, written anew from what they are known to accept. A syslog daemon adds the host's name.
STORED = r"[A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d [\w.-]+ [\w./-]+(?:\[\d+\])?: "
IP = r"(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f:]*:[0-9A-Fa-f:]+)"
DATE = r"\[\d{1,2}/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d\.\d+\]"
TCP = (rf"{IP}:\d+ {DATE} \S+ \S+/(?:<NOSRV>|\S+) (?:-1|\d+)/(?:-1|\d+)/\S+ \d+ \S+ \d+/\d+/\d+/\d+/[+-]?\d+ \d+/\d+")
PIPELINES = {
    "logstash HAPROXYTCP": STORED + TCP,
    "filebeat tcp": STORED + TCP,
    "filebeat connect": STORED + r".* (?:[\w.:-]+):\d+ \w+ [\w.:-]+:\d+ \(\w+/\w+\)",
    "filebeat error": STORED + rf"{IP}:\d+ {DATE} [^\s/]+/\S+ .*",
}


def test_log_pipelines_parse_what_syslog_gets(mqgate, serve, pki, syslog):
    configuration = conf(serve(Greeter, "hello").port, tls=[section("edge", pki.leaf("one.test"))], log={
        "format": "tcplog", "access": "start+end", "to": ["stdout", "syslog:udp://127.0.0.1:%d" % syslog.getsockname()[1]]})
    configuration["listeners"] += [{**configuration["listeners"][0], "name": "tls", "tls": "edge"},
                                   {**configuration["listeners"][0], "name": "none", "backend": "none"}]
    configuration["backends"].append({**configuration["backends"][0], "name": "none", "servers": [
        {"name": "n0", "address": f"127.0.0.1:{free_port()}"}, {"name": "n1", "address": f"127.0.0.1:{free_port()}"}],
        "tries": 2})
    gate = mqgate(configuration)
    clients = {}
    with gate.connect() as clients["in"]:
        assert clients["in"].recv(5) == b"hello"
        clients["in"] = clients["in"].getsockname()[1]
    for name in ("tls", "none"):
        with gate.connect(name) as client:
            clients[name] = client.getsockname()[1]
            with contextlib.suppress(OSError):
                client.sendall(b"no TLS")
            ends(client)
    lines = []
    while not all(any(f"127.0.0.1:{port} [" in line for line in lines) for port in clients.values()):
        lines.append(re.sub(r"^<\d+>(.{15}) ", r"\1 node1 ", syslog.recv(65536).decode()))

    def accepted(name):
        return [line for line in lines if re.match(PIPELINES[name] + "$", line)]
    assert len(accepted("logstash HAPROXYTCP")) == len(accepted("filebeat tcp")) == 2
    assert len(accepted("filebeat connect")) == 1
    assert [f":{clients['tls']} " in line for line in accepted("filebeat error") if " tls/1: " in line] == [True]
