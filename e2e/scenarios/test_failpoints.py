# SPDX-License-Identifier: Apache-2.0
"""A worker that dies at any named place of the commit path goes on exactly where it was.

For every failpoint of the sources (found by reading them, so that a new one cannot be forgotten):
1. events are written while a worker runs the purchases query with epochs of 200 ms;
2. the worker dies there, as by kill -9, at the third passage; then the next one again at the first
   passage, or, where the point is not passed again by then, just runs on;
3. a worker without failpoints runs until all expected rows are committed and ends on SIGTERM;
4. input and output are compared: exact; and the committed offsets name restorable checkpoints.
"""
import os
import re

import pytest

from streamjob_e2e import environment
from streamjob_e2e.cluster import CRASHES
from streamjob_e2e.faults import feed
from streamjob_e2e.local_worker import CRASHED, OK

# Passed only at a start, so there is no third passage in one process.
AT_START = {"run.before_restore"}
# Only the directory store passes it.
FILE_STORE = "worker/store/file_object_store.cc"


def failpoints():
    """{name: files that have it} from the sources."""
    found = {}
    for folder, _, files in os.walk(os.path.join(environment.ROOT, "worker")):
        for name in files:
            if not name.endswith(".cc") or name.endswith("_test.cc"):
                continue
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8") as source:
                for point in re.findall(r'Failpoint\("([^"]+)"\)', source.read()):
                    found.setdefault(point, []).append(os.path.relpath(path, environment.ROOT))
    return found


# A worker alone does not come to the others.
POINTS = {point: files for point, files in failpoints().items() if point not in CRASHES}


def test_the_commit_path_has_its_failpoints():
    """The places the protocol names are all there."""
    named = {"run.before_restore", "epoch.captured", "checkpoint.before_upload",
             "checkpoint.in_upload", "checkpoint.after_upload", "commit.before_send_offsets",
             "commit.after_send_offsets", "commit.before_end_txn", "commit.after_end_txn",
             "epoch.after_commit", "checkpoint.in_collect"}
    assert named <= set(POINTS), f"gone: {sorted(named - set(POINTS))}"
    assert set(CRASHES) <= set(failpoints()), "a worker dies there in a scenario of the cluster"


def stores_of(point):
    on_s3 = [path for path in POINTS[point] if path != FILE_STORE]
    return (["s3"] if on_s3 else []) + (["file"] if FILE_STORE in POINTS[point] else [])


CASES = [(point, store) for point in sorted(POINTS) for store in stores_of(point)]


@pytest.mark.fault(45, "the worker dies at each named place of the commit path, twice", "exact")
@pytest.mark.parametrize("point,store", CASES, ids=[f"{p}-{s}" for p, s in CASES])
def test_crash(case, point, store):
    case.topics()
    checkpoint = {"interval": "200ms", "location": f"file://{case.folder}/checkpoints"}
    job = case.job_file(checkpoint=checkpoint if store == "file" else None)
    hit = 1 if point in AT_START else 3
    with feed(case, len(point), 15_000, users=200) as load:
        first = case.worker("first", job, f"{point}=crash@{hit}")
        assert first.wait(60) == CRASHED, f"{point} was not met {hit} times: {first.log()[-1500:]}"
        second = case.worker("second", job, f"{point}=crash@1")
        if point == "checkpoint.in_collect":
            second.wait_epochs(3)
            second.kill()
        else:
            assert second.wait(60) == CRASHED, f"{point} was not met again: {second.log()[-1500:]}"
        third = case.worker("third", job)
        third.wait_running()
        load.end()
    check = case.check()
    case.wait_complete(check)
    assert third.stop() == OK
    case.expect_exact(check)
    if store == "s3":
        case.expect_restorable()
