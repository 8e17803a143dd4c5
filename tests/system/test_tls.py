"""TLS as clients see it: Python's, OpenSSL's and GnuTLS's clients, and scanners."""
import contextlib
import json
import os
import re
import socket
import ssl
import subprocess
import threading
import xml.etree.ElementTree

import pytest

from mqgate import DEADLINE_S, SANITIZER, conf, until
from pki import Authority, section
from servers import Echo, Listener, ends, free_port


@pytest.fixture
def echo(serve):
    return serve(Echo)


@pytest.fixture
def edge(mqgate, echo):
    """edge(identities..., options) starts a gate whose listener speaks TLS with them."""
    def start(*identities, **options):
        return mqgate(conf(echo.port, listener={"tls": "edge"}, tls=[section("edge", *identities, **options)]))
    return start


def s_client(gate, *arguments):
    """What openssl s_client says of a connection, and whether it was content."""
    host, port = gate.address()
    done = subprocess.run(["openssl", "s_client", "-connect", f"{host}:{port}", *arguments], check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=DEADLINE_S)
    return done.stdout.decode(errors="replace"), done.returncode == 0


def talk(context, gate, name="one.test", session=None):
    """A whole conversation: the socket, closed by then, for its facts; and what it may be resumed from."""
    with context.wrap_socket(gate.connect(), server_hostname=name, session=session) as client:
        client.sendall(b"hello")
        assert client.recv(100) == b"hello"
        return client.version(), client.session_reused, client.session


@pytest.mark.parametrize("option, version, cipher", [("-tls1_2", "TLSv1.2", "ECDHE-ECDSA-"),
                                                     ("-tls1_3", "TLSv1.3", "TLS_")])
def test_tls_1_2_and_1_3_are_spoken(edge, pki, option, version, cipher):
    gate = edge(pki.leaf("one.test"))
    said, content = s_client(gate, option, "-servername", "one.test", "-CAfile", pki.ca, "-verify_return_error",
                             "-verify_hostname", "one.test")
    assert content, said
    assert "Verification: OK" in said and f"New, {version}, Cipher is {cipher}" in said
    end = gate.wait_end()
    assert (end["tls"], end["sni"]) == (version, "one.test") and end["cipher"].startswith(cipher)


@pytest.mark.parametrize("option", ["-tls1", "-tls1_1"])
def test_older_versions_are_refused(edge, pki, option):
    gate = edge(pki.leaf("one.test"))
    said, content = s_client(gate, option, "-cipher", "ALL:@SECLEVEL=0")
    assert not content and "alert protocol version" in said
    assert gate.wait_end(why="handshake_failed")["detail"] == "unsupported protocol"


def test_min_version_1_3_refuses_1_2(edge, pki):
    gate = edge(pki.leaf("one.test"), min_version="1.3")
    assert not s_client(gate, "-tls1_2")[1]
    assert s_client(gate, "-tls1_3")[1]


