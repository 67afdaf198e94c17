"""A TCP proxy that does to a connection what networks do: delays, cuts, goes silent, and, for
Postgres, swallows the answer of a statement that has committed.

    proxy = Proxy("postgres", ("127.0.0.1", 5432))
    proxy.address                         where to connect instead
    proxy.delay = 0.2                     seconds, each way
    proxy.cut()                           reset every connection
    proxy.refuse = True                   and accept no new ones
    proxy.silent = True                   half open: bytes vanish, nobody is told
    proxy.swallow = {"settle": 0.1}       share of the statement's answers that vanish, with their link
    proxy.roll_back = {"claim": 0.1}      rows arrive, the COMMIT does not: the link breaks between
    proxy.fired                           Counter of what it has done
    proxy.spoilt                          for "provider": attempts whose answers it may have kept back
    proxy.close()

Kafka's brokers tell clients where else to connect; for kind "kafka" the real address is replaced in
what they say. Postgres is asked not to encrypt. Runs in a thread of its own.
"""
import asyncio
import collections
import random
import re
import socket
import struct
import threading

PIECE = 65536
SSL_REQUESTS = (80877103, 80877104)  # SSL, GSS
MAX_FRAME = 1 << 16
FLUSH = b"H\0\0\0\4"
ATTEMPT = re.compile(rb"(?i)x-client-request-id: *([0-9a-f-]{36})\r")


class Proxy:
    def __init__(self, kind, upstream, seed=0):
        self.kind, self.upstream = kind, upstream
        self.delay, self.refuse, self.silent = 0.0, False, False
        self.swallow, self.roll_back = {}, {}
        self.fired, self.spoilt = collections.Counter(), set()
        self.dice = random.Random(seed)
        self.links = set()
        self.loop = asyncio.new_event_loop()
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        self.ready.wait(10)

    def _run(self):
        asyncio.set_event_loop(self.loop)
        self.server = self.loop.run_until_complete(
            asyncio.start_server(self._accept, "127.0.0.1", 0, limit=PIECE))
        self.address = self.server.sockets[0].getsockname()
        self.ready.set()
        self.loop.run_forever()

    def close(self):
        self.cut()
        self.loop.call_soon_threadsafe(self.server.close)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    def cut(self):
        """Reset them all; returns how many there were."""
        links = list(self.links)
        for link in links:
            self.loop.call_soon_threadsafe(link.cut)
        self.fired["cut"] += len(links)
        return len(links)

    async def _accept(self, reader, writer):
        if self.refuse:
            self.fired["refused"] += 1
            abort(writer)
            return
        try:
            up_reader, up_writer = await asyncio.open_connection(*self.upstream, limit=PIECE)
        except OSError:
            abort(writer)
            return
        link = (PostgresLink if self.kind == "postgres" else
                KafkaLink if self.kind == "kafka" else ProviderLink)(self, writer, up_writer)
        self.links.add(link)
        try:
            await asyncio.gather(link.carry(reader, up_writer, link.to_server),
                                 link.carry(up_reader, writer, link.to_client))
        finally:
            self.links.discard(link)
            abort(writer)
            abort(up_writer)


def abort(writer):
    """With a reset, not a farewell."""
    peer = writer.get_extra_info("socket")
    try:
        if peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    except OSError:
        pass


class Link:
    """One connection and its other half; both ends break together."""

    def __init__(self, proxy, writer, up_writer):
        self.proxy, self.writer, self.up_writer = proxy, writer, up_writer

    def reset(self):
        abort(self.writer)
        abort(self.up_writer)

    def cut(self):
        self.reset()

    async def carry(self, reader, writer, change):
        try:
            while piece := await reader.read(PIECE):
                if self.proxy.delay:
                    self.proxy.fired["delayed"] += 1
                    await asyncio.sleep(self.proxy.delay)
                if self.proxy.silent:
                    self.proxy.fired["lost"] += 1
                    self.lose(piece)
                    continue
                piece = change(piece)
                if piece:
                    writer.write(piece)
                    await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        self.reset()

    def lose(self, piece):
        pass

    def to_server(self, piece):
        return piece

    def to_client(self, piece):
        return piece


