# SPDX-License-Identifier: Apache-2.0
"""A worker that stands still while a successor takes over must not commit when it wakes.

1. a worker is stopped (SIGSTOP): inside the commit path, at a failpoint, or anywhere;
2. a second worker of the same job starts, fences it, restores, and commits epochs of its own;
3. the first is woken (SIGCONT): it ends with exit code 3 and commits nothing, what it uploads is not named;
4. all rows arrive, exact; the committed offsets name checkpoints of the second.
"""
import re

import pytest

from streamjob_e2e.faults import feed
from streamjob_e2e.local_worker import FENCED, OK
from streamjob_e2e.waiting import wait_until


def writers(case):
    """The processes whose checkpoints the committed offsets name."""
    return {re.fullmatch(r"sj1:.*/\d+-([^:-]+)[^:]*:\w+", metadata)[1]
            for offset, metadata in case.committed().values() if offset >= 0}


@pytest.mark.fault(47, "a worker is stopped, replaced, and woken, anywhere on the commit path",
                   "it ends as fenced and commits nothing more; exact")
@pytest.mark.parametrize("point", ["anywhere", "checkpoint.before_upload", "checkpoint.after_upload",
                                   "commit.before_send_offsets", "commit.after_send_offsets",
                                   "commit.before_end_txn", "commit.after_end_txn"])
def test_zombie(case, point):
    case.topics()
    job = case.job_file()
    with feed(case, 21, 15_000) as load:
        stops = "" if point == "anywhere" else f"{point}=pause@4"
        zombie = case.worker("zombie", job, stops)
        if point == "anywhere":
            zombie.wait_running()
            zombie.wait_epochs(3)
            zombie.freeze()
        wait_until("the first worker to stand still", zombie.frozen, 60, 0.05)
        successor = case.worker("successor", job)
        successor.wait_running()
        successor.wait_epochs(2)
        before = writers(case)
        assert len(before) == 1, before
        zombie.thaw()
        code = zombie.wait(60)
        assert code == FENCED, f"the zombie ended with {code}: {zombie.log()[-1500:]}"
        assert writers(case) == before, "something of the zombie's is committed"
        load.end()
    check = case.check()
    case.wait_complete(check)
    assert successor.stop() == OK
    case.expect_exact(check)
    named = case.expect_restorable()
    assert named, "nothing is committed"
