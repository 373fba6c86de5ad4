# SPDX-License-Identifier: Apache-2.0
"""One scenario's things: a name, a folder, topics, a manifest, workers; all ended after it.

The folder build/e2e/<scenario> stays when the scenario fails, with logs, topics, committed offsets and
the listing of the store; it goes when it passes.
"""
import os
import re
import secrets
import shutil

from streamjob_e2e import jobs, loadgen, offsets, restore_points, topics
from streamjob_e2e.checker import Check
from streamjob_e2e.environment import ARTIFACTS
from streamjob_e2e.local_worker import LocalWorker
from streamjob_e2e.trace import Trace
from streamjob_e2e.waiting import NotYet, wait_until

PARTITIONS = 8


class Case:
    """Names are new for each run, so that nothing of an earlier one can be met."""

    def __init__(self, title, kafka=None, s3=None):
        self.title, self.kafka, self.s3 = title, kafka, s3
        slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
        self.name = f"{slug[:30].strip('-')}-{secrets.token_hex(3)}"
        self.folder = os.path.join(ARTIFACTS, slug[:100])
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self.source, self.sink = f"{self.name}-in", f"{self.name}-out"
        self.group = f"streamjob.{self.name}"
        self._topics, self._endings, self._collectors = [], [], []
        self._processes = []

    # --- what a scenario is made of ---------------------------------------------------------------

    def defer(self, ending):
        """Called at the end, last first, whether the scenario passes or not."""
        self._endings.append(ending)

    def collect_from(self, give):
        """`give` yields (file name, function that gives lines), asked when the scenario failed."""
        self._collectors.append(give)

    def trace_from(self, job, give):
        """`give` yields (process, its log's records) of a job, asked by expect_exact."""
        self._processes.append((job, give))

    def topic(self, name, partitions=PARTITIONS):
        self._topics.append(self.kafka.topic(name, partitions))
        return name

    def topics(self, partitions=PARTITIONS, sink_partitions=4):
        self.topic(self.source, partitions)
        self.topic(self.sink, sink_partitions)

    def job_file(self, source_options=None, sink_options=None, sql=None, checkpoint=None, **spec):
        """Writes the manifest for a local run and returns its path. Epochs of 200 ms, to S3."""
        sql = sql or jobs.purchases_sql(self.kafka.bootstrap, self.source, self.sink,
                                        source_options, sink_options)
        checkpoint = checkpoint or {"interval": "200ms", "location": f"s3://{self.s3.bucket}/local",
                                    "endpoint": self.s3.endpoint, "region": self.s3.region}
        path = os.path.join(self.folder, "job.yaml")
        with open(path, "w", encoding="utf-8") as out:
            out.write(jobs.dump(jobs.manifest(self.name, sql, checkpoint, **spec)))
        return path

    def worker(self, name, job_file, failpoints="", env=None, threads=2, arguments=()):
        """Starts a worker of this machine."""
        credentials = self.s3.credentials() if self.s3 else {}
        worker = LocalWorker(self.folder, name, job_file, {**credentials, **(env or {})}, failpoints,
                             threads, arguments)
        self.defer(worker.end)
        self.trace_from(job_file, lambda: [(name, worker.messages())])
        return worker

    def load(self, shape, **options):
        return loadgen.Background(self.kafka.bootstrap, self.source, shape, **options)

    def write(self, shape, **options):
        return loadgen.write(self.kafka.bootstrap, self.source, shape, **options)

    # --- what must hold ---------------------------------------------------------------------------

    def check(self):
        check = Check(self.kafka.bootstrap, self.source, self.sink)
        self.defer(check.close)
        return check

    def wait_complete(self, check, seconds=90, finished=False):
        """Until every expected row is committed."""
        def complete():
            missing = check.missing(finished)
            return missing == 0 or NotYet(f"{missing} rows are missing")
        wait_until("the expected rows in the output", complete, seconds, 0.3)

    def expect_exact(self, check, finished=False):
        """Nothing lost, duplicated, wrong or unexpected, and nothing left undecided."""
        wait_until("no open transaction on the output",
                   lambda: not topics.open_transactions(self.kafka.bootstrap, self.sink), 90)
        verdict = check.verdict(finished)
        assert verdict.exact, f"{check.expectation.records} events in: {verdict}"
        assert verdict.rows > 0, "the check is empty: no row was expected"
        self.expect_protocol()

    def expect_protocol(self):
        """What the workers logged fits the protocol's invariants."""
        traces = {}
        for job, give in self._processes:
            for who, records in give():
                traces.setdefault(job, Trace()).add(who, records)
        broken = [text for trace in traces.values() for text in trace.verdict()]
        assert not broken, "the workers' traces break the protocol: " + "; ".join(broken[:20])
        assert not traces or any(trace.commits for trace in traces.values()), "no commit is traced"

    def committed(self):
        """{(topic, partition): (offset, metadata)} of the job."""
        return offsets.committed(self.kafka.bootstrap, self.group)

    def committed_input(self):
        """How many input records are committed, over all partitions."""
        return sum(offset for (topic, _), (offset, _) in self.committed().items()
                   if topic == self.source)

    def expect_restorable(self):
        """Every committed offset names a checkpoint that is there, whole."""
        return restore_points.check(self.s3, self.kafka.bootstrap, self.group, self.source)

    # --- the end ----------------------------------------------------------------------------------

    def collect(self):
        """For a failed scenario: what a person would ask for first."""
        wanted = [("topics.txt", self._topic_lines), ("offsets.txt", self._offset_lines),
                  ("store.txt", lambda: self.s3.keys() if self.s3 else [])]
        for give in self._collectors:
            try:
                wanted += list(give())
            except Exception as error:  # pylint: disable=broad-except
                wanted.append(("collecting.txt", lambda e=error: [str(e)]))
        for name, ask in wanted:
            try:
                lines = list(ask())
            except Exception as error:  # pylint: disable=broad-except
                lines = [f"could not be collected: {error}"]
            with open(os.path.join(self.folder, name), "w", encoding="utf-8") as out:
                out.writelines(f"{line}\n" for line in lines)

    def _topic_lines(self):
        for name in topics.names(self.kafka.bootstrap) if self.kafka else []:
            if name.startswith("__"):
                continue
            stable = topics.ends(self.kafka.bootstrap, name)
            yield f"{name}: stable {stable}, end {topics.ends(self.kafka.bootstrap, name, False)}"

    def _offset_lines(self):
        return [f"{key}: {value}" for key, value in sorted(self.committed().items())]

    def finish(self, failed):
        try:
            if failed:
                self.collect()
        finally:
            errors = self._end()
        if not failed:
            shutil.rmtree(self.folder, ignore_errors=True)
            self._delete_topics()
        if errors:
            raise errors[0]

    def _end(self):
        errors = []
        for ending in reversed(self._endings):
            try:
                ending()
            except Exception as error:  # pylint: disable=broad-except
                errors.append(error)
        return errors

    def _delete_topics(self):
        """What the scenario named, and the exchange topics of its local job."""
        if self._topics:
            present = set(topics.names(self.kafka.bootstrap))
            ours = {n for n in present if n.startswith(f"{self.group}.")}
            topics.delete(self.kafka.bootstrap, (set(self._topics) | ours) & present)
