"""Each system call of an upgrade failing in turn: either the old process goes on with all sessions or the new one has
them."""
import contextlib
import os
import pathlib
import re
import resource
import signal
import ssl
import subprocess
import threading

import pytest

from mqgate import BINARY, DEADLINE_S, SANITIZER, conf, pattern, until
from mqttproto import connack, connect, receive
from pki import section
from servers import Echo, Listener
from test_upgrade import another

HELLO = b"hello"
# What makes each call fail that can. Not among them: write(2), as which threads wake each other, and whose eventfd
# cannot fail; epoll_ctl(2) and epoll_wait(2), without which libev ends a process anyway; brk(2), which fails in another
# way than by an error.
ERRORS = {"clone3": "EAGAIN", "epoll_create1": "EMFILE", "eventfd2": "EMFILE", "execve": "ENOMEM", "fcntl": "EINVAL",
          "ftruncate": "ENOSPC", "getrandom": "ENOSYS", "getsockname": "ENOBUFS", "lseek": "EIO", "madvise": "EINVAL",
          "memfd_create": "EMFILE", "mmap": "ENOMEM", "mprotect": "ENOMEM", "mremap": "ENOMEM", "munmap": "EINVAL",
          "newfstatat": "EIO", "openat": "EMFILE", "pidfd_open": "EMFILE", "poll": "ENOMEM", "prctl": "EINVAL",
          "pread64": "EIO", "prlimit64": "EPERM", "read": "EIO", "setsockopt": "ENOBUFS", "wait4": "ECHILD"}
if SANITIZER:  # takes their failing for its own
    for each in ("madvise", "mmap", "mprotect", "mremap", "munmap", "prlimit64", "read"):
        del ERRORS[each]

under_strace = pytest.mark.skipif(SANITIZER == "tsan", reason="its own threads wait for ever under strace")
MOST = 12  # in a row: of some the same one comes again and again


