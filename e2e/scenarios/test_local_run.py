# SPDX-License-Identifier: Apache-2.0
"""`streamjob-worker run` on real Kafka and S3, from start to end, and told to stop.

- bounded input: all windows fire, exit 0, exact; run again: nothing is written twice
- SIGTERM: exit 0 within seconds, the last epoch committed, and the next run goes on from there
- checkpoints in a directory instead of S3
- threads differ between two runs of a job: state is found again
- validate and explain need no network; the commands of the README say what they should
"""
import subprocess

import pytest

from streamjob_e2e import environment, jobs, topics
from streamjob_e2e.events import Shape
from streamjob_e2e.faults import feed
from streamjob_e2e.local_worker import OK, USAGE
from streamjob_e2e.waiting import wait_until

BOUNDED = {"scan.bounded.mode": "latest-offset"}


def test_bounded_run_ends_by_itself(case):
    case.topics()
    case.write(Shape(events=200_000, seed=11))
    job = case.job_file(source_options=BOUNDED)
    assert case.worker("first", job).wait(120) == OK
    check = case.check()
    case.expect_exact(check, finished=True)
    rows = len(check.output)
    assert case.worker("again", job).wait(60) == OK
    case.expect_exact(check, finished=True)
    assert len(check.output) == rows


def test_sigterm_commits_the_last_epoch(case):
    case.topics()
    job = case.job_file()
    check = case.check()
    with feed(case, 12, 20_000) as load:
        first = case.worker("first", job)
        first.wait_running()
        first.wait_epochs(3)
        assert first.stop(20) == OK
        assert case.committed_input() > 0, "nothing was committed"
        assert not topics.open_transactions(case.kafka.bootstrap, case.sink)
        second = case.worker("second", job)
        second.wait_running()
        assert second.said("restored"), "the second run did not restore"
        load.end()
    case.wait_complete(check)
    assert second.stop() == OK
    case.expect_exact(check)
    case.expect_restorable()


@pytest.mark.parametrize("threads", [(1, 2), (2, 1)], ids=["1-then-2", "2-then-1"])
def test_threads_may_change_between_runs(case, threads):
    case.topics()
    job = case.job_file()
    with feed(case, 13, 20_000) as load:
        first = case.worker("first", job, threads=threads[0])
        first.wait_running()
        first.wait_epochs(3)
        first.kill()
        second = case.worker("second", job, threads=threads[1])
        second.wait_running()
        load.end()
    check = case.check()
    case.wait_complete(check)
    assert second.stop() == OK
    case.expect_exact(check)


def test_checkpoints_in_a_directory(case):
    case.topics()
    checkpoint = {"interval": "200ms", "location": f"file://{case.folder}/checkpoints"}
    job = case.job_file(checkpoint=checkpoint)
    with feed(case, 14, 20_000) as load:
        first = case.worker("first", job)
        first.wait_running()
        first.wait_epochs(3)
        first.kill()
        second = case.worker("second", job)
        load.end()
    check = case.check()
    case.wait_complete(check)
    assert second.stop() == OK
    case.expect_exact(check)


def test_an_idle_job_is_not_late(case):
    """No new record, no new epoch, but the time of the last good state goes on."""
    case.topics()
    case.write(Shape(events=2_000, seed=15))
    worker = case.worker("worker", case.job_file())
    worker.wait_running()
    case.wait_complete(case.check())
    first = wait_until("a commit", lambda: worker.status()["checkpoint"]["committedAt"])
    epoch = worker.status()["epoch"]
    wait_until("a later time", lambda: worker.status()["checkpoint"]["committedAt"] > first, 10)
    assert worker.status()["epoch"] <= epoch + 1
    assert worker.stop() == OK


def command(*arguments):
    return subprocess.run([environment.worker_program(), *arguments], capture_output=True, text=True,
                          timeout=60, check=False)


def test_validate_and_explain_need_no_network(tmp_path):
    """The broker named here does not exist."""
    path = tmp_path / "job.sql"
    path.write_text(jobs.purchases_sql("127.0.0.1:1", "in", "out"))
    valid = command("validate", str(path))
    assert valid.returncode == OK and "valid" in valid.stdout, valid.stderr
    plan = command("explain", str(path))
    assert plan.returncode == OK and "user_events" in plan.stdout and "per_minute" in plan.stdout


@pytest.mark.parametrize("edit,words", [
    (("SELECT user_id", "SELECT user_idd"), ["user_idd"]),
    (("COUNT(*)", "COUNT(*"), [":"]),
    (("'format' = 'json'", "'fromat' = 'json'"), ["fromat"]),
    (("DECIMAL(10,2)", "DECIMAL(99,2)"), ["99"]),
    (("event_time TIMESTAMP(3)", "event_time INT"), ["event_time"])],
    ids=["column", "syntax", "option", "type", "watermark"])
def test_validate_says_what_and_where(tmp_path, edit, words):
    path = tmp_path / "job.sql"
    path.write_text(jobs.purchases_sql("127.0.0.1:1", "in", "out").replace(*edit, 1))
    told = command("validate", str(path))
    assert told.returncode == USAGE, told.stdout
    assert all(word in told.stderr for word in words), told.stderr
    assert any(char.isdigit() for char in told.stderr.split("error:")[1]), told.stderr


def test_first_try_of_the_readme(tmp_path):
    """crds/samples/first-try.sql prints totals without Kafka; SIGTERM ends it with 0."""
    program = subprocess.Popen(
        [environment.worker_program(), "run", f"{environment.ROOT}/crds/samples/first-try.sql"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=tmp_path)
    try:
        line = program.stdout.readline()
        assert line.strip(), "nothing was printed"
        program.terminate()
        program.stdout.read()
        assert program.wait(30) == OK
    finally:
        program.kill()
        program.wait(10)
