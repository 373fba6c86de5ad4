# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the scenarios. One environment for a session, brought up piece by piece when first asked
for, taken down by e2e/run; one Case for each scenario, with artifacts when it fails.
"""
import datetime
import fcntl
import json
import os

import pytest

from streamjob_e2e import environment
from streamjob_e2e.case import Case
from streamjob_e2e.cluster import Cluster
from streamjob_e2e.cluster_job import ClusterJob
from streamjob_e2e.proxied_operator import Probe, ProxiedOperator
from streamjob_e2e.waiting import TimedOut


FAULTS = pytest.StashKey()


def pytest_addoption(parser):
    parser.addoption("--all", action="store_true", help="the long forms too")
    parser.addoption("--failed-to", metavar="FILE", help="a line for each failure: late or wrong, and its id")


def pytest_collection_modifyitems(config, items):
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if fixtures & {"cluster", "job"}:
            item.add_marker(pytest.mark.cluster)
        elif "case" in fixtures:
            item.add_marker(pytest.mark.local)
    if config.getoption("--all"):
        return
    items[:] = [item for item in items if item.get_closest_marker("long") is None]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    setattr(item, f"report_{report.when}", report)
    if report.when == "call" and item.get_closest_marker("fault"):
        _note_fault(item, report)
    if report.failed:
        _say_failure(item, call, report)
    return report


def _say_failure(item, call, report):
    """At once, for who watches a long run; and for e2e/run, which may repeat it."""
    os.makedirs(environment.ARTIFACTS, exist_ok=True)
    with open(os.path.join(environment.ARTIFACTS, "failures.txt"), "a", encoding="utf-8") as file:
        file.write(f"== {datetime.datetime.now():%F %T} {item.nodeid} ({report.when})\n{report.longreprtext}\n")
    if item.config.getoption("--failed-to"):
        with open(item.config.getoption("--failed-to"), "a", encoding="utf-8") as file:
            file.write(f"{'late' if call.excinfo.errisinstance(TimedOut) else 'wrong'} {item.nodeid}\n")


def _note_fault(item, report):
    """Keeps the outcome for e2e/faults; of several parameters the worst of this session."""
    test = f"{item.path.name}::{item.originalname}"
    noted = item.config.stash.setdefault(FAULTS, {})
    if report.outcome != "skipped" and noted.get(test, {}).get("outcome") != "failed":
        noted[test] = {"outcome": report.outcome, "date": datetime.date.today().isoformat()}


def pytest_sessionfinish(session):
    noted = session.config.stash.get(FAULTS, {})
    if not noted:
        return
    path = os.path.join(environment.ROOT, "build", "e2e", "faults.json")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # local and cluster scenarios run side by side
        file.seek(0)
        before = json.loads(file.read() or "{}")
        file.truncate(0)
        json.dump({**before, **noted}, file, indent=1, sort_keys=True)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """The very last line, which scripts/test counts. An error outside a test counts as a failure."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or config.getoption("collectonly", False):
        return
    counts = {name: len(reporter.stats.get(name, ())) for name in ("passed", "failed", "error")}
    reporter.write_line(f"{counts['passed']} passed, {counts['failed'] + counts['error']} failed")


@pytest.fixture(scope="session")
def everything(request):
    """True with --all: the long form of a scenario."""
    return request.config.getoption("--all")


@pytest.fixture(scope="session")
def kafka():
    return environment.Kafka()


@pytest.fixture(scope="session")
def s3():
    return environment.S3()


@pytest.fixture
def case(request, kafka, s3):
    """A scenario on Kafka and S3."""
    made = Case(request.node.name, kafka, s3)
    yield made
    report = getattr(request.node, "report_call", None)
    made.finish(failed=report is None or report.failed)


@pytest.fixture(scope="session")
def cluster(kafka, s3):
    """Three nodes with the operator. Kafka and S3 first: they answer on the cluster's bridge."""
    return Cluster()


@pytest.fixture
def job(case, cluster):
    """A StreamJob of this scenario, with topics and the store's Secret, not applied yet."""
    case.topics()
    made = ClusterJob(case, cluster)
    made.secret()
    return made


@pytest.fixture(scope="module")
def operator(cluster):
    """The installed operator behind a proxy, for one file."""
    made = ProxiedOperator(cluster)
    yield made
    made.close()


@pytest.fixture
def place(case, operator):
    """A namespace for probes; rules left over from a failure are ended."""
    kubectl = operator.kubectl
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": case.name}})
    case.collect_from(lambda: operator.cluster.describe(case.name))
    case.collect_from(lambda: [("api-proxy.txt", lambda: operator.proxy.history[-5000:])])

    def end():
        operator.proxy.rules.clear()
        for job in kubectl.items("streamjobs", case.name):
            kubectl.delete("streamjob", job["metadata"]["name"], case.name)
        kubectl.delete("namespace", case.name)
    case.defer(end)
    return lambda name=None: Probe(kubectl, case.name, name)