@contextlib.contextmanager
def strace(gate, directory, *options):
    """What it wrote, in `directory`. Of the main thread alone, in which all of an upgrade is done: another process or
    thread, which would count its calls for itself, is not followed."""
    out = directory / "strace"
    process = subprocess.Popen(["strace", "-qq", "-p", str(gate.pid), "-o", str(out), *options],
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


def injections(**when):
    """Of errors, into these calls."""
    return ["-e", "trace=" + ",".join(when),
            *(word for name, n in when.items() for word in ("-e", f"inject={name}:error={ERRORS[name]}:when={n}"))]


class World:
    """Sessions with and without TLS, one of them with bytes in hand both ways."""

    def __init__(self, mqgate, serve, pki, stack):
        echo, self.listener = serve(Echo), serve(Listener)
        text = conf(echo.port, tls=[section("edge", pki.leaf("one.test"))])
        first = text["listeners"][0]
        text["listeners"] += [{**first, "name": "tls", "tls": "edge"}, {**first, "name": "full", "backend": "full"}]
        text["backends"].append({**text["backends"][0], "name": "full",
                                 "servers": [{"name": "f0", "address": f"127.0.0.1:{self.listener.port}"}]})
        self.configuration = text
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

    def upgrade(self, path=""):
        """Whether it came to be."""
        answer = self.gate.control(f"upgrade {path}".strip())
        if answer.startswith("The upgrade failed, and nothing has changed: "):
            return False
        assert re.match(rf"Upgraded from \S+ to \S+: {len(self.clients) + 1} sessions carried over, 0 closed",
                        answer), answer
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


@pytest.fixture(autouse=True)
def no_leak_detector(monkeypatch):
    """It cannot look while strace looks on."""
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=0:exitcode=99")


@pytest.fixture
def world(mqgate, serve, pki):
    with contextlib.ExitStack() as stack:
        world = World(mqgate, serve, pki, stack)
        yield world
        world.end()


def calls(trace, configuration):
    """How often each call is made up to the one that replaces the process, up to its first own one behind that, and in
    all. In between there is the dynamic loader, which ends the process when anything fails."""
    counts, replaced, begun = dict.fromkeys(ERRORS, 0), None, None
    text = trace.read_text(encoding="utf-8", errors="replace")
    for line in text.splitlines():
        match = re.match(r"(\w+)\(", line)
        if match and match[1] == "openat" and str(configuration) in line and begun is None:
            begun = dict(counts)
        if match and match[1] in counts:
            counts[match[1]] += 1
        if match and match[1] == "execve":
            replaced = dict(counts)
    assert replaced and begun, text[-2000:]
    return replaced, begun, counts


def fails_in_turn(world, directory, name, turns):
    """How many upgrades came to nothing, all sessions being there after each."""
    failed = 0
    for when in turns:
        with strace(world.gate, directory, *injections(**{name: when})) as trace:
            try:
                failed += not world.upgrade()
                world.all_answer()
            except (OSError, AssertionError) as e:
                raise AssertionError(f"{name}, call {when}: {e}; {world.gate.stderr()[-3000:]}"
                                     + "\n".join([*world.gate.log.raw[-5:], trace.read_text()])) from e
    return failed


@pytest.fixture
def counted(world, tmp_path):
    world.upgrade()  # the first one finds a process that has done less
    with strace(world.gate, tmp_path, "-e", "trace=" + ",".join(ERRORS)) as trace:
        assert world.upgrade()
    return calls(trace, world.gate.file)


@under_strace
@pytest.mark.limit(120)
def test_each_call_of_the_old_process_fails_in_turn(world, counted, tmp_path):
    replaced, _, _ = counted
    without = {"clone3", "execve", "memfd_create", "ftruncate", "mmap", "fcntl", "openat", "pidfd_open", "wait4"}
    without &= ERRORS.keys()
    assert without <= {name for name, n in replaced.items() if n > 0}
    failed = {name: fails_in_turn(world, tmp_path, name, range(1, min(n, MOST) + 1)) for name, n in replaced.items()}
    for name in without:
        assert failed[name] == min(replaced[name], MOST), failed
    assert world.upgrade()
    world.all_answer()


@under_strace
@pytest.mark.limit(120)
def test_each_call_of_the_new_process_fails_in_turn(world, counted, tmp_path):
    """What goes wrong there is tried again."""
    _, begun, counts = counted
    assert counts["clone3"] > begun["clone3"] and counts["epoll_create1"] > begun["epoll_create1"]
    for name, n in counts.items():
        assert fails_in_turn(world, tmp_path, name, range(begun[name] + 1, min(n, begun[name] + MOST) + 1)) == 0
    assert "it is tried again" in world.gate.stderr()


@pytest.mark.skipif(SANITIZER is not None, reason="a sanitizer takes the failing of mremap(2) for its own")
def test_an_image_that_must_grow(mqgate, serve, tmp_path):
    """By CONNECTs of which the last byte has not come."""
    gate = mqgate(conf((listener := serve(Listener)).port,
                       listener={"protocol": "mqtt", "mqtt": {"max_connect_size": "1MiB"},
                                 "timeouts": {"connect_packet": "60s"}}))
    hello = connect(user="x" * 60000, password=pattern(60000, 1), will=("t", pattern(60000, 2), 0, False, ()))
    calls_made = ("ftruncate", "mremap")

    def grows():
        with strace(gate, tmp_path, "-e", "trace=" + ",".join(calls_made)) as trace:
            assert gate.control("upgrade").startswith("Upgraded from ")
        return {name: trace.read_text().count(f"{name}(") for name in calls_made}
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(gate.connect()) for _ in range(10)]
        for client in clients:
            client.sendall(hello[:-1])
        counts = until(lambda: (found := grows())["mremap"] > 0 and found, "an image of more than 1 MiB")
        for name, n in counts.items():
            for when in range(1, n + 1):
                with strace(gate, tmp_path, *injections(**{name: when})):
                    assert gate.control("upgrade").startswith("The upgrade failed, and nothing has changed: ")
        for client in clients:
            client.sendall(hello[-1:])
            with listener.accept() as server:
                assert receive(server, len(hello)) == hello


