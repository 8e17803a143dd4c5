"""Clients and a server for test_reload_unusual.py, each a process of its own, so that they keep their pace whatever
it does.

    reload_load.py echo              sends back what comes; says its port; runs until standard input ends
    reload_load.py come PORT RATE    so many connections a second: each sends a few bytes, hears them back and goes
    reload_load.py hold PORT N RATE  N connections that stay, and together send so many numbered messages a second

The last two run until standard input ends, hear out what is on its way, and say as JSON what became of it.
"""
import collections
import itertools
import json
import os
import select
import socket
import struct
import sys
import time

LINGER_0 = struct.pack("ii", 1, 0)
MESSAGE = struct.Struct("!IQ")  # whose, and which of its messages
GIVE_UP_S = 20.0


class Turns:
    """An epoll, with the end of standard input as what ends it."""

    def __init__(self):
        self.epoll = select.epoll()
        self.epoll.register(0, select.EPOLLIN | select.EPOLLHUP)
        self.asked_to_end = False

    def wait(self, seconds):
        for fd, events in self.epoll.poll(max(seconds, 0)):
            if fd == 0:
                if not os.read(0, 4096):
                    self.asked_to_end = True
                    self.epoll.unregister(0)
            else:
                yield fd, events


def sources():
    """Addresses of the clients' side: one alone has too few ports."""
    return itertools.cycle(f"127.0.{i}.{j}" for i in range(1, 9) for j in range(1, 251))


def begin_connect(source, port):
    sock = socket.socket()
    sock.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.bind((source, 0))
    sock.setblocking(False)
    sock.connect_ex(("127.0.0.1", port))
    return sock


# --- echo ------------------------------------------------------------------------------------------------------------

def echo():
    turns = Turns()
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    listener.setblocking(False)
    turns.epoll.register(listener, select.EPOLLIN)
    print(listener.getsockname()[1], flush=True)
    peers = {}

    def accept_all():
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setblocking(False)
            peers[sock.fileno()] = sock
            turns.epoll.register(sock, select.EPOLLIN)

    while not turns.asked_to_end:
        for fd, _ in turns.wait(1):
            if fd == listener.fileno():
                accept_all()
                continue
            try:
                data = peers[fd].recv(65536)
                if data:
                    peers[fd].send(data)
            except OSError:
                data = b""
            if not data:
                peers.pop(fd).close()


# --- those that come and go ------------------------------------------------------------------------------------------

class Comers:
    def __init__(self, port, rate):
        self._port, self._rate = port, rate
        self._turns, self._sources = Turns(), sources()
        self._open = {}  # descriptor: (socket, when it began)
        self.fates = collections.Counter()
        self.worst_s = 0.0

    def _begin(self, now):
        try:
            sock = begin_connect(next(self._sources), self._port)
        except OSError as e:
            self.fates[f"not begun: {e.strerror}"] += 1
            return
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_0)  # leaves no port in TIME_WAIT
        self._open[sock.fileno()] = [sock, now, False]
        self._turns.epoll.register(sock, select.EPOLLOUT)

    def _end(self, fd, fate):
        self.fates[fate] += 1
        self._turns.epoll.unregister(fd)
        self._open.pop(fd)[0].close()

    def _step(self, fd, now):
        sock, begun, said = each = self._open[fd]
        if not said:
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                return self._end(fd, f"connect: {os.strerror(error)}")
            sock.send(MESSAGE.pack(fd, 0))
            each[2] = True
            self._turns.epoll.modify(fd, select.EPOLLIN)
            return None
        try:
            heard = sock.recv(100)
        except OSError as e:
            return self._end(fd, f"cut: {e.strerror}")
        self.worst_s = max(self.worst_s, now - begun)
        return self._end(fd, "served" if heard == MESSAGE.pack(fd, 0) else "wrong" if heard else "ended unheard")

    def run(self):
        begun_s, n = time.monotonic(), 0
        while not self._turns.asked_to_end or self._open:
            now = time.monotonic()
            if not self._turns.asked_to_end:
                due = int((now - begun_s) * self._rate)
                for _ in range(min(due - n, 50)):
                    self._begin(now)
                    n += 1
            for fd, _ in list(self._turns.wait(0.002)):
                self._step(fd, time.monotonic())
            if self._open:
                fd, (_, since, _) = next(iter(self._open.items()))
                if now - since > GIVE_UP_S:
                    self._end(fd, "given up")
        took_s = time.monotonic() - begun_s
        print(json.dumps({"begun": n, "fates": self.fates, "worst_s": round(self.worst_s, 3),
                          "rate": round(n / took_s, 1)}))


# --- those that stay -------------------------------------------------------------------------------------------------

class Holders:
    def __init__(self, port, n, rate):
        self._turns, self._rate = Turns(), rate
        self._open = {}  # descriptor: what is known of it
        self.faults = collections.Counter()
        self._sent = self._heard = 0
        every = sources()
        for who in range(n):
            sock = begin_connect(next(every), port)
            sock.setblocking(True)
            sock.settimeout(GIVE_UP_S)
            sock.send(b"")  # waits for the connection
            self._open[sock.fileno()] = {"sock": sock, "who": who, "sent": 0, "heard": 0, "rest": b""}
            self._say(sock.fileno())
            while self._open[sock.fileno()]["heard"] == 0:
                self._hear(sock.fileno())
            sock.setblocking(False)
            self._turns.epoll.register(sock, select.EPOLLIN)
        print("held", flush=True)

    def _say(self, fd):
        s = self._open[fd]
        s["sock"].send(MESSAGE.pack(s["who"], s["sent"]))
        s["sent"] += 1
        self._sent += 1

    def _lose(self, fd, why):
        self.faults[why] += 1
        self._turns.epoll.unregister(fd)
        self._open.pop(fd)["sock"].close()

    def _hear(self, fd):
        s = self._open[fd]
        try:
            data = s["sock"].recv(65536)
        except OSError as e:
            return self._lose(fd, f"cut: {e.strerror}")
        if not data:
            return self._lose(fd, "ended")
        data = s["rest"] + data
        whole = len(data) // MESSAGE.size
        for at in range(whole):
            if MESSAGE.unpack_from(data, at * MESSAGE.size) != (s["who"], s["heard"]):
                return self._lose(fd, "not the message that was due")
            s["heard"] += 1
            self._heard += 1
        s["rest"] = data[whole * MESSAGE.size:]
        return None

    def run(self):
        begun_s, n = time.monotonic(), 0
        speakers = itertools.cycle(list(self._open))
        while not self._turns.asked_to_end:
            due = int((time.monotonic() - begun_s) * self._rate)
            for _ in range(due - n):
                fd = next(speakers)
                if fd in self._open:
                    self._say(fd)
            n = due
            for fd, _ in list(self._turns.wait(0.005)):
                self._hear(fd)
        end_s = time.monotonic() + GIVE_UP_S
        while self._open and self._heard < self._sent and time.monotonic() < end_s:
            for fd, _ in list(self._turns.wait(0.1)):
                self._hear(fd)
        print(json.dumps({"left": len(self._open), "sent": self._sent, "heard": self._heard, "faults": self.faults}))


if __name__ == "__main__":
    kind, *numbers = sys.argv[1:]
    if kind == "echo":
        echo()
    elif kind == "come":
        Comers(*map(int, numbers)).run()
    else:
        Holders(*map(int, numbers)).run()
