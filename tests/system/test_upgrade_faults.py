"""Each system call of an upgrade failing in turn: either the old process goes on with all sessions or the new one has
them."""
import contextlib
import re
import signal
import ssl
import subprocess
import threading

import pytest

from mqgate import BINARY, DEADLINE_S, SANITIZER, conf, pattern, until
from mqttproto import receive
from pki import section
from servers import Echo, Listener

HELLO = b"hello"
ERRORS = {"execve": "ENOMEM", "memfd_create": "EMFILE", "ftruncate": "ENOSPC", "mmap": "ENOMEM", "fcntl": "EINVAL",
          "openat": "EMFILE", "pidfd_open": "EMFILE", "vfork": "EAGAIN",
          "poll": "ENOMEM", "lseek": "EIO", "pread64": "EIO", "wait4": "ECHILD", "mremap": "ENOMEM",
          "munmap": "EINVAL", "madvise": "EINVAL", "dup2": "EMFILE"}
# Not among them: write(2), as which threads wake each other, and whose eventfd cannot fail; clone(2) of the threads that
# go on when an upgrade has failed, without which there would be nobody left to go on.
CALLS = ",".join(sorted(ERRORS))


@contextlib.contextmanager
def strace(gate, directory, *options):
    """What it wrote, in `directory`."""
    out = directory / "strace"
    process = subprocess.Popen(["strace", "-f", "-qq", "-p", str(gate.pid), "-o", str(out), *options],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: process.poll() is not None or traced(gate), "strace to be there")
        assert process.poll() is None, process.stderr.read()
        yield out
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(DEADLINE_S)
        process.stderr.close()


def traced(gate):
    return gate.status("TracerPid") != ["0"]


class World:
    """Sessions with and without TLS, two of them with bytes in hand both ways."""

    def __init__(self, mqgate, serve, pki, stack):
        echo, self.listener = serve(Echo), serve(Listener)
        text = conf(echo.port, tls=[section("edge", pki.leaf("one.test"))])
        first = text["listeners"][0]
        text["listeners"] += [{**first, "name": "tls", "tls": "edge"}, {**first, "name": "full", "backend": "full"}]
        text["backends"].append({**text["backends"][0], "name": "full",
                                 "servers": [{"name": "f0", "address": f"127.0.0.1:{self.listener.port}"}]})
        self.gate = mqgate(text)
        context = ssl.create_default_context(cafile=pki.ca)
        plain = [stack.enter_context(self.gate.connect()) for _ in range(3)]
        dressed = [stack.enter_context(context.wrap_socket(self.gate.connect("tls"), server_hostname="one.test"))
                   for _ in range(3)]
        self.clients = plain + dressed
        self.full = stack.enter_context(self.gate.connect("full"))
        self.server = stack.enter_context(self.listener.accept())
        self.up, self.down = pattern(4_000_000, 1), pattern(4_000_000, 2)
        self.writers = [threading.Thread(target=sock.sendall, args=(data,), daemon=True)
                        for sock, data in ((self.full, self.up), (self.server, self.down))]
        for writer in self.writers:
            writer.start()
        self.all_answer()

    def all_answer(self):
        for client in self.clients:
            client.sendall(HELLO)
        assert all(receive(client, len(HELLO)) == HELLO for client in self.clients)

    def upgrade(self):
        """Whether it came to be."""
        answer = self.gate.control("upgrade")
        if answer.startswith("The upgrade failed, and nothing has changed: "):
            return False
        assert re.match(r"Upgraded from \S+ to \S+: 7 sessions carried over, 0 closed", answer), answer
        return True

    def end(self):
        heard = {}
        readers = [threading.Thread(target=lambda s=sock, d=data: heard.update({s: receive(s, len(d))}))
                   for sock, data in ((self.server, self.up), (self.full, self.down))]
        for thread in readers:
            thread.start()
        for thread in readers + self.writers:
            thread.join()
        assert heard == {self.server: self.up, self.full: self.down}


@pytest.fixture
def world(mqgate, serve, pki, monkeypatch):
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=0:exitcode=99")  # leaks are not looked for while strace looks on
    with contextlib.ExitStack() as stack:
        world = World(mqgate, serve, pki, stack)
        yield world
        world.end()


def calls_before_the_end(gate, trace):
    """How often the old process makes each call, up to the one that replaces it."""
    counts = dict.fromkeys(ERRORS, 0)
    for line in trace.read_text(encoding="utf-8", errors="replace").splitlines():
        match = re.match(rf"{gate.pid} +(\w+)\(", line)
        if match and match[1] in counts:
            counts[match[1]] += 1
            if match[1] == "execve":
                return {name: n for name, n in counts.items() if n > 0}
    raise AssertionError("no execve in " + trace.read_text(encoding="utf-8", errors="replace")[-2000:])


@pytest.mark.skipif(SANITIZER == "tsan", reason="ThreadSanitizer's own threads wait for ever under strace")
@pytest.mark.limit(180)
def test_each_call_fails_in_turn(world, tmp_path):
    with strace(world.gate, tmp_path, "-e", f"trace={CALLS}") as trace:
        assert world.upgrade()
    counts = calls_before_the_end(world.gate, trace)
    for name in ("mmap", "munmap", "madvise") if SANITIZER else ():
        del counts[name]  # a sanitizer takes their failing for its own
    assert {"execve", "memfd_create", "ftruncate", "fcntl", "wait4"} <= counts.keys()
    failed = 0
    for name, n in counts.items():
        for when in range(1, min(n, 12) + 1):  # of some the same one comes again and again
            with strace(world.gate, tmp_path, "-e", f"trace={name}", "-e",
                        f"inject={name}:error={ERRORS[name]}:when={when}") as trace:
                try:
                    failed += not world.upgrade()
                    world.all_answer()
                except (OSError, AssertionError) as e:
                    raise AssertionError(f"{name}, call {when} of {n}: {e}; {world.gate.stderr()[-3000:]}"
                                         + "\n".join(world.gate.log.raw[-5:])) from e
    assert failed > len(counts) / 2
    assert world.upgrade()
    world.all_answer()


def test_a_dry_run_that_is_killed(world, tmp_path):
    """By the kernel that is out of memory, say."""
    path = tmp_path / "other"
    path.write_text(f'#!/bin/sh\n[ "$MQGATE_IMAGE" ] && kill -KILL $$\nexec {BINARY} "$@"\n', encoding="ascii")
    path.chmod(0o755)
    answer = world.gate.control(f"upgrade {path}")
    assert "ended by signal 9" in answer
    world.all_answer()
    assert world.upgrade()
    world.all_answer()
