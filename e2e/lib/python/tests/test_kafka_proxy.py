# SPDX-License-Identifier: Apache-2.0
"""The Kafka proxy passes everything when it has no rule, and does each harm it is asked for.

A client of plain frames and a broker that counts; real ones are in the scenarios.
"""
import socket
import struct

import pytest

from streamjob_e2e import kafka_proxy, sockets
from streamjob_e2e.kafka_proxy import END_TXN, FETCH, KafkaProxy
from streamjob_e2e.waiting import wait_until


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


def request(key, correlation, body, version=1):
    return struct.pack(">hhi", key, version, correlation) + text("client") + body


def end_txn(correlation, who="id.a"):
    return request(END_TXN, correlation, text(who) + struct.pack(">qh?", 7, 3, True))


class Broker:
    """Keeps what arrives; answers each request with no error and a tail."""

    def __init__(self):
        self.received = []
        self.server = sockets.Server("127.0.0.1", 0, self._serve)
        self.address = f"127.0.0.1:{self.server.port}"

    def _serve(self, connection, _peer):
        while (head := sockets.read_exactly(connection, 4)) is not None:
            data = sockets.read_exactly(connection, struct.unpack(">i", head)[0])
            self.received.append(data)
            answer = data[4:8] + struct.pack(">ih", 0, 0) + b"tail"
            connection.sendall(struct.pack(">i", len(answer)) + answer)


class Client:
    def __init__(self, address):
        host, port = address.split(":")
        self.connection = socket.create_connection((host, int(port)), 10)
        self.connection.settimeout(10)

    def send(self, data):
        self.connection.sendall(struct.pack(">i", len(data)) + data)

    def answer(self):
        """(correlation id, the rest), or None at the end of the connection."""
        head = sockets.read_exactly(self.connection, 4)
        if head is None:
            return None
        data = sockets.read_exactly(self.connection, struct.unpack(">i", head)[0])
        return struct.unpack_from(">i", data)[0], data[4:]

    def silent(self, seconds=0.3):
        self.connection.settimeout(seconds)
        try:
            return self.connection.recv(1, socket.MSG_PEEK) is None
        except TimeoutError:
            return True
        finally:
            self.connection.settimeout(10)


@pytest.fixture
def broker():
    made = Broker()
    yield made
    made.server.close()


@pytest.fixture
def proxy(broker):
    with KafkaProxy("127.0.0.1:0", broker.address) as made:
        yield made


def test_passes_everything(broker, proxy):
    client = Client(proxy.bootstrap)
    sent = [end_txn(1), request(FETCH, 2, b"\0" * 3_000_000), request(18, 3, b"")]
    for data in sent:
        client.send(data)
    assert [client.answer()[0] for _ in sent] == [1, 2, 3]
    assert broker.received == sent
    assert proxy.errors(END_TXN) == [("id.a", 0)]


def test_reads_ids_of_old_and_new_versions():
    assert kafka_proxy.parse_request(end_txn(1, "job.0.b")).transactional_id == "job.0.b"
    compact = struct.pack(">hhi", END_TXN, 3, 1) + text("client") + b"\0" + b"\x05id.a" + b"rest"
    assert kafka_proxy.parse_request(compact).transactional_id == "id.a"
    nobody = request(kafka_proxy.PRODUCE, 1, struct.pack(">h", -1), 7)
    assert kafka_proxy.parse_request(nobody).transactional_id == ""


def test_drops_a_request(broker, proxy):
    proxy.on("request", END_TXN, kafka_proxy.drop, times=1)
    client = Client(proxy.bootstrap)
    client.send(end_txn(1))
    client.send(end_txn(2))
    assert client.answer()[0] == 2
    assert len(broker.received) == 1 and client.silent()


def test_drops_an_answer(broker, proxy):
    proxy.on("answer", END_TXN, kafka_proxy.drop, times=1)
    client = Client(proxy.bootstrap)
    client.send(end_txn(1))
    wait_until("the answer", lambda: proxy.count("answer", END_TXN) == 1, 10, 0.02)
    assert client.silent() and len(broker.received) == 1


def test_loses_an_answer_with_the_connection(broker, proxy):
    proxy.on("answer", END_TXN, kafka_proxy.drop_and_cut, times=1)
    client = Client(proxy.bootstrap)
    client.send(end_txn(1))
    assert client.answer() is None and len(broker.received) == 1


def test_duplicates_a_request_and_hides_one_answer(broker, proxy):
    proxy.on("request", END_TXN, kafka_proxy.duplicate)
    client = Client(proxy.bootstrap)
    for done in range(100):  # whatever comes first, the broker's first answer or the second copy
        client.send(end_txn(done))
        assert client.answer()[0] == done
        wait_until("both answers", lambda: proxy.count("answer", END_TXN) == 2 * done + 2, 10, 0.001)
    assert client.silent()
    assert broker.received == [end_txn(done) for done in range(100) for _ in range(2)]


def test_holds_one_request_and_not_the_next(broker, proxy):
    rule = proxy.on("request", END_TXN, kafka_proxy.hold, times=1)
    client = Client(proxy.bootstrap)
    client.send(end_txn(1))
    client.send(request(FETCH, 2, b""))
    assert client.answer()[0] == 2
    rule.wait()
    rule.release()
    assert client.answer()[0] == 1
    assert broker.received == [request(FETCH, 2, b""), end_txn(1)]


def test_a_held_request_outlives_its_client(broker, proxy):
    rule = proxy.on("request", END_TXN, kafka_proxy.hold_and_cut, times=1)
    first = Client(proxy.bootstrap)
    first.send(end_txn(1))
    assert first.answer() is None and not broker.received
    second = Client(proxy.bootstrap)
    second.send(end_txn(1))
    assert second.answer()[0] == 1
    rule.release()
    second.send(request(FETCH, 2, b""))
    assert second.answer()[0] == 2
    wait_until("the answer to what was held", lambda: proxy.count("answer", END_TXN) == 2, 10, 0.02)
    assert broker.received.count(end_txn(1)) == 2


def test_chooses_by_id_and_count(broker, proxy):
    rule = proxy.on("request", END_TXN, kafka_proxy.drop, transactional_id=".b", skip=1, times=1)
    client = Client(proxy.bootstrap)
    for correlation, who in enumerate(["id.a", "id.b", "id.b", "id.b"]):
        client.send(end_txn(correlation, who))
    assert [client.answer()[0] for _ in range(3)] == [0, 1, 3]
    assert rule.hits == 1


def test_flips_a_bit_of_an_answer(proxy):
    proxy.on("answer", FETCH, kafka_proxy.flip_bit, times=1)
    client = Client(proxy.bootstrap)
    client.send(request(FETCH, 1, b""))
    client.send(request(FETCH, 2, b""))
    assert client.answer()[1].endswith(b"tai" + bytes([ord("l") ^ 1]))
    assert client.answer()[1].endswith(b"tail")
