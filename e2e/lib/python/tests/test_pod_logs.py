# SPDX-License-Identifier: Apache-2.0
"""The keeper of pod logs, on folders as kubelet makes them."""
import shutil

import pytest

from streamjob_e2e.pod_logs import PodLogs, lines_of
from streamjob_e2e.waiting import wait_until

TIME = "2026-01-01T00:00:00.000000000Z"


@pytest.fixture
def logs(tmp_path):
    kept = PodLogs(str(tmp_path / "node*"), "shop")
    yield kept
    kept.close()


def write(tmp_path, text, pod="orders-worker-0", uid="0123456789", number=0, namespace="shop"):
    folder = tmp_path / "node2" / "podlogs" / f"{namespace}_{pod}_{uid}" / "worker"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"{number}.log", "a", encoding="utf-8") as file:
        file.write(f"{TIME} stdout F {text}\n")
    return folder


def test_a_pod_that_is_gone(tmp_path, logs):
    folder = write(tmp_path, "first")
    wait_until("the file to be seen", logs.texts, 5, 0.01)
    write(tmp_path, "last")
    shutil.rmtree(folder.parent)
    assert logs.texts() == [("orders-worker-0", "orders-worker-0.01234567.0", "first\nlast\n")]


def test_a_container_that_was_started_again(tmp_path, logs):
    write(tmp_path, "one")
    write(tmp_path, "two", number=1)
    write(tmp_path, "of another pod of that name", uid="9876543210")
    write(tmp_path, "of another namespace", namespace="shop-2")
    assert sorted(text for _, _, text in logs.texts()) == ["of another pod of that name\n", "one\n", "two\n"]


def test_a_rotated_file_is_read_once(tmp_path, logs):
    folder = write(tmp_path, "before")
    wait_until("the file to be seen", logs.texts, 5, 0.01)
    (folder / "0.log").rename(folder / "0.log.20260101-000000")
    write(tmp_path, "after")
    assert [text for _, _, text in logs.texts()] == ["before\nafter\n"]


def test_long_lines_are_joined():
    assert lines_of(f"{TIME} stdout P be\n{TIME} stdout P gin\n{TIME} stderr F ning\n{TIME} stdout F x y  z\n") == (
        "beginning\nx y  z\n")
