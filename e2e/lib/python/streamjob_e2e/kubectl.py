# SPDX-License-Identifier: Apache-2.0
"""kubectl as a function: bounded in time, objects as dicts, errors with what it said."""
import json
import os
import subprocess

SECONDS = 30


class KubectlError(AssertionError):
    """kubectl ended with an error; the text is its own."""


class Kubectl:
    def __init__(self, env):
        self._env = {**os.environ, **env}

    def run(self, *arguments, stdin=None, seconds=SECONDS):
        command = ["kubectl", f"--request-timeout={seconds}s", *map(str, arguments)]
        done = subprocess.run(command, env=self._env, input=stdin, capture_output=True, text=True,
                              timeout=seconds + 60, check=False)
        if done.returncode != 0:
            raise KubectlError(f"{' '.join(command)}: {done.stderr.strip()[-1500:]}")
        return done.stdout

    def start(self, *arguments):
        """The process, which goes on until it is ended; its output is text."""
        return subprocess.Popen(["kubectl", *map(str, arguments)], env=self._env, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def get(self, kind, name, namespace=None):
        """The object, or None when there is none."""
        scope = ["-n", namespace] if namespace else []
        text = self.run("get", kind, name, *scope, "-o", "json", "--ignore-not-found")
        return json.loads(text) if text.strip() else None

    def items(self, kinds, namespace=None, selector=None):
        """All objects of comma-separated kinds."""
        scope = ["-n", namespace] if namespace else ["-A"]
        scope += ["-l", selector] if selector else []
        return json.loads(self.run("get", kinds, *scope, "-o", "json"))["items"]

    def apply(self, *objects):
        whole = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        return self.run("apply", "--server-side", "--field-manager=e2e", "--force-conflicts", "-f", "-",
                        stdin=json.dumps(whole))

    def patch(self, kind, name, namespace, change):
        return self.run("patch", kind, name, "-n", namespace, "--type=merge", "-p", json.dumps(change))

    def delete(self, kind, name, namespace=None, *arguments):
        scope = ["-n", namespace] if namespace else []
        return self.run("delete", kind, name, *scope, "--ignore-not-found", "--wait=false", *arguments)


def condition(thing, kind):
    """A condition of an object by its type, as a dict; empty when it is not there."""
    found = (thing or {}).get("status", {}).get("conditions", [])
    return next((c for c in found if c["type"] == kind), {})


def condition_text(thing):
    """All conditions as lines, for people."""
    return "; ".join(f"{c['type']}={c['status']} {c.get('reason')}: {c.get('message')}"
                     for c in (thing or {}).get("status", {}).get("conditions", []))
