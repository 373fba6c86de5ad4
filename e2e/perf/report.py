# SPDX-License-Identifier: Apache-2.0
"""Results as a line, a Markdown table and a JSON file."""
import json
import os

COLUMNS = (("case", None), ("threads", "threads"), ("events/s", "events_per_second"),
           ("CPU s per 1M", "cpu_seconds_per_million"), ("of bare loop, events/s", "ratio"),
           ("of bare loop, CPU", "cpu_ratio"), ("peak RSS, MiB", "peak_rss_mib"),
           ("first record, s", "first_record_seconds"), ("epochs", "epochs"),
           ("PUTs per epoch", "puts_per_epoch"), ("bytes per epoch", "bytes_per_epoch"),
           ("others' cores", "others_cores"))


def cells(name, results):
    row = dict(results[name])
    bare = results.get(row["beside"])
    if bare:
        row["ratio"] = f"{row.get('events_per_second', 0) / bare['events_per_second']:.0%}"
        if row.get("cpu_seconds_per_million"):
            row["cpu_ratio"] = (f"{bare['cpu_seconds_per_million'] / row['cpu_seconds_per_million']:.0%}")
    out = [name]
    for _, key in COLUMNS[1:]:
        value = row.get(key)
        out.append("" if value is None else f"{value:,}" if isinstance(value, int) else str(value))
    return out


def line(name, results):
    return "  ".join(f"{title} {cell}" if title != "case" else f"{cell:24}"
                     for (title, _), cell in zip(COLUMNS, cells(name, results)) if cell)


def table(results):
    rows = [[title for title, _ in COLUMNS], ["---"] * len(COLUMNS)]
    rows += [cells(name, results) for name in results]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def read(folder, name):
    """The rows of an earlier report; none when there is none."""
    try:
        with open(os.path.join(folder, f"{name}.json"), encoding="utf-8") as raw:
            return json.load(raw)["results"]
    except FileNotFoundError:
        return {}


def write(folder, name, machine, args, results):
    os.makedirs(folder, exist_ok=True)
    raw = {"machine": machine, "events": args.events, "repeat": args.repeat, "results": results}
    with open(os.path.join(folder, f"{name}.json"), "w", encoding="utf-8") as out:
        json.dump(raw, out, indent=1)
        out.write("\n")
    with open(os.path.join(folder, f"{name}.md"), "w", encoding="utf-8") as out:
        out.write(f"# {name}\n\n{args.events:,} events a run, {args.repeat} runs a row, the middle one by"
                  " CPU time is shown. Method and goals: [README](README.md).\n\n")
        out.writelines(f"- {key.replace('_', ' ')}: {value}\n" for key, value in machine.items())
        out.write("\n" + table(results))
    print(f"written: {os.path.join(folder, name)}.md and .json")
