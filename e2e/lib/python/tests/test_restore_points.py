# SPDX-License-Identifier: Apache-2.0
"""The check of restore points sees each thing that can be wrong with one."""
import hashlib
import json
import struct

import pytest

from streamjob_e2e.restore_points import follow

CHUNKS = b"chunks of state"
PARTITION = ("in", 0)


class Store(dict):
    def get(self, key):
        return self[key]

    def size(self, key):
        return len(self[key])


def sealed(footer, magic=b"SJC1"):
    text = json.dumps(footer).encode()
    return CHUNKS + text + struct.pack("<I", len(text)) + magic, hashlib.sha256(text).hexdigest()[:16]


def job(offset=7, length=len(CHUNKS)):
    """(store, committed) of a job of one partition, whose footer refers to its own and an older object."""
    chunks = [[0, 0, length, 1, 0, 0], [1, 0, 3, 1, 0, 0]]
    data, short_hash = sealed({
        "objects": ["uid/g1/0/2-b", "uid/g1/0/1-a"], "sources": [["in", 0, offset, 9, False, 0, False]],
        "states": [{"operators": [{"op": 1, "chunks": chunks}]}]})
    store = Store({"prefix/uid/g1/0/2-b": data, "prefix/uid/g1/0/1-a": CHUNKS})
    return store, {PARTITION: (7, f"sj1:uid/g1/0/2-b:{short_hash}")}


def test_a_whole_one_passes():
    store, committed = job()
    assert follow(store, committed, [PARTITION]) == ["prefix/uid/g1/0/2-b"]


def refused(words, store, committed, wanted=(PARTITION,)):
    with pytest.raises(AssertionError, match=words):
        follow(store, committed, wanted)


def test_no_commit():
    store, committed = job()
    refused("no committed offset", store, committed, [PARTITION, ("in", 1)])


@pytest.mark.parametrize("gone", ["prefix/uid/g1/0/2-b", "prefix/uid/g1/0/1-a"],
                         ids=["the object", "an older one it refers to"])
def test_an_object_is_gone(gone):
    store, committed = job()
    del store[gone]
    refused("not in the store", store, committed)


def test_metadata_of_somebody_else():
    store, _ = job()
    refused("has metadata", store, {PARTITION: (7, "")})


def test_another_footer():
    store, committed = job()
    refused("another footer", store, {PARTITION: (7, committed[PARTITION][1][:-1] + "x")})


def test_a_chunk_beyond_the_end():
    refused("ends before", *job(length=10_000))


def test_another_offset_than_the_footer_says():
    refused("committed 7", *job(offset=8))


def test_no_footer():
    store, committed = job()
    store["prefix/uid/g1/0/2-b"] = sealed({}, b"nope")[0]
    refused("ends with", store, committed)
