# SPDX-License-Identifier: Apache-2.0
"""Topics, groups, offsets and whole topics read back, by way of librdkafka's Python client."""
import functools
import sys
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, IsolationLevel, KafkaError
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic, OffsetSpec

SECONDS = 30


@functools.lru_cache(maxsize=16)
def _admin(bootstrap):
    """Kept: a client that goes out of scope takes the answers it still owes with it."""
    return AdminClient({"bootstrap.servers": bootstrap})


def forget():
    """Ends the clients kept: another Kafka may come up at the same address."""
    _admin.cache_clear()


def create(bootstrap, topic, partitions, replicas=-1):
    """Makes a topic unless it is there, and returns when it is seen."""
    client = _admin(bootstrap)
    try:
        client.create_topics([NewTopic(topic, partitions, replicas)])[topic].result(SECONDS)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise
    end = time.monotonic() + SECONDS
    while topic not in client.list_topics(timeout=SECONDS).topics:
        if time.monotonic() > end:
            raise TimeoutError(f"topic {topic} does not appear")
        time.sleep(0.05)


def delete(bootstrap, names):
    for future in (_admin(bootstrap).delete_topics(list(names)) if names else {}).values():
        future.result(SECONDS)


def grow(bootstrap, topic, partitions):
    """Adds partitions, up to so many, and returns when they are seen."""
    for future in _admin(bootstrap).create_partitions([NewPartitions(topic, partitions)]).values():
        future.result(SECONDS)
    end = time.monotonic() + SECONDS
    while len(partitions_of(bootstrap, topic)) < partitions:
        if time.monotonic() > end:
            raise TimeoutError(f"topic {topic} does not grow")
        time.sleep(0.05)


def names(bootstrap):
    return sorted(_admin(bootstrap).list_topics(timeout=SECONDS).topics)


def groups(bootstrap):
    """The consumer groups that have offsets or members."""
    listed = _admin(bootstrap).list_consumer_groups(request_timeout=SECONDS).result(SECONDS)
    if listed.errors:
        raise KafkaException(listed.errors[0])
    return sorted(group.group_id for group in listed.valid)


def partitions_of(bootstrap, topic):
    found = _admin(bootstrap).list_topics(topic, timeout=SECONDS).topics[topic]
    if found.error:
        raise KafkaException(found.error)
    return sorted(found.partitions)


def delete_before(bootstrap, topic, offset):
    """Removes the records before `offset` from every partition, as retention does."""
    wanted = [TopicPartition(topic, p, offset) for p in partitions_of(bootstrap, topic)]
    for future in _admin(bootstrap).delete_records(wanted).values():
        future.result(SECONDS)


def ends(bootstrap, topic, committed=True):
    """{partition: end}: the last stable offset, or the high watermark with committed=False."""
    level = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
    asked = {TopicPartition(topic, p): OffsetSpec.latest() for p in partitions_of(bootstrap, topic)}
    futures = _admin(bootstrap).list_offsets(asked, isolation_level=level, request_timeout=SECONDS)
    return {key.partition: future.result(SECONDS).offset for key, future in futures.items()}


def open_transactions(bootstrap, topic):
    """Partitions whose last stable offset lies behind their end: an undecided transaction."""
    stable, high = ends(bootstrap, topic), ends(bootstrap, topic, committed=False)
    return {p: (stable[p], high[p]) for p in high if stable[p] < high[p]}


class Reader:
    """Reads a topic from its beginning, and goes on from there at the next `read`.

    read_committed: records of undecided and aborted transactions are not seen.
    """

    def __init__(self, bootstrap, topic):
        self.bootstrap, self.topic = bootstrap, topic
        self.partitions = partitions_of(bootstrap, topic)
        self._reached = dict.fromkeys(self.partitions, 0)
        self._consumer = Consumer({
            "bootstrap.servers": bootstrap, "group.id": "e2e-reader", "enable.auto.commit": False,
            "isolation.level": "read_committed", "enable.partition.eof": True,
            "auto.offset.reset": "earliest", "fetch.wait.max.ms": 100,
            "queued.max.messages.kbytes": 131_072, "check.crcs": True})
        self._consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in self.partitions])

    def close(self):
        self._consumer.close()

    def read(self, seconds=300):
        """Yields (partition, value) of all records up to the end as it is now.

        The end of a partition counts only when it is not before the end asked for first: a client may
        tell an older one.
        """
        stable = ends(self.bootstrap, self.topic)
        left = {p for p in self.partitions if self._reached[p] < stable[p]}
        deadline = time.monotonic() + seconds
        while left:
            for message in self._consumer.consume(10_000, 1.0):
                error, partition = message.error(), message.partition()
                if error is None:
                    yield partition, message.value()
                    reached = message.offset() + 1
                elif error.code() == KafkaError._PARTITION_EOF:  # pylint: disable=protected-access
                    reached = message.offset()
                else:
                    raise KafkaException(error)
                self._reached[partition] = max(self._reached[partition], reached)
                if self._reached[partition] >= stable[partition]:
                    left.discard(partition)
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.topic} is not read to its end after {seconds} s: {left}")


def read_all(bootstrap, topic):
    """[(partition, value)] of the whole topic, read_committed."""
    reader = Reader(bootstrap, topic)
    try:
        return list(reader.read())
    finally:
        reader.close()


def main(bootstrap, *wanted):
    """topics BOOTSTRAP NAME:PARTITIONS...: makes those that are not there."""
    for topic in wanted:
        name, partitions = topic.rsplit(":", 1)
        create(bootstrap, name, int(partitions))


if __name__ == "__main__":
    main(*sys.argv[1:])
