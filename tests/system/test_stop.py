"""The end without a drain: status 0 whatever goes on, and every session told of. And crashes, which are told of, too."""
import ctypes
import os
import pathlib
import re
import signal
import ssl
import threading

import pytest

from mqgate import SANITIZER, conf, until
from pki import section
from servers import Echo, ends


def test_a_signal_ends_it_with_sessions_open(mqgate, serve, pki):
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
    gate.stop(signal.SIGQUIT)
    assert gate.logged(event="stopping", signal="Quit", sessions=21)
    assert len(gate.logged(event="session_end", why="shutdown", state="relay")) == 20
    assert len(gate.logged(event="session_end", why="shutdown", state="handshake")) == 1
    for client in [*clients, waiting]:
        assert ends(client) == ("eof", b"")
        client.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1])
def test_signals_that_come_while_it_ends_change_nothing(mqgate, number):
    gate = mqgate(conf(1))
    gate.process.send_signal(signal.SIGQUIT)
    while gate.process.poll() is None:
        gate.process.send_signal(number)
    gate.expect_exit(0)


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


# --- crashes ---------------------------------------------------------------------------------------------------------

def thread_named(process, name):
    for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
        if (task / "comm").read_text(encoding="ascii").strip() == name:
            return int(task.name)
    raise AssertionError(f"no thread {name}")


def signal_thread(process, thread, number):
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.tgkill(process.pid, thread, number) == 0, os.strerror(ctypes.get_errno())


OURS = [signal.SIGABRT] if SANITIZER else [signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS]  # sanitizers have their own


@pytest.mark.parametrize("number", OURS)
@pytest.mark.parametrize("thread", ["mqgate", "worker-1", "log"])
def test_a_crash_is_told_with_its_thread_and_the_last_events(mqgate, number, thread):
    gate = mqgate(conf(1883))
    signal_thread(gate.process, thread_named(gate.process, thread), number)
    gate.expect_exit(-number)
    said = gate.stderr()
    assert f"crashed: {number.name} in thread {thread} (" in said
    assert "event before the crash: " in said and "event=ready" in said
    assert re.search(r"/mqgate\(\+0x[0-9a-f]+\)", said), said  # frames of ours
