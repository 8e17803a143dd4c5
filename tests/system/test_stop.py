"""Stopping: status 0 whatever goes on, and every session told of."""
import signal
import ssl
import threading

import pytest

from mqgate import conf, until
from pki import section
from servers import Echo, ends


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_signal_ends_it_with_sessions_open(mqgate, serve, pki, number):
    echo = serve(Echo)
    configuration = conf(echo.port, tls=[section("edge", pki.leaf("one.test"))])
    configuration["listeners"].append({**configuration["listeners"][0], "name": "tls", "tls": "edge"})
    gate = mqgate(configuration)
    trust = ssl.create_default_context(cafile=pki.ca)
    clients = [gate.connect() for _ in range(10)]
    clients += [trust.wrap_socket(gate.connect("tls"), server_hostname="one.test") for _ in range(10)]
    for client in clients:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
    waiting = gate.connect("tls")  # in its handshake
    until(lambda: gate.listener_stats("tls")["open"] == 11, "the silent client")
    gate.stop(number)
    assert gate.logged(event="stopping", signal=signal.strsignal(number), sessions=21)
    assert len(gate.logged(event="session_end", why="shutdown", state="relay")) == 20
    assert len(gate.logged(event="session_end", why="shutdown", state="handshake")) == 1
    for client in [*clients, waiting]:
        assert ends(client) == ("eof", b"")
        client.close()


def test_it_ends_in_the_middle_of_a_transfer(mqgate, serve):
    echo = serve(Echo)
    gate = mqgate(conf(echo.port))
    stopped = threading.Event()

    def flood(client):
        try:
            while not stopped.is_set():
                client.sendall(bytes(65536))
                client.recv(65536)
        except OSError:
            pass

    clients = [gate.connect() for _ in range(4)]
    threads = [threading.Thread(target=flood, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    until(lambda: gate.listener_stats()["bytes_out"] > 10 << 20, "10 MiB to be relayed")
    gate.stop()
    stopped.set()
    for thread, client in zip(threads, clients):
        thread.join()
        client.close()
    assert len(gate.logged(event="session_end", why="shutdown")) == 4
