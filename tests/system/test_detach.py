"""TLS sessions that have left OpenSSL's connection object behind: every kind of client, every suite, every end."""
import contextlib
import os
import pathlib
import re
import select
import shutil
import socket
import ssl
import subprocess
import threading

import pytest

from mqgate import DEADLINE_S, SANITIZER, conf, pattern, until
from pki import section
from servers import Echo, Listener, Server, ends
from tls_peer import VERSIONS, Peer, carriers, context_for

CLIENTS = pathlib.Path(__file__).resolve().parent / "tls_clients"
SUITES_1_3 = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
SUITES_1_2 = [f"ECDHE-{key}-{cipher}" for key in ("ECDSA", "RSA")
              for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")]


@pytest.fixture
def edge(mqgate, pki):
    """edge(server, options) starts a gate that ends TLS before this server."""
    def start(server, workers=2, **options):
        identities = pki.leaf("one.test"), pki.leaf("one.test", "rsa")
        return mqgate(conf(server.port, listener={"tls": "edge"}, tls=[section("edge", *identities, **options)],
                           global_={"workers": workers}))
    return start


def swap(sock, data):
    """data both ways at once through an echo server: what came back. By one thread: Python's TLS sockets take no two."""
    rest, back, waiter = memoryview(data), bytearray(), select.poll()
    sock.setblocking(False)
    while len(back) < len(data):
        waiter.register(sock, select.POLLIN | (select.POLLOUT if rest else 0))
        waiter.poll(0 if sock.pending() else DEADLINE_S * 1000)
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            while rest:
                rest = rest[sock.send(rest[:60000]):]
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            while piece := sock.recv(65536):
                back += piece
            raise AssertionError(f"ended after {len(back)} of {len(data)}")
    sock.settimeout(DEADLINE_S)
    return bytes(back)


# --- suites, sizes, readers ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("version, suite",
                         [("1.3", suite) for suite in SUITES_1_3] + [("1.2", suite) for suite in SUITES_1_2])
def test_every_suite_carries_megabytes_both_ways(edge, serve, pki, version, suite):
    options = {"ciphersuites": suite} if version == "1.3" else {"ciphers": suite}
    gate = edge(serve(Echo), **options)
    data = pattern(3 << 20, suite)
    with gate.connect() as plain:
        with context_for(pki, version, suite if version == "1.2" else None).wrap_socket(
                plain, server_hostname="one.test") as client:
            assert client.cipher()[0] == suite
            until(lambda: carriers(gate) == {"detached": 1}, "the session to be detached")
            assert swap(client, data) == data
    end = gate.wait_end()
    assert (end["tls"], end["cipher"], end["sni"]) == (f"TLSv{version}", suite, "one.test")
    assert int(end["in"]) == int(end["out"]) == len(data)
    until(lambda: carriers(gate) == {}, "the session to be over")