def script(directory, text):
    path = directory / "other"
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="ascii")
    path.chmod(0o755)
    return path


IN_DRY_RUN = '[ "$1" = -c ] && [ "$MQGATE_IMAGE" ]'


@under_strace
@pytest.mark.limit(120)
def test_each_call_of_the_dry_run_fails_in_turn(world, tmp_path):
    def traced_by(*options):
        return script(tmp_path, f'{IN_DRY_RUN} && exec strace -qq -o {tmp_path}/dry {" ".join(options)} {BINARY} "$@"\n'
                                f'exec {BINARY} "$@"')
    assert world.upgrade(traced_by("-e", "trace=execve," + ",".join(ERRORS)))
    _, begun, counts = calls(tmp_path / "dry", world.gate.file)
    failed = 0
    for name, n in counts.items():
        for when in range(begun[name] + 1, min(n, begun[name] + MOST) + 1):
            failed += not world.upgrade(traced_by(*injections(**{name: when})))
            world.all_answer()
    assert failed > 0
    assert world.upgrade()
    world.all_answer()


@under_strace
def test_threads_that_are_not_to_be_had(world, tmp_path):
    """Whoever comes to nothing goes on with as many as before, as soon as they are."""
    with strace(world.gate, tmp_path, *injections(execve=1, clone3="3..8")):
        assert not world.upgrade()
        world.all_answer()
        world.gate.wait_log(event="no_thread")
        world.gate.wait_log(event="threads_again", workers=2)
    with strace(world.gate, tmp_path, *injections(clone3="5..8")):
        assert world.upgrade()
        world.all_answer()
        world.gate.wait_log(2, event="threads_again", workers=2)
    assert world.upgrade()
    world.all_answer()


@under_strace
def test_an_end_without_threads(mqgate, serve, tmp_path):
    """Sessions whose threads are not to be had are ended like all others."""
    gate = mqgate(conf(serve(Echo).port))
    with gate.connect() as client:
        client.sendall(HELLO)
        assert receive(client, len(HELLO)) == HELLO
        with strace(gate, tmp_path, *injections(execve=1, clone3="3+")):
            assert "execute it" in gate.control("upgrade")
            gate.wait_log(event="no_thread")
            gate.stop()
        assert client.recv(1) == b""
    assert gate.logged(event="session_end", why="shutdown")


