# SPDX-License-Identifier: Apache-2.0
"""What Kafka has committed can be restored: metadata -> object -> footer -> chunks, all of it there.

An own reader of the format (chunks | footer JSON | length | "SJC1", as drawn in
worker/checkpoint/footer.cc), so that a worker that wrote nonsense and reads it back happily is found.
"""
import hashlib
import json
import struct

from streamjob_e2e import offsets, topics

MAGIC = b"SJC1"


def footer_of(data):
    """(footer, its bytes) of a whole object."""
    if data[-4:] != MAGIC:
        raise AssertionError(f"an object ends with {data[-4:]!r}, not {MAGIC!r}")
    length = struct.unpack("<I", data[-8:-4])[0]
    text = data[-8 - length:-8]
    return json.loads(text), text


def chunks_of(footer):
    """(object, offset, length) of every piece of state the footer refers to."""
    return [(footer["objects"][number], offset, length)
            for state in footer["states"] for operator in state["operators"]
            for number, offset, length, *_ in operator["chunks"]]


def offsets_of(footer):
    """{(topic, partition): offset} of the sources."""
    return {(topic, partition): offset for topic, partition, offset, *_ in footer["sources"]}


def key_of(name, keys):
    """The key of the store for a name in metadata or footer: the job's prefix stands before it."""
    found = next((key for key in keys if key == name or key.endswith("/" + name)), None)
    assert found, f"{name} is referred to and not in the store"
    return found


def follow(s3, committed, wanted):
    """Follows committed {(topic, partition): (offset, metadata)} to their objects and what these refer
    to. `wanted`: the partitions that must be there. Returns the objects' keys."""
    missing = set(wanted) - set(committed)
    assert not missing, f"no committed offset for {sorted(missing)}"
    keys, footers = s3.keys(), {}
    for partition, (offset, metadata) in committed.items():
        version, name, short_hash, *released_to = (metadata or "::").split(":")
        # sj2: released to a generation whose worker has not committed it yet.
        assert (version, len(released_to)) in (("sj1", 0), ("sj2", 1)), (
            f"{partition} has metadata {metadata!r}")
        key = key_of(name, keys)
        if key not in footers:
            footer, text = footer_of(s3.get(key))
            assert hashlib.sha256(text).hexdigest()[:16] == short_hash, f"{key}: another footer"
            for referred, start, length in chunks_of(footer):
                size = s3.size(key_of(referred, keys))
                assert start + length <= size, f"{referred} ends before {start}+{length}"
            footers[key] = footer
        told = offsets_of(footers[key]).get(partition)
        assert told in (None, offset), f"{partition}: committed {offset}, {key} says {told}"
    return sorted(footers)


def check(s3, bootstrap, group, source):
    """What the job's group has committed, for every partition of `source`."""
    committed = {key: value for key, value in offsets.committed(bootstrap, group).items()
                 if value[0] >= 0}
    wanted = {(source, p) for p in topics.partitions_of(bootstrap, source)}
    return follow(s3, committed, wanted)
