# SPDX-License-Identifier: Apache-2.0
"""control: what the control plane costs, and how long a job's output pauses when it acts.

    e2e/perf/control operator [--jobs 300] [--replicas 2] [--idle 600]
    e2e/perf/control job [--state-mb 100] [--only kill,rescale,...] [--repeat 2]

`operator`: one operator and hundreds of jobs whose pods are objects only. `job`: one job under steady
load on three nodes, disturbed on purpose. Without a word: both. --keep leaves the environment up,
--no-record writes no report. The programs must be built: cmake --build --preset release.
"""
import argparse
import datetime
import os
import platform
import sys

import control_report
import disturbances
import operator_scale
from streamjob_e2e.environment import ROOT

DOCS = os.path.join(ROOT, "docs", "benchmarks")


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        model = next((l.split(":")[1].strip() for l in info if l.startswith("model name")), "unknown")
    return {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release(),
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
            "load_before": round(os.getloadavg()[0], 1)}


def parse():
    parser = argparse.ArgumentParser(prog="control", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=("operator", "job", "all"), default="all")
    parser.add_argument("--no-record", action="store_true")
    parser.add_argument("--what", default="", help="joined to the report's name")
    group = parser.add_argument_group("operator")
    group.add_argument("--jobs", type=int, default=300)
    group.add_argument("--replicas", type=int, default=2, help="workers of each job")
    group.add_argument("--samples", type=int, default=5, help="jobs made alone")
    group.add_argument("--settle", type=int, default=30, help="seconds of rest before a reading")
    group.add_argument("--idle", type=int, default=600, help="seconds of idle, workers connected")
    group.add_argument("--idle-short", type=int, default=60, help="the same before they connect")
    group = parser.add_argument_group("job")
    group.add_argument("--state-mb", type=int, default=100, help="keyed state, about")
    group.add_argument("--rate", type=int, default=5000, help="events a second")
    group.add_argument("--interval", default="500ms", help="spec.checkpoint.interval")
    group.add_argument("--repeat", type=int, default=1)
    group.add_argument("--only", default="", help=", ".join(disturbances.NAMES))
    return parser.parse_args()


def main():
    args = parse()
    for name, run in (("operator", operator_scale.run), ("job", disturbances.run)):
        if args.part not in (name, "all"):
            continue
        before = machine()
        result = run(args)
        name = "-".join(filter(None, (datetime.date.today().isoformat(), "control", name, args.what)))
        text = control_report.text(name, before, result)
        print(text)
        if not args.no_record:
            control_report.write(DOCS, name, before, result, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
