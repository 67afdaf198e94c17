"""The committed offsets of a consumer group, asked from the broker in Kafka's own protocol, because
no tool at hand tells them without joining the group. OffsetFetch version 1 alone.

    reader = OffsetReader("127.0.0.1:9092", "sluice-workers")
    reader.read({"sluice.economy.normal": 4})        {("sluice.economy.normal", 0): 17, ...}

    watch = Watch(reader, {"sluice.economy.normal": 4}, "offsets.log")     ten times a second
    watch.stop()
"""
import socket
import struct
import threading
import time

OFFSET_FETCH = 9
VERSION = 1
MAX_REPLY = 16 << 20


class OffsetReader:
    def __init__(self, brokers, group):
        host, _, port = brokers.split(",")[0].rpartition(":")
        self.address, self.group, self.link, self.number = (host, int(port)), group, None, 0

    def read(self, topics):
        """Where nothing is committed there is no entry. OSError when the broker is away."""
        try:
            return self._read(topics)
        except (OSError, struct.error) as error:
            self.close()
            raise OSError(f"the broker does not tell the group's offsets: {error}") from error

    def close(self):
        if self.link:
            self.link.close()
        self.link = None

    def _read(self, topics):
        if not self.link:
            self.link = socket.create_connection(self.address, timeout=5)
        self.number += 1
        body = text(self.group) + struct.pack(">i", len(topics))
        for topic, partitions in sorted(topics.items()):
            body += text(topic) + struct.pack(f">i{partitions}i", partitions, *range(partitions))
        head = struct.pack(">hhi", OFFSET_FETCH, VERSION, self.number) + text("chaos")
        self.link.sendall(struct.pack(">i", len(head + body)) + head + body)
        (size,) = struct.unpack(">i", self._take(4))
        if not 4 <= size <= MAX_REPLY:
            raise OSError("no Kafka reply")
        return parse(self._take(size))

    def _take(self, size):
        data = b""
        while len(data) < size:
            piece = self.link.recv(size - len(data))
            if not piece:
                raise OSError("cut off")
            data += piece
        return data


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


def parse(data):
    at, found = 4, {}  # after the correlation id

    def number(form, size):
        nonlocal at
        (value,) = struct.unpack_from(form, data, at)
        at += size
        return value

    for _ in range(number(">i", 4)):
        size = number(">h", 2)
        topic = data[at:at + size].decode()
        at += size
        for _ in range(number(">i", 4)):
            partition, offset = number(">i", 4), number(">q", 8)
            metadata = number(">h", 2)
            at += max(0, metadata)
            error = number(">h", 2)
            if error:
                raise OSError(f"the broker answers with error {error}")
            if offset >= 0:
                found[topic, partition] = offset
    return found


class Watch(threading.Thread):
    """A line "seconds topic partition offset" for each change seen, in the order of seeing."""

    def __init__(self, reader, topics, path, interval=0.1):
        super().__init__(daemon=True)
        self.reader, self.topics, self.path, self.interval = reader, topics, path, interval
        self.over = threading.Event()
        self.looks = 0
        self.start()

    def run(self):
        last = {}
        with open(self.path, "a", encoding="utf-8") as file:
            while not self.over.wait(self.interval):
                try:
                    now = self.reader.read(self.topics)
                except OSError:
                    continue
                self.looks += 1
                for (topic, partition), offset in now.items():
                    if last.get((topic, partition)) != offset:
                        file.write(f"{time.monotonic():.3f} {topic} {partition} {offset}\n")
                last = now
                file.flush()

    def stop(self):
        self.over.set()
        self.join(30)
        self.reader.close()
