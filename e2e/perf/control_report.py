# SPDX-License-Identifier: Apache-2.0
"""The results of `control` as Markdown tables and a JSON file."""
import json
import os

# Flink 2.2 and its operator 1.7.0 on a machine of the same kind; how, is in docs/benchmarks/README.md.
FLINK = {"kill": "28 to 31", "rescale": "29 by savepoint, 12 adaptive"}


def _row(*cells):
    return "| " + " | ".join("" if c is None else str(c) for c in cells) + " |\n"


def _table(head, rows):
    return _row(*head) + _row(*["---"] * len(head)) + "".join(_row(*r) for r in rows)


def _mib(memory):
    return f"{memory['rss'] / 1024:.1f} MiB"


def _operator_rows(result):
    yield "no job", _mib(result["empty"]["memory_kib"]), "", ""
    for name, title in (("burst_cold", "burst onto none"), ("burst_warm", "burst onto those")):
        row = result.get(name)
        if row:
            first, sets = row["first_child"], row["stateful_set"]
            yield (f"{title}: {row['jobs']} jobs posted in {row['posted_seconds']} s",
                   _mib(row["memory_kib"]), f"{row['operator_cpu_seconds']} CPU s",
                   f"first child p50 {first['p50']}, p95 {first['p95']}, max {first['max']} s; "
                   f"StatefulSet p95 {sets['p95']} s; in the {row['until_all_sets']['seconds']} s until all "
                   f"were there {row['until_all_sets']['cores']} cores gave, in CPU seconds: "
                   + ", ".join(f"{who} {cpu}" for who, cpu in
                               row["until_all_sets"]["cpu_seconds"].items()))
    yield ("one job alone", "", "", f"first child {result['alone']['first_child_median']} s (median of "
           f"{len(result['alone']['first_child_seconds'])}, max "
           f"{max(result['alone']['first_child_seconds'])} s)")
    rows = (("no_worker_yet", _idle, "idle, no worker has called"), ("restart", _restart, "restart"),
            ("connected", _connected, ""), ("with_input", _idle, "all workers connected, epochs going on"),
            ("idle", _idle, "idle, all workers connected, no input"),
            ("restart_connected", _restart, "restart, workers connected"))
    for name, make, title in rows:
        if name in result:
            yield make(title, result[name])


def _idle(title, row):
    writes = ", ".join(f"{count} x {what}" for what, count in row["writes"].items())
    return (f"{title}, {row['seconds']} s", _mib(row["memory_kib"]), f"{row['millicores']} millicores",
            f"{row['writes_total']} writes{': ' if writes else ''}{writes}; {row['token_reviews']} "
            "TokenReviews" + (f"; changed: {json.dumps(row['changed'])}" if row.get("changed") else ""))


def _connected(_, row):
    return (f"{row['workers']} workers connect", _mib(row["memory_kib"]),
            f"{row['operator_cpu_seconds']} CPU s",
            f"{row['kib_per_worker']} KiB a worker; all jobs run after {row['all_running_seconds']} s")


def _restart(title, row):
    return (title, f"{_mib(row['memory_kib'])} after 45 s", f"{row['operator_cpu_seconds']} CPU s",
            f"leads after {row['leads_seconds']} s, has looked at all after "
            f"{row['all_looked_at_seconds']} s, {sum(row['writes'].values())} writes")


def _operator(result):
    yield (f"{result['jobs']} StreamJobs of {result['workers_each']} workers each. "
           "Memory is VmRSS; CPU of the operator alone. Method and goals: [README](README.md).\n\n")
    yield _table(("what", "memory", "CPU", ""), _operator_rows(result))


COLUMNS = (("what", "name"), ("records of moved partitions", "moved_gap"),
           ("records of the others", "stayed_gap"), ("windows of moved keys", "moved_window_gap"),
           ("windows of the others", "stayed_window_gap"), ("decided after, s", "decided"),
           ("done after, s", "done"), ("node NotReady after, s", "not_ready"), ("new leader after, s", "leader_seconds"),
           ("bytes read back", "bytes_moved"))


def _job(result):
    yield (f"{result['rate']} events/s over 8 partitions, keyed state {result['state_mb']} MB (in the "
           f"store: {result['stored_mb']} MB), epochs of {result['interval']}. Gaps are the longest "
           "times without committed output, in seconds, as "
           "\"median, longest\" over input partitions and over keys; undisturbed they are "
           f"{result['usual_gap_seconds']} (records) and {result['usual_window_gap_seconds']} (windows of "
           "1 s). \"Moved\" is what another worker has afterwards, or what the disturbed worker has. "
           "Method and goals: [README](README.md).\n\n")
    yield _table([title for title, _ in COLUMNS] + ["Flink, s"],
                 [[r.get(key) for _, key in COLUMNS] + [FLINK.get(r.get("beside"))]
                  for r in result["rows"]])
    yield f"\nThe output of all of it, {result['events']:,} events: {result['wrong'] or 'exact'}.\n"
    if result.get("kill_split"):
        yield "\nA killed worker's way back, seconds since the kill (steps of its start in ms):\n\n"
        names = list(dict.fromkeys(n for row in result["kill_split"] for n in row))
        yield _table(names, [[row.get(n) for n in names] for row in result["kill_split"]])


def text(name, machine, result):
    parts = [f"# {name}\n\n"]
    parts += [f"- {key.replace('_', ' ')}: {value}\n" for key, value in machine.items()]
    parts.append("\n")
    parts += _operator(result) if "workers_each" in result else _job(result)
    return "".join(parts)


def write(folder, name, machine, result, markdown):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, f"{name}.json"), "w", encoding="utf-8") as out:
        json.dump({"machine": machine, **result}, out, indent=1)
        out.write("\n")
    with open(os.path.join(folder, f"{name}.md"), "w", encoding="utf-8") as out:
        out.write(markdown)
    print(f"written: {os.path.join(folder, name)}.md and .json")
