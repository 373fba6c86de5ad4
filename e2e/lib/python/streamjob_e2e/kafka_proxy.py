# SPDX-License-Identifier: Apache-2.0
"""A proxy that understands Kafka's frames and breaks what it is told to, by request and by id.

It stands where a listener of the broker is advertised (`kafka env`: KAFKA_PROXY, served by the broker
at KAFKA_BEHIND), so that clients stay on it whatever they look up, and no answer has to be rewritten.
Of a request it reads the header and, for those of transactions, the transactional id; of an answer the
error code where it stands first. Everything else passes byte for byte, in order, except what a rule
holds. A request that is held outlives its client's connection, as one stuck in a network does.
"""
import collections
import dataclasses
import struct
import threading
import time

from streamjob_e2e import sockets
from streamjob_e2e.rules import Rule, Rules

PRODUCE, FETCH, OFFSET_FETCH, INIT_PRODUCER_ID = 0, 1, 9, 22
ADD_PARTITIONS, ADD_OFFSETS, END_TXN, TXN_OFFSET_COMMIT = 24, 25, 26, 28
# Requests that begin with a transactional id: key -> (first version with one, first with compact text).
WITH_ID = {PRODUCE: (3, 9), INIT_PRODUCER_ID: (0, 2), ADD_PARTITIONS: (0, 3), ADD_OFFSETS: (0, 3),
           END_TXN: (0, 3), TXN_OFFSET_COMMIT: (0, 3)}
# Answers with an error code right after the throttle time.
WITH_ERROR = {INIT_PRODUCER_ID, ADD_OFFSETS, END_TXN}
FRAME_MAX = 1 << 28
HISTORY_MAX = 200_000
INVALID_PRODUCER_EPOCH, PRODUCER_FENCED = 47, 90


@dataclasses.dataclass
class Frame:
    """One request or answer. `forward` passes it on, a request as often as it is told."""
    side: str  # "request" or "answer"
    key: int
    version: int
    correlation: int
    client: str
    transactional_id: str
    data: bytes
    link: object = None
    request: object = None  # of an answer
    error: int = None  # of an answer, where it is read

    def forward(self, data=None, copies=1):
        self.link.pass_on(self, self.data if data is None else data, copies)


def _varint(data, at):
    value, shift = 0, 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
        shift += 7


def _text(data, at):
    length = struct.unpack_from(">h", data, at)[0]
    at += 2
    return ("", at) if length < 0 else (data[at:at + length].decode(errors="replace"), at + length)


def _compact(data, at):
    length, at = _varint(data, at)
    return ("", at) if length == 0 else (data[at:at + length - 1].decode(errors="replace"),
                                         at + length - 1)


def _skip_tags(data, at):
    count, at = _varint(data, at)
    for _ in range(count):
        _, at = _varint(data, at)
        size, at = _varint(data, at)
        at += size
    return at


def parse_request(data):
    """The frame of a request without its length."""
    key, version, correlation = struct.unpack_from(">hhi", data)
    client, at = _text(data, 8)
    transactional_id = ""
    first, compact = WITH_ID.get(key, (None, None))
    if first is not None and version >= first:
        if version >= compact:
            transactional_id, _ = _compact(data, _skip_tags(data, at))
        else:
            transactional_id, _ = _text(data, at)
    return Frame("request", key, version, correlation, client, transactional_id, data)


def parse_answer(data, request):
    error = None
    if request.key in WITH_ERROR:
        at = 4 if request.version < WITH_ID[request.key][1] else _skip_tags(data, 4)
        error = struct.unpack_from(">h", data, at + 4)[0]
    return Frame("answer", request.key, request.version, request.correlation, request.client,
                 request.transactional_id, data, request=request, error=error)