class ProviderLink(Link):
    """Calls follow each other; what is done to the link is done to the last of them, though the
    provider believes that its answer was delivered."""

    def __init__(self, *parts):
        super().__init__(*parts)
        self.tail, self.attempt = b"", None

    def to_server(self, piece):
        seen = self.tail + piece
        for found in ATTEMPT.finditer(seen):
            self.attempt = found.group(1).decode().lower()
        self.tail = seen[-100:]
        return piece

    def lose(self, piece):
        self.to_server(piece)
        self.proxy.spoilt.add(self.attempt)

    def cut(self):
        self.proxy.spoilt.add(self.attempt)
        self.reset()


class KafkaLink(Link):
    """Answers come in frames; the small ones may name the broker."""

    def __init__(self, *parts):
        super().__init__(*parts)
        self.held, self.passing = b"", 0
        host, port = self.proxy.upstream
        self.real = host.encode() + struct.pack(">i", port)
        self.ours = host.encode() + struct.pack(">i", self.proxy.address[1])

    def to_client(self, piece):
        out = b""
        self.held += piece
        while self.held:
            if self.passing:
                take = self.held[:self.passing]
                self.passing -= len(take)
                self.held = self.held[len(take):]
                out += take
                continue
            if len(self.held) < 4:
                break
            size = 4 + struct.unpack_from(">i", self.held)[0]
            if size > MAX_FRAME:
                self.passing = size
                continue
            if len(self.held) < size:
                break
            out += self.held[:size].replace(self.real, self.ours)
            self.held = self.held[size:]
        return out


class PostgresLink(Link):
    """Follows the messages of both sides. The fate of a statement is drawn when its sync, which is
    its COMMIT, comes by: it passes; its answer is swallowed and the link broken; or the sync itself
    is withheld, so that the client sees rows of a transaction that is never committed."""

    def __init__(self, *parts):
        super().__init__(*parts)
        self.started, self.asked, self.told = False, b"", b""
        self.statement, self.open = "", collections.deque()

    def to_server(self, piece):
        self.asked += piece
        out = b""
        while True:
            started = self.started
            message = take_message(self.asked) if started else self._take_startup()
            if message is None:
                return out
            self.asked = self.asked[len(message):]
            if started:
                out += self._question(message)
            elif self.started:
                out += message

    def _take_startup(self):
        if len(self.asked) < 8:
            return None
        size, code = struct.unpack_from(">ii", self.asked)
        if len(self.asked) < size:
            return None
        if code in SSL_REQUESTS:
            self.writer.write(b"N")
        else:
            self.started = True
        return self.asked[:size]

    def _question(self, message):
        if message[:1] == b"B":
            self.statement = message[5:].split(b"\0", 2)[1].decode()
        elif message[:1] == b"S":
            fate = self._draw(self.statement)
            self.open.append((self.statement, fate))
            self.statement = ""
            if fate == "rolled back":
                return FLUSH
        return message

    def _draw(self, statement):
        chance = self.proxy.dice.random()
        swallow = self.proxy.swallow.get(statement, 0)
        if chance < swallow:
            return "swallowed"
        return "rolled back" if chance < swallow + self.proxy.roll_back.get(statement, 0) else "passed"

    def to_client(self, piece):
        self.told += piece
        out = b""
        while message := take_message(self.told):
            self.told = self.told[len(message):]
            statement, fate = self.open[0] if self.open else ("", "passed")
            last = b"C" if fate == "rolled back" else b"Z"
            if message[:1] == last and self.open:
                self.open.popleft()
                if fate != "passed":
                    self._end(out + message if fate == "rolled back" else b"", fate, statement)
                    return b""
            if fate != "swallowed":
                out += message
        return out

    def _end(self, last_words, fate, statement):
        self.proxy.fired[f"{fate} {statement}"] += 1
        abort(self.up_writer)
        if last_words:
            self.writer.write(last_words)
            self.writer.close()
        else:
            abort(self.writer)


def take_message(data):
    """The first whole message, or None."""
    if len(data) < 5:
        return None
    size = 1 + struct.unpack_from(">i", data, 1)[0]
    return data[:size] if len(data) >= size else None
