# SPDX-License-Identifier: Apache-2.0
"""Committed offsets with their metadata, asked of the broker by hand (OffsetFetch, version 5).

The Python client reads metadata past its end: it takes bytes with a length for text with a final zero.
"""
import socket
import struct

OFFSET_FETCH, VERSION = 9, 5
NOT_COORDINATOR = {14, 15, 16}  # loading, not available, another broker
SECONDS = 20


class NotYet(Exception):
    """The coordinator cannot answer now."""


def _text(text):
    data = text.encode()
    return struct.pack(">h", len(data)) + data


class _Answer:
    """Reads big-endian fields one after another."""

    def __init__(self, data):
        self._data, self._at = data, 0

    def take(self, kind):
        value = struct.unpack_from(">" + kind, self._data, self._at)[0]
        self._at += struct.calcsize(">" + kind)
        return value

    def text(self):
        length = self.take("h")
        if length < 0:
            return ""
        self._at += length
        return self._data[self._at - length:self._at].decode()


def _receive(connection, count):
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise ConnectionError("the broker ended the connection")
        data += piece
    return data


def _ask(address, group):
    host, port = address.rsplit(":", 1)
    body = (struct.pack(">hhi", OFFSET_FETCH, VERSION, 1) + _text("e2e") + _text(group) +
            struct.pack(">i", -1))  # all topics
    with socket.create_connection((host, int(port)), SECONDS) as connection:
        connection.settimeout(SECONDS)
        connection.sendall(struct.pack(">i", len(body)) + body)
        size = struct.unpack(">i", _receive(connection, 4))[0]
        answer = _Answer(_receive(connection, size))
    answer.take("i")  # correlation id
    answer.take("i")  # throttle time
    found, errors = {}, set()
    for _ in range(answer.take("i")):
        topic = answer.text()
        for _ in range(answer.take("i")):
            partition, offset = answer.take("i"), answer.take("q")
            answer.take("i")  # leader epoch
            found[topic, partition] = (offset, answer.text())
            errors.add(answer.take("h"))
    errors.add(answer.take("h"))
    if errors & NOT_COORDINATOR:
        raise NotYet(f"{address} is not the coordinator of {group} now")
    if errors - {0}:
        raise AssertionError(f"offsets of {group}: Kafka errors {sorted(errors)}")
    return found


def committed(bootstrap, group):
    """{(topic, partition): (offset, metadata)} of a group. The first broker that may answer does."""
    failure = None
    for address in bootstrap.split(","):
        try:
            return _ask(address, group)
        except (OSError, NotYet) as error:
            failure = error
    raise failure
