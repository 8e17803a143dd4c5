"""MQTT clients that stay connected, and tell each connection that they lose. A process of its own, in the internet.

    crowd.py N CA PING_S NAME ADDRESS...

N clients, in turn of the four protocols, of MQTT 3.1.1 and 5, and of the addresses. Each comes again when it lost its
connection. Told as lines of JSON: {"t": seconds of the monotonic clock, "who": client, "what": "in", "lost" or
"refused", "how": ...}. Ends when standard input does.
"""
import asyncio
import json
import random
import ssl
import sys
import time

PORTS = ("mqtt", 1883), ("mqtts", 8883), ("ws", 8083), ("wss", 8084)
PINGREQ, DISCONNECT = b"\xc0\0", b"\xe0\0"
UPGRADE = ("GET /mqtt HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
ANSWER_S = 15


class Refused(Exception):
    pass


class Lost(Exception):
    pass


class Client:
    def __init__(self, who, settings):
        self.who, self.settings = who, settings
        self.protocol, self.port = PORTS[who % 4]
        self.level = 5 if who // 4 % 2 else 4
        self.address = settings.addresses[who // 8 % len(settings.addresses)]
        self.pinged = False

    def tell(self, what, how=""):
        print(json.dumps({"t": time.monotonic(), "who": self.who, "what": what, "how": how}), flush=True)

    # --- packets, in WebSocket frames or without ---

    def send(self, packet):
        if self.protocol.startswith("ws"):
            packet = bytes([0x82, 0x80 | len(packet)]) + bytes(4) + packet
        self.writer.write(packet)

    async def take(self, n):
        """n bytes of MQTT."""
        if not self.protocol.startswith("ws"):
            return await self.reader.readexactly(n)
        while len(self.payload) < n:
            first, size = await self.reader.readexactly(2)
            if size > 125:
                raise Lost("a frame that is no small one")
            body = await self.reader.readexactly(size)
            if first & 15 == 8:
                raise Lost(f"close frame {int.from_bytes(body[:2], 'big')}")
            if first & 15 == 9:  # mosquitto asks after five minutes, and goes when it is not answered
                self.writer.write(bytes([0x8A, 0x80 | size]) + bytes(4) + body)
            self.payload += body if first & 15 == 2 else b""
        taken, self.payload = self.payload[:n], self.payload[n:]
        return taken

    async def packet(self):
        first, size = await self.take(2)
        if size > 127:
            raise Lost("a packet that is no small one")
        return first, await self.take(size)

    # --- a connection ---

    async def connect(self):
        tls = self.settings.tls if self.port in (8883, 8084) else None
        self.reader, self.writer = await asyncio.open_connection(
            self.address, self.port, ssl=tls, server_hostname=self.settings.name if tls else None)
        self.payload = b""
        if self.protocol.startswith("ws"):
            self.writer.write(UPGRADE.format(self.settings.name).encode())
            head = await self.reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 101 "):
                raise Refused(head.split(b"\r\n")[0].decode())
        name = f"client-{self.who}".encode()
        body = (b"\0\4MQTT" + bytes([self.level, 2]) + (self.settings.ping_s * 4).to_bytes(2, "big")
                + (b"\0" if self.level == 5 else b"") + len(name).to_bytes(2, "big") + name)
        self.send(bytes([0x10, len(body)]) + body)
        first, answer = await self.packet()
        if first != 0x20 or answer[1]:
            raise Refused(f"CONNACK {answer[1]:#04x}" if first == 0x20 else f"packet {first:#04x}")

    async def ping(self):
        while True:
            await asyncio.sleep(self.settings.ping_s)
            if self.pinged:
                self.silent = True
                self.writer.transport.abort()
                return
            self.pinged = True
            self.send(PINGREQ)

    async def stay(self):
        """Until the connection is lost: how it was."""
        self.pinged = self.silent = False
        pinger = asyncio.create_task(self.ping())
        try:
            while True:
                first, body = await self.packet()
                if first == 0xE0:
                    return f"DISCONNECT {body[0] if body else 0:#04x}"
                self.pinged = False
        except Lost as lost:
            return str(lost)
        except asyncio.IncompleteReadError as error:
            return "no answer to a PINGREQ" if self.silent else "cut within a packet" if error.partial else "end"
        except OSError as error:
            return "no answer to a PINGREQ" if self.silent else type(error).__name__
        finally:
            pinger.cancel()

    async def live(self):
        wait_s = 0.1
        while True:
            async with self.settings.at_once:
                try:
                    await asyncio.wait_for(self.connect(), ANSWER_S)
                except (Refused, Lost, OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
                    self.tell("refused", f"{type(error).__name__} {error}")
                    how = None
                else:
                    self.tell("in")
                    how = ""
            if how is not None:
                self.tell("lost", await self.stay())
                wait_s = 0.1
            if hasattr(self, "writer"):
                self.writer.transport.abort()
            await asyncio.sleep(random.uniform(0.5, 1) * wait_s)
            wait_s = min(wait_s * 2, 2)


async def main(n, ca, ping_s, name, *addresses):
    class settings:
        at_once = asyncio.Semaphore(64)
        tls = ssl.create_default_context(cafile=ca)
    settings.ping_s, settings.name, settings.addresses = int(ping_s), name, addresses
    clients = [Client(who, settings) for who in range(int(n))]
    lives = [asyncio.create_task(client.live()) for client in clients]
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for life in lives:
        life.cancel()


asyncio.run(main(*sys.argv[1:]))
