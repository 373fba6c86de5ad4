# SPDX-License-Identifier: Apache-2.0
"""The C++ tests that ask for a real service run against it, and none of them is skipped.

- sj_connect_kafka_it against the broker
- the store's cases against the S3 server
- the API client's contract against the real API server, as against its fake
"""
import os
import subprocess
import xml.etree.ElementTree

import pytest

from streamjob_e2e import environment

SECONDS = 300


def run_binary(path, folder, select, env):
    """Runs a GoogleTest binary; asserts that what was selected ran, whole and green."""
    program = environment.binary(*path.split("/"))
    # Beside the reports of the unit tests: e2e/faults reads them all.
    reports = os.path.join(environment.ROOT, "build", "test")
    report = os.path.join(reports, f"release-{os.path.basename(program)}-real.xml")
    os.makedirs(reports, exist_ok=True)
    if os.path.exists(report):
        os.remove(report)
    with open(os.path.join(folder, "output.log"), "wb") as log:
        done = subprocess.run([program, f"--gtest_filter={select}", f"--gtest_output=xml:{report}"],
                              env={**os.environ, **env}, stdout=log, stderr=subprocess.STDOUT,
                              timeout=SECONDS, check=False, cwd=folder)
    cases = list(xml.etree.ElementTree.parse(report).getroot().iter("testcase"))
    skipped = [case.get("name") for case in cases
               if case.get("result") == "skipped" or case.find("skipped") is not None]
    failed = [case.get("name") for case in cases if case.find("failure") is not None]
    assert done.returncode == 0 and not failed, f"ended with {done.returncode}: {failed}"
    assert cases and not skipped, f"{len(cases)} cases, skipped: {skipped}"


def test_kafka(case, kafka):
    run_binary("worker/connect/kafka/sj_connect_kafka_it", case.folder, "*",
               {"SJ_TEST_KAFKA": kafka.bootstrap})


def test_store(case, s3):
    run_binary("worker/store/sj_worker_store_s3_it_test", case.folder, "*",
               {"SJ_TEST_S3": f"{s3.endpoint},{s3.key},{s3.secret},{s3.bucket}"})


def test_api_server(case, cluster):
    run_binary("operator/kube/sj_operator_kube_test", case.folder, "*Contract*",
               {"SJ_TEST_KUBECONFIG": cluster.env["KUBECONFIG"]})
