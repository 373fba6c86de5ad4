# SPDX-License-Identifier: Apache-2.0
"""The trace check sees what it is for: each rule of the protocol, broken in a made-up log."""
import pytest

from streamjob_e2e.trace import Trace, positions


def log(*lines, generation=1, ordinal=0):
    """Records of "message" or "message: positions" or "epoch committed N: positions"."""
    records = []
    for line in lines:
        message, _, text = line.partition(": ")
        record = {"message": message, "generation": generation, "ordinal": ordinal, "positions": text}
        if message.startswith("epoch committed "):
            record.update(message="epoch committed", epoch=int(message.split()[-1]))
        if message.startswith("running "):
            record.update(message="running", from_epoch=int(message.split()[-1]))
        records.append(record)
    return records


def start(read, epoch=0):
    return ["fencing", "ids taken over", "generation is current", f"positions read: {read}",
            f"running {epoch}"]


def verdict(**processes):
    trace = Trace()
    for who, records in processes.items():
        trace.add(who, records)
    return trace.verdict()


FIRST = log(*start("in/0@-1 in/1@-1"), "epoch committed 1: in/0@5 in/1@7",
            "epoch committed 2: in/0@9 in/1@7")


def test_a_worker_and_its_successor_fit():
    successor = log(*start("in/0@9 in/1@7", 2), "epoch committed 3: in/0@12 in/1@8")
    assert not verdict(a=FIRST, b=successor)


def test_an_attempt_after_a_failure_fits():
    assert not verdict(a=FIRST + log("attempt failed", *start("in/0@9 in/1@7", 2),
                                     "epoch committed 3: in/0@10 in/1@8"))


def test_a_commit_that_was_not_logged_fits():
    assert not verdict(a=FIRST, b=log(*start("in/0@11 in/1@9", 3), "epoch committed 4: in/0@12 in/1@9"))


def test_a_hand_over_fits():
    giver = log(*start("in/0@-1 in/1@-1"), "epoch committed 1: in/0@5 in/1@7!2",
                "epoch committed 2: in/0@6")
    taker = log(*start("in/1@7!2", 1), "epoch committed 2: in/1@9", generation=2, ordinal=1)
    assert not verdict(a=giver, b=taker)


def test_a_unit_may_come_back():
    both_ways = log(*start("in/1@-1"), "epoch committed 1: in/1@7!2", "positions read: in/1@9!3",
                    "epoch committed 2: in/1@10")
    between = log(*start("in/1@7!2"), "epoch committed 2: in/1@9!3", generation=2, ordinal=1)
    found = verdict(a=both_ways, b=between)
    assert len(found) == 1 and "released to 3" in found[0]
    adopted = [{**r, "generation": 3} if r["message"] == "epoch committed" and r["epoch"] == 2 else r
               for r in both_ways]
    assert not verdict(a=adopted, b=between)


@pytest.mark.parametrize("missing,said", [
    ("ids taken over", '"generation is current" before'), ("generation is current", '"positions read" before'),
    ("positions read", '"running" before'), ("running", '"epoch committed" before')])
def test_a_step_left_out_is_seen(missing, said):
    records = [r for r in FIRST if r["message"] != missing]
    assert any(said in text for text in verdict(a=records))


def test_reading_before_the_fence_is_seen():
    order = [FIRST[0], FIRST[3], FIRST[1], FIRST[2], *FIRST[4:]]
    assert any('"positions read" before' in text for text in verdict(a=order))


def test_a_commit_after_being_fenced_is_seen():
    assert "after it was fenced" in verdict(a=FIRST + log("fenced", "epoch committed 3: in/0@10"))[0]


def test_a_new_attempt_after_being_fenced_is_seen():
    assert "begins again" in verdict(a=FIRST + log("fenced", *start("in/0@9 in/1@7", 2)))[0]


def test_two_owners_are_seen():
    other = log(*start("in/0@5 in/1@7", 1), "epoch committed 2: in/0@8 in/1@7", generation=2)
    found = verdict(a=FIRST, b=other)
    assert len(found) == 1 and found[0].startswith("in/0:")


def test_two_fresh_starts_are_seen():
    assert verdict(a=FIRST, b=log(*start("in/0@-1"), "epoch committed 1: in/0@3", ordinal=1))


def test_an_epoch_committed_twice_is_seen():
    other = log(*start("in/0@9 in/1@7", 1), "epoch committed 2: in/0@12 in/1@7")
    assert any("which a has committed" in text for text in verdict(a=FIRST, b=other))


def test_epochs_and_offsets_that_go_back_are_seen():
    assert any("commits epoch 2 after 2" in t for t in verdict(a=FIRST + log("epoch committed 2: in/0@9")))
    assert any("at 4 after 9" in t for t in verdict(a=FIRST + log("epoch committed 3: in/0@4")))
    assert any("after 8" in t for t in verdict(a=log(*start("in/0@-1", 8), "epoch committed 8: in/0@1")))


def test_a_commit_after_the_release_is_seen():
    giver = log(*start("in/1@-1"), "epoch committed 1: in/1@7!2", "epoch committed 2: in/1@9")
    assert "after it has released it to 2" in verdict(a=giver)[0]


def test_taking_what_was_not_released_is_seen():
    giver = log(*start("in/1@-1"), "epoch committed 1: in/1@7!2")
    taker = log(*start("in/1@5!2"), "epoch committed 2: in/1@9", generation=2, ordinal=1)
    assert any("nobody released it" in text for text in verdict(a=giver, b=taker))


def test_an_old_generation_that_reads_a_release_is_seen():
    giver = log(*start("in/1@-1"), "epoch committed 1: in/1@7!2")
    other = log(*start("in/1@7!2", 1), "epoch committed 2: in/1@9")
    assert any("it was released to 2" in text for text in verdict(a=giver, b=other))


def test_a_unit_nobody_read_is_seen():
    assert "has not read" in verdict(a=FIRST + log("epoch committed 3: in/7@1"))[0]


def test_lines_that_were_cut_off():
    assert [p.offset for p in positions("in/0@5 in/1@7!2 in/2")] == [5, 7]
    assert not positions("")