def has_workers(gate):
    for task in os.listdir(f"/proc/{gate.pid}/task"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            if pathlib.Path(f"/proc/{gate.pid}/task/{task}/comm").read_text(encoding="utf-8").startswith("worker"):
                return True
    return False


@under_strace
def test_what_a_client_speaks_may_be_told_by_what_comes_in_between(mqgate, serve, tmp_path):
    """Four bytes of a PROXY header are there, and the rest comes while no worker looks: the socket, which awaited more
    than there was, does not go on to."""
    server = serve(Listener)
    gate = mqgate(conf(server.port, global_={"workers": 1},
                       listener={"protocol": "auto", "proxy_protocol": "required", "proxy_from": ["127.0.0.0/8"]}))
    packet = connect(4, "one")
    said = b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 1883\r\n" + packet
    with gate.connect() as client:
        client.sendall(said[:4])
        until(lambda: "state=tell" in gate.control("show sess"), "it to be looked at")
        with strace(gate, tmp_path, "-e", "trace=execve", "-e", "inject=execve:delay_enter=1000000"):
            upgrade = threading.Thread(target=gate.control, args=("upgrade",))
            upgrade.start()
            until(lambda: not has_workers(gate), "the workers to end")
            client.sendall(said[4:])
            upgrade.join()
        with server.accept() as accepted:
            assert receive(accepted, len(packet)) == packet
            accepted.sendall(connack(4))
            assert receive(client, 4) == connack(4)
            client.sendall(b"\xc0\0")
            assert receive(accepted, 2) == b"\xc0\0"


# --- what a process may have -----------------------------------------------------------------------------------------

LIMITS = {
    "descriptors": (resource.RLIMIT_NOFILE, lambda gate: sum(gate.descriptors().values()) + 1),  # of the question
    "memory": (resource.RLIMIT_AS, lambda gate: int(gate.status("VmSize")[0]) * 1024),
    "bytes in a file": (resource.RLIMIT_FSIZE, lambda gate: 4096),
}
if SANITIZER:
    del LIMITS["memory"]  # of which that takes all there is


@pytest.mark.parametrize("what", LIMITS)
def test_less_than_an_upgrade_takes(world, what):
    number, now = LIMITS[what]
    before = resource.prlimit(world.gate.pid, number)
    resource.prlimit(world.gate.pid, number, (now(world.gate), before[1]))
    assert not world.upgrade()
    world.all_answer()
    resource.prlimit(world.gate.pid, number, before)
    assert world.upgrade()
    world.all_answer()


def test_other_versions_take_bytes_in_hand_along(world, tmp_path):
    for change in ("optional", "optional in groups", "without names"):
        assert world.upgrade(another(tmp_path, change))
        world.all_answer()
        assert world.upgrade(BINARY)
        world.all_answer()


def test_a_start_that_finds_a_file_half_written(world, tmp_path):
    """Between the dry run and the real one, for a while."""
    good = world.gate.file.read_text(encoding="utf-8")
    path = script(tmp_path, f'[ "$1" = -c ] || echo nonsense >{world.gate.file}\nexec {BINARY} "$@"')
    with world.gate.control_connect() as operator:
        operator.sendall(f"upgrade {path}\n".encode())
        until(lambda: world.gate.stderr().count("it is tried again") >= 2, "it to be tried again")
        world.gate.file.write_text(good, encoding="utf-8")
        assert operator.recv(1000).startswith(b"Upgraded from ")
    world.all_answer()
    assert world.upgrade()
    world.all_answer()


def test_ended_children_are_waited_for_whatever_the_parent_ignores(mqgate, serve):
    """SIGCHLD comes ignored from some."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        gate = mqgate(conf(serve(Echo).port))
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert gate.control("upgrade").startswith("Upgraded from ")


# --- the dry run -----------------------------------------------------------------------------------------------------

def test_a_dry_run_that_is_killed(world, tmp_path):
    """By the kernel that is out of memory, say."""
    path = script(tmp_path, f'{IN_DRY_RUN} && kill -KILL $$\nexec {BINARY} "$@"')
    assert "ended by signal 9" in world.gate.control(f"upgrade {path}")
    world.all_answer()
    assert world.upgrade()
    world.all_answer()


def test_a_dry_run_that_hangs(mqgate, serve, tmp_path):
    """It is ended after 10 s."""
    gate = mqgate(conf((listener := serve(Listener)).port))
    path = script(tmp_path, f'{IN_DRY_RUN} && kill -STOP $$\nexec {BINARY} "$@"')
    with gate.connect() as client, listener.accept() as server, gate.control_connect() as operator:
        operator.settimeout(10 + DEADLINE_S)
        operator.sendall(f"upgrade {path}\n".encode())
        gate.wait_log(event="upgrading")
        client.sendall(HELLO)
        assert b"ended by signal 9" in operator.recv(1000)
        assert receive(server, len(HELLO)) == HELLO
        assert "Upgraded" in gate.control("upgrade")
        server.sendall(HELLO)
        assert receive(client, len(HELLO)) == HELLO


def test_a_check_that_hangs_holds_nobody_up(world, tmp_path):
    path = script(tmp_path, f'[ "$1" = -c ] && echo $$ >{tmp_path}/pid && kill -STOP $$\nexec {BINARY} "$@"')
    with world.gate.control_connect() as operator:
        operator.sendall(f"upgrade {path}\n".encode())
        pid = int(until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), "the check"))
        world.all_answer()
        os.kill(pid, signal.SIGKILL)
        assert b"ended by signal 9" in operator.recv(1000)
    assert world.upgrade()
    world.all_answer()
