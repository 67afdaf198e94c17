"""Hostile HTTP against `sluice api`: whatever strangers send, others keep being served, quickly, and
the server's memory stays where it was."""
import os
import resource
import select
import socket
import threading
import time

from api import Api, job, make_key
from fleet import Fleet, claim, same, say, sure, wait_for

LIMIT = 100	   # connections, of the server
IDLE = 3	   # seconds, of the server
PATIENCE = 5	   # what an honest client may wait for its answer at most
MEMORY = 64 << 20  # most that all of this together may add


class Honest(threading.Thread):
    """Somebody with a key who asks all the time, each time on a new connection."""

    def __init__(self, api, key):
        super().__init__(daemon=True)
        self.api, self.key, self.over = api, key, threading.Event()
        self.slowest, self.served, self.refused = 0.0, 0, []

    def run(self):
        while not self.over.is_set():
            began = time.monotonic()
            status = self.api.ask("GET", "/v1/jobs?limit=1", key=self.key).status
            self.slowest = max(self.slowest, time.monotonic() - began)
            if status == 200:
                self.served += 1
            else:
                self.refused.append(status)
            self.over.wait(0.02)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, error, trace):
        self.over.set()
        self.join()
        if kind is None:
            say(f"    served {self.served} meanwhile, the slowest in {self.slowest * 1000:.0f} ms")
            same(self.refused, [], "answers to the honest other than 200")
            sure(self.served > 0, "the honest were served")
            sure(self.slowest < PATIENCE, f"an answer took {self.slowest:.1f} s")