@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-CCM", "TLS_AES_128_CCM_SHA256"])
def test_other_suites_stay_with_openssl_and_are_counted(edge, serve, suite):
    is_1_3 = suite.startswith("TLS_")
    gate = edge(serve(Echo), **{"ciphersuites" if is_1_3 else "ciphers": suite})
    options = ["-tls1_3", "-ciphersuites", suite] if is_1_3 else ["-tls1_2", "-cipher", suite]
    host, port = gate.address()
    with subprocess.Popen(["openssl", "s_client", "-quiet", "-connect", f"{host}:{port}", *options],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as client:
        client.stdin.write(b"hello\n")
        client.stdin.flush()
        assert client.stdout.readline() == b"hello\n"
        assert carriers(gate) == {"kept_suite": 1}
        client.kill()


def test_detach_may_be_turned_off(edge, serve, pki):
    gate = edge(serve(Echo), detach=False)
    data = pattern(1 << 20, "off")
    with context_for(pki, "1.3").wrap_socket(gate.connect(), server_hostname="one.test") as client:
        until(lambda: carriers(gate) == {"kept_option": 1}, "the session to be counted")
        assert swap(client, data) == data


@pytest.mark.parametrize("version", VERSIONS)
def test_slow_readers_lose_nothing(edge, serve, pki, version):
    """More than all buffers hold goes one way, and is read in odd pieces once nothing moves any more; then the other."""
    server = serve(Listener, receive_buffer=4096)
    gate = edge(server)
    data = pattern(32 << 20, version)
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.settimeout(DEADLINE_S)
    plain.connect(gate.address())
    with context_for(pki, version).wrap_socket(plain, server_hostname="one.test") as client:
        with server.accept() as accepted:
            for sender, receiver in ((client, accepted), (accepted, client)):
                thread = threading.Thread(target=sender.sendall, args=(data,))
                thread.start()
                until(lambda s=sender: not select.select([], [s], [], 0.2)[1], "the way to be full")
                received, size = bytearray(), 1
                while len(received) < len(data):
                    received += receiver.recv(size)
                    size = size * 7 % 60013 + 1
                thread.join()
                assert received == data


# --- whoever may come ------------------------------------------------------------------------------------------------

SCRIPTS = {"node": ("node", "node.js"), "erlang": ("escript", "erlang.escript")}
C_LIBRARIES = {"mbedtls": ["mbedtls", "mbedx509", "mbedcrypto"], "wolfssl": ["wolfssl"], "bearssl": ["bearssl"],
               "early": ["ssl", "crypto"]}


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    """compiled(name) is the client of that name, built."""
    directory = tmp_path_factory.mktemp("tls_clients")

    def cargo(name):
        """It writes beside its source, and takes its libraries from where Debian puts them."""
        source = directory / "source"
        shutil.copytree(CLIENTS / name, source)
        return ["cargo", "build", "--offline", "--manifest-path", source / "Cargo.toml", "--config",
                'source.crates-io.replace-with="debian"', "--config",
                'source.debian.directory="/usr/share/cargo/registry"', "--target-dir", directory / "target"]

    def build(name):
        if name in SCRIPTS:
            return [SCRIPTS[name][0], CLIENTS / SCRIPTS[name][1]]
        program = directory / "target" / "debug" / "rustls-client" if name == "rustls" else directory / name
        if not program.exists():
            if name == "rustls":
                command = cargo(name)
            elif name == "go":
                command = ["go", "build", "-o", program, CLIENTS / "go.go"]
            else:
                command = ["gcc", "-o", program, CLIENTS / f"{name}.c", *(f"-l{each}" for each in C_LIBRARIES[name])]
            environment = {**os.environ, "GOCACHE": str(directory / "go-cache"), "GOFLAGS": "-mod=mod"}
            subprocess.run(command, check=True, capture_output=True, env=environment)
        return [program]
    return build


def converse(gate, pki, command, version):
    """200 messages each way, and the end: its line in the log."""
    host, port = gate.address()
    done = subprocess.run([*command, host, str(port), pki.ca, "one.test", version, "200"], timeout=DEADLINE_S,
                          capture_output=True, text=True, check=False)
    assert done.stdout == "the same\n", done.stdout + done.stderr
    end = gate.wait_log(event="session_end", why="client_closed", tls=f"TLSv{version}")
    assert end["in"] == end["out"]
    return end


@pytest.mark.limit(600)
@pytest.mark.parametrize("name, version", [("node", "1.2"), ("node", "1.3"), ("go", "1.2"), ("go", "1.3"),
                                           ("rustls", "1.2"), ("rustls", "1.3"), ("erlang", "1.2"),
                                           ("erlang", "1.3"), ("mbedtls", "1.2"),
                                           ("bearssl", "1.2"), ("wolfssl", "1.2"), ("wolfssl", "1.3")])
def test_other_libraries_converse(edge, serve, pki, compiled, name, version):
    gate = edge(serve(Echo))
    assert int(converse(gate, pki, compiled(name), version)["in"]) > 2000000


def test_early_data_is_skipped(edge, serve, pki, compiled):
    """And the session that it came with goes on, detached like any other."""
    gate = edge(serve(Echo))
    converse(gate, pki, compiled("early"), "1.3")
    first, second = (gate.wait_end(count) for count in (1, 2))
    assert first["in"] == first["out"] and second["in"] == second["out"] and int(second["in"]) > 2000000
    assert re.search(r"^listener in .* handshakes=2 resumed=1 failed=0", gate.control("show tls"), re.M)


def piped(command, messages):
    """A client that speaks from its input to its output hears each message back before it says the next."""
    with subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as client:
        try:
            heard = b""
            for message in messages:
                client.stdin.write(message)
                client.stdin.flush()
                while message not in heard:
                    assert select.select([client.stdout], [], [], DEADLINE_S)[0], heard[-1000:]
                    piece = os.read(client.stdout.fileno(), 65536)
                    assert piece, heard[-1000:]
                    heard += piece
                heard = heard[heard.index(message) + len(message):]
        finally:
            client.kill()


@pytest.mark.parametrize("name, version", [(name, version) for name in ("openssl", "gnutls", "nss")
                                           for version in VERSIONS] + [("botan", "1.2")])
def test_the_command_line_clients_converse(edge, serve, pki, name, version):
    gate = edge(serve(Echo))
    host, port = gate.address()
    messages = [b"".join(b"line %d of message %d\n" % (n, size) for n in range(size)) for size in range(1, 150)]
    command = {"openssl": ["openssl", "s_client", "-quiet", "-connect", f"{host}:{port}",
                           f"-tls1_{version[-1]}"],
               "gnutls": ["gnutls-cli", "--logfile=/dev/null", "--x509cafile", pki.ca, "--verify-hostname", "one.test",
                          "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}", "-p", port, host],
               "nss": ["tstclnt", "-h", host, "-p", port, "-a", "one.test", "-D", "-o", "-V",
                       f"tls{version}:tls{version}"],
               "botan": ["stdbuf", "-o0", "botan", "tls_client", host, f"--port={port}", "--skip-system-cert-store",
                         f"--trusted-cas={pki.ca}"]}[name]
    piped(command, messages)
    assert gate.wait_end()["tls"] == f"TLSv{version}"


@pytest.mark.parametrize("name, done, commands", [("openssl", b"KEYUPDATE", (b"k\n", b"K\n")),
                                                  ("gnutls", b"Rekey was completed", (b"^rekey1^\n", b"^rekey^\n"))])
def test_clients_renew_keys_as_often_as_they_like(edge, serve, pki, name, done, commands):
    """The first command: its own key; the second: both. GnuTLS bears no more than eight answers a second."""
    gate = edge(serve(Echo))
    host, port = gate.address()
    command = {"openssl": ["openssl", "s_client", "-connect", f"{host}:{port}", "-tls1_3"],
               "gnutls": ["gnutls-cli", "--inline-commands", "--x509cafile", pki.ca, "--verify-hostname", "one.test",
                          "--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.3", "-p", str(port), host]}[name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as client:
        def say(text):
            client.stdin.write(text)
            client.stdin.flush()

        def hear(text):
            heard = []
            for line in client.stdout:
                heard.append(line)
                if text in line:
                    return
            raise AssertionError(f"no {text} in {heard}")

        for n in range(16):
            say(commands[n % 2])
            hear(done)
            text = b"message %d\n" % n
            say(text)
            hear(text)
        assert carriers(gate) == {"detached": 1}
        client.kill()


# --- ends ------------------------------------------------------------------------------------------------------------

@pytest.fixture
def pair(edge, serve, pki):
    """pair(version): a client, and the server that the gate has connected it to."""
    peers = []

    def join(version):
        server = serve(Listener)
        gate = edge(server)
        context = context_for(pki, version)
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        peer = Peer(gate, context)
        peers.append(peer)
        return gate, peer, server.accept()
    yield join
    for peer in peers:
        peer.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_the_server_ends_first(pair, version):
    gate, client, server = pair(version)
    server.sendall(b"the end")
    server.shutdown(socket.SHUT_WR)
    assert client.read() == b"the end"
    assert client.read() == b""
    client.write(b"late")
    assert server.recv(100) == b"late"
    client.close_notify()
    assert server.recv(100) == b""
    server.close()
    assert gate.wait_end()["why"] == "server_closed"


@pytest.mark.parametrize("version", VERSIONS)
def test_an_end_that_comes_with_the_last_data_is_passed_on(pair, version):
    """In one segment, by a client that stays to hear ours."""
    _, client, server = pair(version)
    client._tls.write(b"the end")
    with contextlib.suppress(ssl.SSLWantReadError):
        client._tls.unwrap()
    client._flush()
    assert server.recv(100) == b"the end"
    assert server.recv(100) == b""


@pytest.mark.parametrize("with_notify", [True, False], ids=["close_notify", "fin_alone"])
@pytest.mark.parametrize("version", VERSIONS)
def test_the_client_ends_first(pair, version, with_notify):
    gate, client, server = pair(version)
    client.write(b"the end")
    if with_notify:
        client.close_notify()
    else:
        client.sock.shutdown(socket.SHUT_WR)
    assert ends(server) == ("eof", b"the end")
    server.sendall(b"late")
    server.close()
    assert client.read() == b"late"
    assert client.read() == b""
    assert gate.wait_end()["why"] == "client_closed"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_forged_record_ends_the_session_with_an_alert(pair, version):
    gate, client, server = pair(version)
    client.write(b"good")
    assert server.recv(100) == b"good"
    client.sock.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
    assert ends(server) == ("eof", b"")
    with pytest.raises(ssl.SSLError, match="BAD_RECORD_MAC"):
        client.read()
    end = gate.wait_end(why="client_tls_error")
    assert end["detail"] == "decryption failed or bad record mac"
    server.close()


# --- what it is for --------------------------------------------------------------------------------------------------

@pytest.mark.skipif(SANITIZER is not None, reason="a sanitizer keeps memory of its own")
@pytest.mark.parametrize("version", VERSIONS)
def test_an_idle_session_is_small_even_after_traffic(edge, serve, pki, version):
    gate = edge(serve(Echo), workers=1)
    context = context_for(pki, version)
    data = pattern(50000, "idle")

    def hold(n):
        held = []
        for _ in range(n):
            client = context.wrap_socket(gate.connect(), server_hostname="one.test")
            assert swap(client, data) == data
            held.append(client)
        return held

    first = hold(50)  # pays for what all share
    before = gate.pss_kib("Pss_Anon")
    more = hold(2000)  # what the heap has in holes does not grow with them
    per_session = lambda: (gate.pss_kib("Pss_Anon") - before) * 1024 / len(more)  # noqa: E731
    assert carriers(gate) == {"detached": 2050}
    until(lambda: per_session() < 1.2 * 1024, "what was busy to be idle")  # OpenSSL's object takes 14 KB
    for client in first + more:
        client.close()


class SlowHandshake:
    """A client that says hello, and goes on when it is told to."""

    def __init__(self, sock, context):
        self.sock, self._in, self._out = sock, ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname="one.test")
        self._try()

    def _try(self):
        """Whether it is done."""
        done = False
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()
            done = True
        self.sock.sendall(self._out.read())
        return done

    def finish(self):
        while not self._try():
            self._in.write(self.sock.recv(65536))


@pytest.mark.skipif(SANITIZER is not None, reason="a sanitizer keeps memory of its own")
def test_handshakes_of_many_at_once_leave_little_behind(edge, serve, pki):
    """As when all come back after a broker's restart."""
    gate, n = edge(serve(Echo), workers=1), 500
    context = context_for(pki, "1.3")
    before = gate.pss_kib("Pss_Anon")
    clients = [SlowHandshake(gate.connect(), context) for _ in range(n)]
    until(lambda: gate.control("show sess").count("state=handshake") == n, "all to be in their handshakes")
    for client in clients:
        client.finish()
    until(lambda: carriers(gate) == {"detached": n}, "all to be done")
    # OpenSSL needs 40 KiB for each, which malloc() would keep; and what the first handshakes pay for all is in it.
    until(lambda: gate.pss_kib("Pss_Anon") - before < n * 5, "the memory to be given back")
    for client in clients:
        client.sock.close()


class Late(Server):
    """Reads nothing until it is told to."""

    def __init__(self):
        self.reads = threading.Event()
        super().__init__()

    def serve(self, sock):
        self.reads.wait(DEADLINE_S)
        while sock.recv(65536):
            pass


@pytest.mark.skipif(SANITIZER is not None, reason="a sanitizer keeps memory of its own")
@pytest.mark.parametrize("version", VERSIONS)
def test_sessions_that_were_all_busy_at_once_are_small_again(edge, serve, pki, version):
    n, chunk = 60, bytes(1 << 16)
    server = serve(Late)
    gate = edge(server, workers=1)
    context = context_for(pki, version)
    clients = [context.wrap_socket(gate.connect(), server_hostname="one.test") for _ in range(n)]
    until(lambda: carriers(gate) == {"detached": n}, "all sessions to be detached")
    idle = gate.pss_kib("Pss_Anon")

    def all_hold_buffers():
        for client in clients:
            client.setblocking(False)
            with contextlib.suppress(ssl.SSLWantWriteError):
                while client.send(chunk):
                    pass
        return gate.pss_kib("Pss_Anon") - idle > n * 24

    until(all_hold_buffers, "every session to hold what the kernel does not take")
    server.reads.set()
    for client in clients:
        client.settimeout(DEADLINE_S)
        client.send(chunk)  # and the rest of the record that was too much
    # A worker keeps 4 buffers of each of two kinds, of 20 KiB, and one larger one of each, of 68 and 132.
    until(lambda: gate.pss_kib("Pss_Anon") - idle < 2 * 4 * 20 + 68 + 132 + n, "the memory to be given back")
    for client in clients:
        client.close()
