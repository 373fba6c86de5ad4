# SPDX-License-Identifier: Apache-2.0
"""Waiting by asking: bounded, and a time-out says what was waited for and what was seen last.

The seconds of a wait are those of a machine with nothing else to do. STREAMJOB_PATIENCE multiplies them
where builds run beside the scenarios: a green run takes no longer for it. A promise that has seconds in its words
is an assertion of its scenario, not a wait.
"""
import os
import time

PATIENCE = float(os.environ.get("STREAMJOB_PATIENCE", "1"))


class TimedOut(AssertionError):
    """The time is over. The text names what was waited for and the last answer."""


class Hopeless(AssertionError):
    """No wait would help: what was to answer has ended, or has answered wrong."""


class NotYet:
    """Untrue, with the text of what was seen."""

    def __init__(self, text):
        self.text = text

    def __bool__(self):
        return False

    def __repr__(self):
        return self.text


def wait_until(what, ask, seconds=60, every=0.2):
    """Asks until the answer is true, and gives it back.

    An exception of `ask` counts as "not yet" and is shown when the time is over: the thing asked for
    may not exist yet, or its server may just be down on purpose.
    """
    seconds *= PATIENCE
    end = time.monotonic() + seconds
    last = None
    while True:
        try:
            last = ask()
            if last:
                return last
        except (TimedOut, Hopeless):
            raise
        except Exception as error:  # pylint: disable=broad-except
            last = f"{type(error).__name__}: {error}"
        if time.monotonic() > end:
            raise TimedOut(f"gave up after {seconds:.0f} s waiting for {what}; seen last: {last!r}")
        time.sleep(every)


def stays_true(what, ask, seconds, every=0.5):
    """Asks for the whole time; the first untrue answer is a failure."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = ask()
        assert answer, f"{what} did not hold: {answer!r}"
        time.sleep(every)


def settled(ask, quiet=2.0, seconds=10, every=0.2):
    """The answer, once it has not changed for `quiet` seconds."""
    end = time.monotonic() + seconds
    last, since = ask(), time.monotonic()
    while time.monotonic() - since < quiet:
        if time.monotonic() > end:
            raise TimedOut(f"gave up after {seconds} s: the answer still changes; seen last: {last!r}")
        time.sleep(every)
        answer = ask()
        if answer != last:
            last, since = answer, time.monotonic()
    return last