def memory(api):
    """Resident bytes of the server."""
    with open(f"/proc/{api.process.pid}/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def dial(api):
    return socket.create_connection(("127.0.0.1", api.port), timeout=10)


def is_closed(sock):
    """Whether the server has hung up."""
    sock.setblocking(False)
    try:
        while sock.recv(65536):
            pass
        return True
    except BlockingIOError:
        return False
    except OSError:
        return True


def head(key, *lines, method="POST", path="/v1/jobs"):
    return (f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
            + "".join(line + "\r\n" for line in lines)).encode()


def drip(sockets, seconds):
    """A byte on each, twice a second. Returns when all were hung up on, or after so many seconds."""
    until = time.monotonic() + seconds
    left = list(sockets)
    while left and time.monotonic() < until:
        for sock in left[:]:
            try:
                sock.setblocking(False)
                sock.send(b"a")
            except BlockingIOError:
                pass
            except OSError:
                left.remove(sock)
        time.sleep(0.5)  # the pace of a slow client: it is the attack
    return left


def slow_loris(api, key):
    claim("whoever drips a request, head or body, is hung up on in time, and holds up nobody")
    with Honest(api, key):
        heads = [dial(api) for _ in range(LIMIT // 3)]
        for sock in heads:
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        bodies = [dial(api) for _ in range(LIMIT // 3)]
        for sock in bodies:
            sock.sendall(head(key, "Content-Type: application/json", "Content-Length: 100000") + b"\r\n{")
        left = drip(heads + bodies, IDLE * 5)
        for sock in heads + bodies:
            sock.close()
    same(len(left), 0, f"of {len(heads + bodies)} that dripped, still connected")


def crowd(api, key):
    claim(f"2,000 connections against a limit of {LIMIT} keep nobody out")
    before = memory(api)
    crowded = []
    with Honest(api, key):
        for i in range(2000):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", api.port))
            crowded.append(sock)
        for i, sock in enumerate(crowded):
            try:
                if i % 2:
                    sock.send(b"GET / HT")
            except OSError:
                pass
        until = time.monotonic() + 3
        while time.monotonic() < until:
            select.select([], [], [], 0.1)
        most = len(os.listdir(f"/proc/{api.process.pid}/fd"))
    for sock in crowded:
        sock.close()
    say(f"    {most} descriptors, {memory(api) >> 20} MiB resident, {before >> 20} before")
    sure(most < LIMIT + 100, f"the server holds {most} descriptors")


def garbage(api, key):
    claim("garbage, pipelined or not, gets an error or is hung up on")
    with Honest(api, key):
        for junk in (b"\x00" * 4096, os.urandom(65536), b"\r\n" * 5000, b"GET\r\n\r\n" * 100,
                     b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(500),
                     b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + os.urandom(10000),
                     b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n",
                     b"GET /healthz\r\n", b"A" * 200000):
            got = api.raw(junk + b"\r\n\r\n", IDLE + 2)
            sure(got == b"" or got.startswith(b"HTTP/1."), f"answer to {junk[:30]}: {got[:80]}")
        claim("a thousand requests in one packet are answered one after the other")
        one = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        got = api.raw(one * 999 + one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), 20)
        same(got.count(b"HTTP/1.1 200"), 1000, "answers")


def smuggling(api, fleet, key):
    claim("what two servers may read differently is refused, and nothing after it is run")
    body = b'{"business_unit":"search","prompt":{"messages":[{"role":"user","content":"x"}]}}'
    second = head(key, "Content-Length: %d" % len(body)) + b"\r\n" + body
    sure(api.raw(second, 1).startswith(b"HTTP/1.1 202"), "the second one alone would be run")
    before = fleet.number("SELECT count(*) FROM jobs")
    length = "Content-Length: %d"
    for lines in ((length % 5, length % 6), (length % 5, length % 5),
                  (length % 5, "Transfer-Encoding: chunked"), ("Transfer-Encoding: chunked", length % 5),
                  ("Transfer-Encoding: chunked, identity",), ("Transfer-Encoding: xchunked",),
                  ("Transfer-Encoding:\x0bchunked",), ("Transfer-Encoding : chunked", length % 0),
                  ("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
                  ("Content-Length: -1",), ("Content-Length: +5",), ("Content-Length: 5, 5",),
                  ("Content-Length: 0x5",), ("Content-Length: 5 5",),
                  ("Content-Length: 99999999999999999999999",), ("Content-Length: ",),
                  ("Host: y", length % 0)):
        got = api.raw(head(key, *lines) + b"\r\n0\r\n\r\n" + second, IDLE + 2)
        sure(got == b"" or got.startswith(b"HTTP/1.1 4"), f"answer to {lines}: {got[:120]}")
        sure(b"HTTP/1.1 2" not in got, f"a second request was answered after {lines}: {got[:300]}")
    same(fleet.number("SELECT count(*) FROM jobs"), before, "jobs")


def oversize(api, key):
    claim("heads and bodies over the caps are refused before they are read whole")
    before = memory(api)
    with Honest(api, key):
        for lines in (["X-Big: " + "a" * 100000], [f"X-{i}: {i}" for i in range(20000)],
                      ["Cookie: " + "a=b; " * 20000]):
            got = api.raw(head(key, *lines) + b"\r\n", IDLE + 2)
            sure(got == b"" or got.startswith((b"HTTP/1.1 431", b"HTTP/1.1 413", b"HTTP/1.1 400")),
                 f"answer to a long head: {got[:100]}")
        got = api.raw(b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", IDLE + 2)
        sure(got == b"" or got.startswith((b"HTTP/1.1 414", b"HTTP/1.1 431")), f"long line: {got[:100]}")
        got = api.raw(head(key, "Content-Length: 100000000000") + b"\r\n", IDLE + 2)
        sure(got.startswith(b"HTTP/1.1 413"), f"a length over the cap: {got[:100]}")
        sure(b"urn:sluice:problem:too_large" in got and b"X-Request-Id: " in got, f"a problem: {got}")
        for _ in range(3):
            flood(api, key)
    say(f"    {memory(api) >> 20} MiB resident, {before >> 20} before")


def flood(api, key):
    """Chunks without end."""
    with dial(api) as sock:
        sock.sendall(head(key, "Transfer-Encoding: chunked") + b"\r\n")
        piece = b"100000\r\n" + b"a" * (1 << 20) + b"\r\n"
        sent = 0
        try:
            for _ in range(200):
                sock.sendall(piece)
                sent += 1
        except OSError:
            pass
        sure(sent < 40, f"{sent} MiB of chunks were taken")


def slow_readers(api, key):
    claim("whoever asks and does not read costs little and holds up nobody")
    before = memory(api)
    with Honest(api, key):
        readers = []
        for _ in range(LIMIT // 2):
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            sock.connect(("127.0.0.1", api.port))
            sock.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
            readers.append(sock)
        # Read a byte now and then, so that there is no silence.
        until = time.monotonic() + IDLE * 3
        while time.monotonic() < until:
            for sock in readers:
                sock.setblocking(False)
                try:
                    sock.recv(1)
                except OSError:
                    pass
            time.sleep(0.3)  # the pace of a slow reader: it is the attack
        most = memory(api)
    say(f"    {most >> 20} MiB resident, {before >> 20} before")
    for sock in readers:
        sock.close()


def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    with Fleet("test_hostile_http") as fleet:
        config = fleet.write_config("api.json", api={
            "max_connections": LIMIT, "idle_timeout": f"{IDLE}s", "max_body": "1MiB"})
        key = make_key(fleet, "search")
        api = Api(fleet, config=config).start()
        same(api.ask("POST", "/v1/jobs", job(), key).status, 202, "a job before")
        began = memory(api)
        slow_loris(api, key)
        crowd(api, key)
        garbage(api, key)
        smuggling(api, fleet, key)
        oversize(api, key)
        slow_readers(api, key)
        claim("after all of it the server is the same process, as large as before, and its doors are free")
        same(api.process.poll(), None, "exit code of the api")
        wait_for(20, "connections are gone",
                 lambda: len(os.listdir(f"/proc/{api.process.pid}/fd")) < 40)
        same(api.ask("POST", "/v1/jobs", job(), key).status, 202, "a job after")
        say(f"    {memory(api) >> 20} MiB resident after all, {began >> 20} before")
        sure(memory(api) - began < MEMORY, f"it grew by {(memory(api) - began) >> 20} MiB")
        api.stop()


if __name__ == "__main__":
    main()
