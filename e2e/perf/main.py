# SPDX-License-Identifier: Apache-2.0
"""bench: how fast, how much CPU, how much memory, beside the bare libraries in the same run.

    e2e/perf/bench [--events 10000000] [--only NAME,...] [--repeat N] [--what NAME] [--no-record]

Rows for one thread have the engine on CPU 0 and the broker on CPU 1; rows for two threads leave both
free. The middle of --repeat runs by CPU time is told, all are in the raw file.
"""
import argparse
import datetime
import glob
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile

import cases
import measure
import report
from streamjob_e2e import environment, topics

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(environment.ROOT, "build", "perf")
DOCS = os.path.join(environment.ROOT, "docs", "benchmarks")
PARTITIONS, SEED, SPAN_SECONDS = 8, 1, 3600
LIBRARIES = {"record": ["-lrdkafka"], "bare_loop": ["-lrdkafka", "-lsimdjson"]}


def said(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def build(name):
    """The program from its one source file, as the release preset compiles."""
    source, program = os.path.join(HERE, f"{name}.cc"), os.path.join(OUT, name)
    if not os.path.exists(program) or os.path.getmtime(program) < os.path.getmtime(source):
        subprocess.run(["g++-12", "-std=c++20", "-O2", "-g1", "-DNDEBUG", "-Wall", "-Wextra",
                        "-Werror", source, "-o", program, *LIBRARIES[name]], check=True)
    return program


def broker_pid():
    """Of the only broker of this instance."""
    found = re.search(r"kafka1\s+running\s+pid (\d+)", environment.script("kafka", "status"))
    if not found:
        raise SystemExit("bench: one broker is wanted: e2e/lib/kafka down, then again")
    return int(found[1])


def warm(topic):
    """Reads the topic's segments once: every run finds them in the page cache."""
    run = os.path.expanduser(f"~/.cache/streamjob/run{os.environ.get('STREAMJOB_INSTANCE', '')}")
    for path in glob.glob(os.path.join(run, "kafka", "data1", f"{topic}-[0-9]*", "*.log")):
        with open(path, "rb", buffering=0) as segment:
            while segment.read(1 << 22):
                pass


def record(kafka, events, users):
    topic = f"perf-{events}-{users}-{SEED}"
    if topic not in topics.names(kafka.bootstrap):
        kafka.topic(topic, PARTITIONS)
        subprocess.run([build("record"), kafka.bootstrap, topic, str(events), str(SEED), str(users),
                        str(SPAN_SECONDS)], check=True)
    return topic


def run(case, kafka, topic, broker):
    cpus = "0" if case.threads == 1 else ""
    measure.pin(broker, "1" if case.threads == 1 else f"0-{os.cpu_count() - 1}")
    warm(topic)
    if case.mode:
        return measure.run_bare([build("bare_loop"), case.mode, kafka.bootstrap, topic], cpus, broker)
    folder = tempfile.mkdtemp(prefix=f"{case.name}-", dir=OUT)
    sink = f"perf-{os.path.basename(folder)}".lower().replace("_", "-")
    if case.kafka:
        kafka.topic(sink, PARTITIONS)
    job = cases.write_job(case, folder, kafka.bootstrap, topic, sink)
    try:
        return measure.run_worker(environment.worker_program(), job, folder, cpus, case.threads,
                                  broker, {"CHECKPOINT": f"file://{folder}/checkpoints"})
    finally:
        if case.kafka:
            topics.delete(kafka.bootstrap, [sink])
        shutil.rmtree(folder, ignore_errors=True)


def middle(runs):
    return sorted(runs, key=lambda r: r["cpu_seconds_per_million"])[len(runs) // 2]


def machine():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as info:
        model = re.search(r"model name\s*: (.*)", info.read())
    with open("/proc/meminfo", encoding="ascii") as info:
        kib = int(info.readline().split()[1])
    return {"cpu": model[1] if model else platform.machine(), "cores": os.cpu_count(),
            "memory_gib": round(kib / 2**20), "kernel": platform.release(),
            "compiler": said(["g++-12", "-dumpfullversion"]),
            "librdkafka": said(["dpkg-query", "-W", "-f", "${Version}", "librdkafka1"]),
            "simdjson": said(["dpkg-query", "-W", "-f", "${Version}", "libsimdjson-dev"]),
            "broker": "Kafka 4.1.0, 1 broker", "commit": said(
                ["git", "-C", environment.ROOT, "rev-parse", "--short", "HEAD"]),
            "worker": said([environment.worker_program(), "--version"])}


def main():
    parser = argparse.ArgumentParser(prog="bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--only", default="", help="names of cases, by comma")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--what", default="throughput", help="second half of the report's name")
    parser.add_argument("--no-record", action="store_true", help="print, write no report")
    parser.add_argument("--join", action="store_true",
                        help="keep the rows of today's report of this name that are not run now")
    args = parser.parse_args()
    os.makedirs(OUT, exist_ok=True)
    wanted = [c for c in cases.CASES if not args.only or c.name in args.only.split(",")]
    kafka = environment.Kafka()
    broker, results = broker_pid(), {}
    build("bare_loop")
    recorded = {users: record(kafka, args.events, users) for users in {c.users for c in wanted}}
    for case in wanted:
        runs = [run(case, kafka, recorded[case.users], broker) for _ in range(args.repeat)]
        results[case.name] = {**middle(runs), "threads": case.threads, "beside": case.beside,
                              "runs": runs}
        print(report.line(case.name, results), flush=True)
    measure.pin(broker, f"0-{os.cpu_count() - 1}")
    if not args.no_record:
        name = f"{datetime.date.today().isoformat()}-{args.what}"
        if args.join:
            results = {**report.read(DOCS, name), **results}
        order = [case.name for case in cases.CASES if case.name in results]
        report.write(DOCS, name, machine(), args, {case: results[case] for case in order})
    return 0


if __name__ == "__main__":
    sys.exit(main())