def test_gnutls_is_content(edge, pki):
    gate = edge(pki.leaf("one.test"))
    host, port = gate.address()
    for priority in ("NORMAL:-VERS-ALL:+VERS-TLS1.2", "NORMAL:-VERS-ALL:+VERS-TLS1.3"):
        done = subprocess.run(["gnutls-cli", "--x509cafile", pki.ca, "--sni-hostname", "one.test",
                               "--verify-hostname", "one.test", "--priority", priority, "-p", str(port), host],
                              input="hello\n", capture_output=True, text=True, timeout=DEADLINE_S, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "The certificate is trusted" in done.stdout and "Handshake was completed" in done.stdout


def test_sslscan_finds_nothing(edge, pki):
    gate = edge(pki.leaf("one.test", "rsa"), pki.leaf("one.test"))
    host, port = gate.address()
    done = subprocess.run(["sslscan", "--no-colour", "--xml=-", "--sni-name=one.test", f"{host}:{port}"],
                          capture_output=True, text=True, timeout=DEADLINE_S * 6, check=True)
    found = xml.etree.ElementTree.fromstring(done.stdout).find("ssltest")
    enabled = {each.get("type").upper() + each.get("version") for each in found.iter("protocol")
               if each.get("enabled") == "1"}
    assert enabled == {"TLS1.2", "TLS1.3"}
    assert found.find("renegotiation").get("supported") == "0"
    assert {each.get("vulnerable") for each in found.iter("heartbleed")} == {"0"}
    ciphers = {each.get("cipher"): each for each in found.iter("cipher")}
    assert len(ciphers) >= 5
    for name, each in ciphers.items():
        assert each.get("strength") in ("strong", "acceptable") and int(each.get("bits")) >= 128, name
        assert name.startswith(("TLS_", "ECDHE-")) and ("GCM" in name or "POLY1305" in name), name
    assert {each.get("name").split()[0] for each in found.iter("group")} == {"x25519", "secp256r1"}


@contextlib.contextmanager
def scanned(mqgate, mosquitto, pki, protocol):
    """A gate to be scanned; then every connection is accounted for, with who and why, and nothing of it is left."""
    identities = pki.leaf("one.test"), pki.leaf("one.test", "rsa")
    gate = mqgate(conf(mosquitto.port, listener={"tls": "edge", "protocol": protocol},
                       tls=[section("edge", *identities)]))
    before = gate.descriptors()
    yield gate
    until(lambda: gate.listener_stats()["open"] == 0, "the sessions to be over")
    until(lambda: len(gate.logged(event="session_end")) == gate.listener_stats()["connections"], "a line for each")
    ends_logged = gate.logged(event="session_end")
    line = re.search(r"^listener in .*$", gate.control("show tls"), re.M).group(0)
    count = {key: int(value) for key, value in re.findall(r" (\w+)=(\d+)", line)}
    refused = [end for end in ends_logged if end["why"] == "handshake_failed"]
    assert count["handshakes"] == sum("tls" in end for end in ends_logged) > 10
    assert count["failed"] == len(refused) > 5 and all(end["detail"] for end in refused)
    assert count["tls12"] + count["tls13"] == count["handshakes"]
    assert {end["why"] for end in ends_logged if "tls" not in end} == {"handshake_failed", "client_closed"}
    assert all(end["client"].startswith("127.0.0.1:") for end in ends_logged)
    assert count["open"] == count["detached"] == 0 and gate.descriptors() == before


@pytest.mark.limit(1200)
@pytest.mark.skipif(SANITIZER is not None, reason="minutes of waiting, and what it sends others send with sanitizers, too")
def test_testssl_finds_nothing(mqgate, mosquitto, pki, tmp_path):
    with scanned(mqgate, mosquitto, pki, "mqtt") as gate:
        findings = tmp_path / "findings"
        subprocess.run(["testssl", "--warnings", "batch", "--add-ca", pki.ca, "--ip", "127.0.0.1", "--jsonfile",
                        findings, f"one.test:{gate.port()}"], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                       check=False, env={**os.environ, "NO_ENGINE": "true"})  # GOST of its own OpenSSL, which may lack it
        found = json.loads(findings.read_text(encoding="utf-8"))
    ids = {each["id"].split()[0]: each["finding"] for each in found}
    bad = {name for each in found for name in [each["id"].split()[0]] if each["severity"] not in ("OK", "INFO")}
    # The test's certificate is short-lived and nobody revokes it; this is no web server; and the scanner may hang up
    # before it has read a ticket, which it then cannot try.
    assert bad <= {"cert_expirationStatus", "cert_notAfter", "cert_revocation", "DNS_CAArecord", "service",
                   "sessionresumption_ticket"}
    assert ids["TLS1_3"].startswith("offered") and ids["PFS"].startswith("offered")
    assert {"heartbleed", "CCS", "ticketbleed", "ROBOT", "secure_renego", "secure_client_renego", "LUCKY13"} <= set(ids)
    assert "clientsimulation-android_90" in {name.lower() for name in ids}


@pytest.mark.parametrize("protocol", ["tcp", "mqtt"])
def test_gnutls_finds_no_need_for_workarounds(mqgate, mosquitto, pki, protocol):
    with scanned(mqgate, mosquitto, pki, protocol) as gate:
        host, port = gate.address()
        done = subprocess.run(["gnutls-cli-debug", "--port", str(port), host], capture_output=True, text=True,
                              check=True)
    answers = {question.strip(): answer for question, _, answer in
               (line.partition("... ") for line in done.stdout.splitlines())}
    expected = {
        "whether %ALLOW_SMALL_RECORDS is required": "no", "whether we need to disable TLS 1.2": "no",
        "whether %NO_EXTENSIONS is required": "no", "for TLS 1.0 (RFC2246) support": "no",
        "for TLS 1.1 (RFC4346) support": "no", "for TLS 1.2 (RFC5246) support": "yes",
        "for TLS 1.3 (RFC8446) support": "yes", "for safe renegotiation (RFC5746) support": "yes",
        "for ext master secret (RFC7627) support": "yes", "for heartbeat (RFC6520) support": "no",
        "whether small records (512 bytes) are tolerated on handshake": "yes",
        "whether the server understands TLS closure alerts": "yes",
        "whether the server supports session resumption": "yes", "for anonymous authentication support": "no",
        "for RSA key exchange support": "no", "for AES-CBC cipher (RFC3268) support": "no",
        "for max record size (RFC6066) support": "yes"}
    assert {question: answers.get(question) for question in expected} == expected


def test_nothing_is_compressed(edge, pki):
    said, content = s_client(edge(pki.leaf("one.test")), "-tls1_2", "-comp")
    assert content and "Compression: NONE" in said


def test_renegotiation_is_refused(edge, pki):
    gate = edge(pki.leaf("one.test"))
    host, port = gate.address()
    done = subprocess.run(["openssl", "s_client", "-connect", f"{host}:{port}", "-tls1_2"], input="R\n", text=True,
                          capture_output=True, timeout=DEADLINE_S, check=False)
    assert "no renegotiation" in done.stdout + done.stderr or done.returncode != 0


# --- which certificate -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("asked, served", [("one.test", "one.test"), ("two.test", "two.test"),
                                           ("TWO.test", "two.test"), ("a.wild.test", "*.wild.test"),
                                           ("exact.wild.test", "exact.wild.test"), ("a.b.wild.test", "one.test"),
                                           ("unknown.test", "one.test"), (None, "one.test")])
