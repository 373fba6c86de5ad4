# SPDX-License-Identifier: Apache-2.0
"""The object store answers late, wrongly or not at all: no commit without a whole checkpoint, exact.

A proxy stands between one worker of this machine and the S3 server. Cases of docs/operations/faults.md:
- 88 the object is stored and the answer lost
- 89 half of the object is stored and 200 answered; 200 with an error inside, nothing stored
- 90 a bit is flipped in what a restore reads: found by its hash, never used
- 93 a fifth of all requests is refused with 503 SlowDown or 500, or reset
- 95 an object that was just written is not found
"""
import pytest

from streamjob_e2e import faults, s3_proxy
from streamjob_e2e.faults import feed, job_behind, prove
from streamjob_e2e.local_worker import FAILED
from streamjob_e2e.waiting import wait_until


@pytest.mark.fault(88, "an object is stored and the answer lost", "found again by its contents; exact")
@pytest.mark.fault(89, "half an object is stored under a good answer; a good answer with an error inside",
                   "seen before the commit; exact")
@pytest.mark.fault(95, "an object just written is not found", "asked again; exact")
def test_doubtful_uploads(case):
    case.topics()
    with faults.s3_proxy(case) as proxy, feed(case, 221) as load:
        job = job_behind(case, s3=proxy)
        first = case.worker("first", job)
        first.wait_running()
        first.wait_epochs(1)
        for method, act in (("PUT", s3_proxy.lose_answer), ("PUT", s3_proxy.ERROR_IN_200),
                            ("HEAD", s3_proxy.NO_SUCH_KEY)):
            proxy.on(act, method, times=1).wait()
            faults.commits_on(case)
        assert not first.said("attempt failed"), "a doubtful upload cost an attempt"
        half = s3_proxy.store_half(lambda key, data: faults.put_object(case.s3, key, data))
        proxy.on(half, "PUT", times=1).wait()
        assert first.wait(60) == FAILED
        assert "the server has something else than was sent" in first.log()
        second = case.worker("second", job)
        second.wait_running()
        load.end()
        prove(case, first, second)


@pytest.mark.fault(93, "a fifth of all requests is refused by 503 SlowDown and 500, or reset",
                   "slower, nothing else: the same process, exact")
def test_store_is_moody(case):
    case.topics()
    with faults.s3_proxy(case) as proxy, feed(case, 222) as load:
        rules = [proxy.on(act, chance=0.08, seed=number) for number, act in enumerate(
            (s3_proxy.SLOW_DOWN, s3_proxy.INTERNAL, s3_proxy.reset))]
        worker = case.worker("worker", job_behind(case, s3=proxy))
        worker.wait_running()
        faults.commits_on(case, 3)
        wait_until("enough moods", lambda: sum(rule.hits for rule in rules) >= 5, 60)
        load.end()
        prove(case, worker)


@pytest.mark.fault(90, "a bit is flipped in whatever a restore reads",
                   "found by its hash and refused in words; never wrong state; exact once it is mended")
def test_damaged_checkpoint(case):
    case.topics()
    with faults.s3_proxy(case) as proxy, feed(case, 223) as load:
        job = job_behind(case, s3=proxy)
        first = case.worker("first", job)
        first.wait_running()
        first.wait_epochs(3)
        first.kill()
        damaged = proxy.on(s3_proxy.flip_bit, "GET")
        second = case.worker("second", job)
        assert second.wait(60) == FAILED
        text = second.said("attempt failed")["error"]
        assert damaged.hits and "corrupt" in text and "checkpoint" in text, text
        assert not second.said("restored"), "a damaged checkpoint was restored"
        damaged.end()
        third = case.worker("third", job)
        third.wait_running()
        load.end()
        prove(case, first, second, third)