class Link:
    """One connection of a client and the one to the broker that belongs to it."""

    def __init__(self, proxy, client, broker):
        self.proxy, self.client, self.broker = proxy, client, broker
        self._lock = threading.Lock()  # guards the next two, and writing to the broker
        self._pending = {}  # correlation id -> [request, answers to come, answers to pass]
        self._held = set()  # correlation ids of requests that are held or not yet answered
        self._to_client, self.client_gone = threading.Lock(), False

    def pass_on(self, frame, data, copies=1):
        packed = (struct.pack(">i", len(data)) + data) * copies
        try:
            if frame.side == "request":
                with self._lock:
                    entry = self._pending.setdefault(frame.correlation, [frame, 0, 1])
                    # The broker answers each copy; the client gets one. Counted before the first is
                    # sent: its answer may be back before the second is.
                    entry[1] += copies
                    self.broker.sendall(packed)
            elif not self.client_gone:
                with self._to_client:
                    self.client.sendall(packed)
        except OSError:
            pass  # the side it was for is gone; the pumps see that too

    def hold(self, frame, rule):
        """Passes the frame on when the rule is released, without keeping others back."""
        if frame.side == "request":
            with self._lock:
                self._held.add(frame.correlation)

        def later():
            rule.gate.wait()
            frame.forward()
        threading.Thread(target=later, daemon=True).start()

    def cut_client(self):
        """The client sees its connection end; the broker does not, while something is held."""
        self.client_gone = True
        sockets.close(self.client)

    def _end_broker(self):
        with self._lock:
            if not self.client_gone or self._held:
                return
        sockets.close(self.broker)

    def _frames(self, source):
        while True:
            head = sockets.read_exactly(source, 4)
            if head is None:
                return
            size = struct.unpack(">i", head)[0]
            if not 0 <= size <= FRAME_MAX:
                return
            data = sockets.read_exactly(source, size)
            if data is None:
                return
            yield data

    def pump_requests(self):
        try:
            for data in self._frames(self.client):
                frame = parse_request(data)
                frame.link = self
                self.proxy.handle(frame)
        except OSError:
            pass
        finally:
            self.client_gone = True
            self._end_broker()

    def _request_of(self, data):
        """The request an answer is for, and whether the client still waits for it."""
        correlation = struct.unpack_from(">i", data)[0]
        with self._lock:
            self._held.discard(correlation)
            entry = self._pending.get(correlation)
            if entry is None:
                return None, False
            entry[1] -= 1
            wanted, entry[2] = entry[2] > 0, entry[2] - 1
            if entry[1] <= 0:
                del self._pending[correlation]
            return entry[0], wanted

    def pump_answers(self):
        try:
            for data in self._frames(self.broker):
                request, wanted = self._request_of(data)
                if request is None:
                    continue
                frame = parse_answer(data, request)
                frame.link = self
                if wanted:
                    self.proxy.handle(frame)
                else:
                    self.proxy.note(frame)
                self._end_broker()
        except OSError:
            pass
        finally:
            self.cut_client()


# --- what can befall a frame ------------------------------------------------------------------------

def drop(_frame, _rule):
    """Swallowed: the sender never hears of it."""


def hold(frame, rule):
    frame.link.hold(frame, rule)


def hold_and_cut(frame, rule):
    """The client loses its connection, and what it had sent arrives later."""
    frame.link.hold(frame, rule)
    frame.link.cut_client()


def drop_and_cut(frame, _rule):
    """For an answer: what was asked for is done, and the client does not hear of it."""
    frame.link.cut_client()


def duplicate(frame, _rule):
    frame.forward(copies=2)


def delay(seconds):
    def act(frame, rule):
        def later():
            rule.gate.wait(seconds)
            frame.forward()
        threading.Thread(target=later, daemon=True).start()
    return act


def flip_bit(frame, _rule):
    """In the last byte: of a fetched record, not of the lengths around it."""
    frame.forward(frame.data[:-1] + bytes([frame.data[-1] ^ 1]))


class KafkaProxy:
    """Between clients and one broker. `with KafkaProxy(listen, broker) as proxy`, addresses as text."""

    def __init__(self, listen, broker):
        host, port = listen.rsplit(":", 1)
        to_host, to_port = broker.rsplit(":", 1)
        self._broker = (to_host, int(to_port))
        self.rules, self.history = Rules(), collections.deque(maxlen=HISTORY_MAX)
        self._server = sockets.Server(host, int(port), self._serve)
        self.bootstrap = f"{self._server.host}:{self._server.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.rules.clear()
        self._server.close()

    def cut(self):
        """Ends all connections."""
        self._server.cut()

    def _serve(self, client, _peer):
        link = Link(self, client, sockets.connect(self._broker))
        answers = threading.Thread(target=link.pump_answers, daemon=True)
        answers.start()
        link.pump_requests()
        answers.join()  # lives on while something is held

    def note(self, frame):
        self.history.append((time.monotonic(), frame.side, frame.key, frame.transactional_id,
                             frame.error))

    def handle(self, frame):
        self.note(frame)
        rule = self.rules.find(frame)
        if rule is None:
            frame.forward()
        else:
            rule.act(frame, rule)

    def on(self, side, key, act, transactional_id=None, client=None, **how):
        """A rule for "request" or "answer" of one key (None: any); ids match by their beginning or
        end. `how`: skip, times, chance, seed."""
        def match(frame):
            return (frame.side == side and key in (None, frame.key) and
                    (client is None or frame.client == client) and
                    (transactional_id is None or frame.transactional_id.startswith(transactional_id)
                     or frame.transactional_id.endswith(transactional_id)))
        return self.rules.add(Rule(match, act, **how))

    def errors(self, key):
        """[(transactional id, error code)] of the answers to a key so far."""
        return [(who, error) for _, side, k, who, error in list(self.history)
                if side == "answer" and k == key]

    def count(self, side, key):
        return sum(1 for _, s, k, _, _ in list(self.history) if (s, k) == (side, key))