def test_the_certificate_is_chosen_by_name(edge, pki, asked, served):
    gate = edge(*(pki.leaf(name) for name in ("one.test", "two.test", "*.wild.test", "exact.wild.test")))
    said, _ = s_client(gate, *(["-servername", asked] if asked else ["-noservername"]))
    assert f"subject=CN = {served}\n" in said
    assert gate.wait_end().get("sni", "").lower() == (asked or "").lower()


@pytest.mark.parametrize("arguments, kind", [(["-tls1_3", "-sigalgs", "ecdsa_secp256r1_sha256"], "ECDSA"),
                                             (["-tls1_3", "-sigalgs", "rsa_pss_rsae_sha256"], "RSA-PSS"),
                                             (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"], "ECDSA"),
                                             (["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"], "RSA-PSS"),
                                             (["-tls1_3"], "ECDSA")])
def test_ecdsa_and_rsa_stand_side_by_side(edge, pki, arguments, kind):
    gate = edge(pki.leaf("one.test", "rsa"), pki.leaf("one.test", "ec"))
    said, content = s_client(gate, "-servername", "one.test", "-CAfile", pki.ca, "-verify_return_error", *arguments)
    assert content and f"Peer signature type: {kind}" in said, said


@pytest.mark.parametrize("offered, chosen", [("http/1.1,mqtt", "ALPN protocol: mqtt"),
                                             ("http/1.1", "ALPN protocol: http/1.1"), (None, "No ALPN negotiated")])
def test_alpn_is_answered_in_our_order(edge, pki, offered, chosen):
    gate = edge(pki.leaf("one.test"), alpn=["mqtt", "http/1.1"])
    said, content = s_client(gate, *(["-alpn", offered] if offered else []))
    assert content and chosen in said


# --- client certificates ---------------------------------------------------------------------------------------------

def client_arguments(identity):
    return ["-cert", identity.chain, "-key", identity.key] if identity else []


@pytest.fixture(scope="module")
def clients(pki):
    """Who may come, who was thrown out, and who was never known."""
    identities = {"good": pki.leaf("device-1"), "revoked": pki.leaf("device-2"),
                  "expired": pki.leaf("device-3", expired=True), "nobody": None}
    identities["crl"] = pki.crl(identities["revoked"])
    return identities


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("verify, who, admitted", [
    ("none", "good", True), ("none", "nobody", True), ("optional", "nobody", True), ("optional", "good", True),
    ("optional", "expired", False), ("required", "good", True), ("required", "nobody", False),
    ("required", "expired", False), ("required", "revoked", False), ("optional", "revoked", False)])
def test_client_certificates(edge, pki, clients, version, verify, who, admitted):
    asked = {} if verify == "none" else {"client_ca": pki.ca, "crl": clients["crl"], "verify": verify}
    gate = edge(pki.leaf("one.test"), **asked)
    s_client(gate, version, *client_arguments(clients[who]))
    end = gate.wait_end()
    assert (end["why"] != "handshake_failed") == admitted, end
    stats = gate.listener_stats()
    assert (stats["handshakes"], stats["handshakes_failed"]) == ((1, 0) if admitted else (0, 1))
    assert end.get("cn") == ("device-1" if admitted and who == "good" and verify != "none" else None)


def test_a_client_of_another_authority_is_refused(edge, pki, tmp_path):
    stranger = Authority(tmp_path).leaf("device-1")
    gate = edge(pki.leaf("one.test"), client_ca=pki.ca, verify="required")
    s_client(gate, *client_arguments(stranger))
    assert gate.wait_end(why="handshake_failed")["detail"] == "unable to get local issuer certificate"


# --- sessions --------------------------------------------------------------------------------------------------------

def worker_of(end):
    """Session ids are 16 bits of the process, 8 of the worker, 40 of a count."""
    return end["id"][4:6]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed_by_every_worker(edge, pki, version):
    gate = edge(pki.leaf("one.test"))
    context = ssl.create_default_context(cafile=pki.ca)
    context.minimum_version = context.maximum_version = version
    _, reused, session = talk(context, gate)
    assert not reused
    rounds = 30
    for _ in range(rounds):
        _, reused, session = talk(context, gate, session=session)
        assert reused
    gate.wait_end(rounds + 1)
    assert gate.listener_stats()["handshakes_resumed"] == rounds
    assert len({worker_of(end) for end in gate.logged(event="session_end")}) == 2


def test_openssl_resumes_too(edge, pki):
    said, content = s_client(edge(pki.leaf("one.test")), "-tls1_2", "-reconnect")
    assert content and said.count("Reused, TLSv1.2") == 5


def test_without_session_tickets_nothing_is_resumed(edge, pki):
    said, content = s_client(edge(pki.leaf("one.test"), session_tickets=False), "-tls1_2", "-reconnect")
    assert content and "Reused" not in said


def test_a_resumed_session_still_knows_the_client(edge, pki, clients):
    gate = edge(pki.leaf("one.test"), client_ca=pki.ca, verify="required")
    context = ssl.create_default_context(cafile=pki.ca)
    context.load_cert_chain(*clients["good"])
    _, _, session = talk(context, gate)
    _, reused, _ = talk(context, gate, session=session)
    assert reused
    gate.wait_end(2)
    assert [end["cn"] for end in gate.logged(event="session_end")] == ["device-1", "device-1"]


# --- what goes wrong -------------------------------------------------------------------------------------------------

def test_bytes_that_are_not_tls_end_the_handshake(edge, pki):
    gate = edge(pki.leaf("one.test"))
    with gate.connect() as client:
        client.sendall(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00")
        ends(client)
    end = gate.wait_end(why="handshake_failed", state="handshake")
    assert end["detail"] == "wrong version number"


def test_a_hello_byte_by_byte_is_a_hello(edge, pki):
    gate = edge(pki.leaf("one.test"))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context(cafile=pki.ca).wrap_bio(incoming, outgoing, server_hostname="one.test")
    with gate.connect() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                for byte in outgoing.read():
                    sock.sendall(bytes([byte]))
                incoming.write(sock.recv(65536))
        client.write(b"hello")
        sock.sendall(outgoing.read())
        while True:
            incoming.write(sock.recv(65536))
            try:
                assert client.read(100) == b"hello"
                break
            except ssl.SSLWantReadError:
                pass


def strict_client(gate, pki):
    """To this client an end without close_notify is an error."""
    context = ssl.create_default_context(cafile=pki.ca)
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    return context.wrap_socket(gate.connect(), server_hostname="one.test", suppress_ragged_eofs=False)


def test_the_end_of_a_direction_is_a_close_notify(mqgate, serve, pki):
    """So that nobody between can cut a message short unseen."""
    server = serve(Listener)
    gate = mqgate(conf(server.port, listener={"tls": "edge"}, tls=[section("edge", pki.leaf("one.test"))]))
    with strict_client(gate, pki) as client:
        with server.accept() as accepted:
            accepted.sendall(b"the end")
        assert client.recv(100) == b"the end"
        assert client.recv(100) == b""


@pytest.mark.parametrize("detach", [True, False], ids=["detached", "kept"])
@pytest.mark.parametrize("said, why", [(b"GET / HTTP/1.0\r\n\r\n", "not_mqtt"), (b"", "client_closed"),
                                       (b"\x10", "connect_packet_timeout")])
def test_who_is_sent_away_hears_a_close_notify(mqgate, echo, pki, said, why, detach):
    """So that the client knows that it was us."""
    gate = mqgate(conf(echo.port, listener={"tls": "edge", "protocol": "mqtt", "timeouts": {"connect_packet": "1s"}},
                       tls=[section("edge", pki.leaf("one.test"), detach=detach)]))
    with strict_client(gate, pki) as client:
        if said:
            client.sendall(said)
            assert client.recv(100) == b""
        else:
            client.unwrap()
    assert gate.wait_end()["why"] == why


def test_who_gets_no_server_hears_a_close_notify(mqgate, pki):
    gate = mqgate(conf(free_port(), listener={"tls": "edge"}, backend={"tries": 1},
                       tls=[section("edge", pki.leaf("one.test"))]))
    with strict_client(gate, pki) as client:
        assert client.recv(100) == b""
    assert gate.wait_end()["why"] == "connect_failed"


# --- towards the server ----------------------------------------------------------------------------------------------

@pytest.fixture
def inner(mqgate, serve, pki):
    """inner(identity, tls_client options) starts a TLS server and a gate before it."""
    def start(identity, context_options=None, **options):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*identity)
        for key, value in (context_options or {}).items():
            setattr(context, key, value)
        context.load_verify_locations(pki.ca)
        echo = serve(Echo, tls=context)
        return mqgate(conf(echo.port, server={"tls": "inner"}, backend={"tries": 1},
                           tls_client=[{"name": "inner", "ca": pki.ca, **options}])), echo
    return start


def answers(gate):
    with gate.connect() as client:
        client.sendall(b"hello")
        client.shutdown(socket.SHUT_WR)
        return ends(client) == ("eof", b"hello")


def test_the_server_gets_our_certificate_and_the_name_asked_for(inner, pki):
    ours = pki.leaf("mqgate-1")
    asked = []
    gate, echo = inner(pki.leaf("broker.test"),
                       {"verify_mode": ssl.CERT_REQUIRED, "sni_callback": lambda _s, name, _c: asked.append(name)},
                       sni="broker.test", chain=ours.chain, key=ours.key)
    with gate.connect() as client:
        client.sendall(b"hello")
        assert client.recv(100) == b"hello"
        assert dict(pair[0] for pair in echo.accepted[0].getpeercert()["subject"])["commonName"] == "mqgate-1"
    assert asked == ["broker.test"]


@pytest.mark.parametrize("name, options, said", [
    ("broker.test", {"sni": "other.test"}, "hostname mismatch"),
    ("broker.test", {}, "IP address mismatch"),
    ("expired", {"sni": "old.test"}, "certificate has expired"),
])
def test_a_server_that_is_not_the_one_meant_is_not_used(inner, pki, name, options, said):
    identity = pki.leaf("old.test", expired=True) if name == "expired" else pki.leaf(name)
    gate, _ = inner(identity, **options)
    assert not answers(gate)
    end = gate.wait_end(why="server_handshake_failed")
    assert said.lower() in end["detail"].lower()


def test_verify_none_takes_any_server(inner, pki):
    gate, _ = inner(pki.leaf("old.test", expired=True), verify="none")
    assert answers(gate)


def test_plain_and_tls_share_a_gate_in_many_threads(mqgate, serve, pki):
    """Handshakes, traffic and ends all at once, in both workers."""
    echo = serve(Echo)
    configuration = conf(echo.port, tls=[section("edge", pki.leaf("one.test"))])
    configuration["listeners"].append({**configuration["listeners"][0], "name": "tls", "tls": "edge"})
    gate = mqgate(configuration)
    context = ssl.create_default_context(cafile=pki.ca)
    failures = []

    def client(n):
        try:
            for i in range(20):
                sock = gate.connect("tls" if i % 2 else "in")
                if i % 2:
                    sock = context.wrap_socket(sock, server_hostname="one.test")
                with sock:
                    text = f"{n} {i}".encode() * 1000
                    sock.sendall(text)
                    received = b""
                    while len(received) < len(text):
                        received += sock.recv(65536)
                    assert received == text
        except Exception as e:  # told in the main thread
            failures.append(e)

    threads = [threading.Thread(target=client, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    until(lambda: gate.listener_stats("tls")["open"] == 0, "all sessions to end")
