# SPDX-License-Identifier: Apache-2.0
"""What workers logged of the protocol, against the invariants of the model (docs/design/0004-model.md).

A trace is the JSON log of one process at debug level, in its order; a job has many. Nothing here
compares clocks: order counts within a process, offsets between processes. A line may be missing
where a process died, so what is absent proves nothing; what is there must fit together:

- an attempt takes its ids over, has the generation confirmed, reads positions, runs, commits, in that order;
- its epochs rise, from above the restored one; nobody commits an epoch of a generation and ordinal twice;
- after being fenced it commits nothing, and the process begins nothing;
- for a unit, the stretches of input that attempts committed do not overlap: no two owners;
- a unit is not committed after its release, nor in a generation older than its release mark names;
- who starts from a release mark starts where a worker released the unit to that generation.

By hand: python3 -m streamjob_e2e.trace LOG...
"""
import dataclasses
import json
import sys

FENCING, TAKEN, CURRENT = "fencing", "ids taken over", "generation is current"
READ, RUNNING, COMMITTED, FENCED = "positions read", "running", "epoch committed", "fenced"
FRESH = -1  # nothing was ever committed
MUST_COME_BEFORE = {TAKEN: FENCING, CURRENT: TAKEN, READ: CURRENT, RUNNING: READ, COMMITTED: RUNNING}


@dataclasses.dataclass(frozen=True)
class Position:
    unit: str  # topic/partition
    offset: int
    mark: int = 0  # the generation it is released to


@dataclasses.dataclass
class Stretch:
    """What one attempt committed of a unit: after `start`, up to `end`."""

    who: str
    unit: str
    start: Position
    end: int
    released: int = 0


class _Attempt:
    def __init__(self, who, record):
        self.who, self.generation, self.ordinal = who, record["generation"], record["ordinal"]
        self.seen, self.epoch, self.lost = {FENCING}, 0, False
        self.read, self.stretches = {}, {}


def records(log):
    """Of a worker's log; lines of other programs' libraries are left out."""
    found = []
    for line in log.splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def positions(text):
    """Of a log line; a last one that was cut off is left out."""
    found = []
    for word in text.split():
        where, _, mark = word.partition("!")
        unit, at, offset = where.rpartition("@")
        if at and "/" in unit and offset.lstrip("-").isdigit() and (mark.isdigit() or not mark):
            found.append(Position(unit, int(offset), int(mark or 0)))
    return found


class Trace:
    """Takes in processes' logs; `broken` is what does not fit, in words."""

    def __init__(self):
        self.broken, self.commits = [], 0
        self._stretches, self._epochs = [], {}

    def add(self, who, records):
        attempt, fenced = None, False
        for record in records:
            message = record.get("message")
            if message == FENCING:
                if fenced:
                    self._complain(who, "begins again after it was fenced")
                attempt = _Attempt(who, record)
            elif attempt is not None and message in (*MUST_COME_BEFORE, FENCED):
                fenced = fenced or message == FENCED
                self._step(attempt, message, record)

    def verdict(self):
        """Everything that does not fit, also between processes."""
        return self.broken + self._overlaps() + self._unreleased()

    def _complain(self, who, text):
        self.broken.append(f"{who} {text}")

    def _step(self, attempt, message, record):
        before = MUST_COME_BEFORE.get(message)
        if before is not None and before not in attempt.seen:
            self._complain(attempt.who, f'says "{message}" before "{before}"')
        attempt.seen.add(message)
        if message == READ:
            for position in positions(record["positions"]):
                attempt.read[position.unit] = position
        elif message == RUNNING:
            attempt.epoch = record.get("from_epoch", 0)
        elif message == FENCED:
            attempt.lost = True
        elif message == COMMITTED:
            self._commit(attempt, record)

    def _commit(self, attempt, record):
        self.commits += 1
        epoch, who = record["epoch"], attempt.who
        attempt.generation = record["generation"]  # the one in force: a hand-over changes it
        if attempt.lost:
            self._complain(who, f"commits epoch {epoch} after it was fenced")
        if epoch <= attempt.epoch:
            self._complain(who, f"commits epoch {epoch} after {attempt.epoch}")
        attempt.epoch = epoch
        key = (attempt.generation, attempt.ordinal, epoch)
        if key in self._epochs:
            self._complain(who, f"commits epoch {epoch} of generation {key[0]}, worker {key[1]}, "
                                f"which {self._epochs[key]} has committed")
        self._epochs[key] = who
        for position in positions(record["positions"]):
            self._commit_unit(attempt, position)

    def _commit_unit(self, attempt, position):
        who, unit = attempt.who, position.unit
        start = attempt.read.get(unit)
        stretch = attempt.stretches.get(unit)
        if start is None:
            return self._complain(who, f"commits {unit}, whose position it has not read")
        if stretch is None or (stretch.released and start is not stretch.start):
            stretch = attempt.stretches[unit] = Stretch(who, unit, start, start.offset)
            self._stretches.append(stretch)
            if start.mark > attempt.generation and not position.mark:
                self._complain(who, f"commits {unit} in generation {attempt.generation}; it was "
                                    f"released to {start.mark}")
        elif stretch.released:
            self._complain(who, f"commits {unit} after it has released it to {stretch.released}")
        if position.offset < stretch.end:
            self._complain(who, f"commits {unit} at {position.offset} after {stretch.end}")
        stretch.end, stretch.released = position.offset, position.mark
        return None

    def _overlaps(self):
        by_unit, found = {}, []
        for stretch in self._stretches:
            if stretch.end > stretch.start.offset:
                by_unit.setdefault(stretch.unit, []).append(stretch)
        for unit, of_unit in sorted(by_unit.items()):
            of_unit.sort(key=lambda s: (s.start.offset, s.end))
            for one, other in zip(of_unit, of_unit[1:]):
                if other.start.offset < one.end:
                    found.append(f"{unit}: {one.who} commits {one.start.offset} to {one.end}, "
                                 f"{other.who} {other.start.offset} to {other.end}")
        return found

    def _unreleased(self):
        released = {(s.unit, s.end, s.released) for s in self._stretches if s.released}
        units = {unit for unit, _, _ in released}
        return [f"{s.who} starts {s.unit} from a mark of generation {s.start.mark} at "
                f"{s.start.offset}, where nobody released it"
                for s in self._stretches
                if s.start.mark and s.unit in units and
                (s.unit, s.start.offset, s.start.mark) not in released]


def main(paths):
    """Replays log files, one for each process: prints what is broken, and the count."""
    trace = Trace()
    for path in paths:
        with open(path, encoding="utf-8", errors="replace") as log:
            trace.add(path, records(log.read()))
    broken = trace.verdict()
    for text in broken:
        print(text)
    print(f"{len(paths)} logs, {trace.commits} commits, {len(broken)} broken")
    return 1 if broken or not trace.commits else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
