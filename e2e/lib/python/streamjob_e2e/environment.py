# SPDX-License-Identifier: Apache-2.0
"""Kafka, S3 and Kubernetes by way of the scripts in e2e/lib. Bringing up twice changes nothing."""
import configparser
import os
import re
import shlex
import subprocess

from streamjob_e2e import topics

LIB = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ROOT = os.path.dirname(os.path.dirname(LIB))
BUILD = os.environ.get("STREAMJOB_BUILD", os.path.join(ROOT, "build", "release"))
ARTIFACTS = os.path.join(ROOT, "build", "e2e")
UP_SECONDS = 300


# A second environment beside the one of this run, for what needs other settings.
BESIDE = str((int(os.environ.get("STREAMJOB_INSTANCE", "0")) + 6) % 10)


def script(name, *arguments, seconds=120, check=True, instance=None, env=None):
    """Runs e2e/lib/<name>. Returns its output; a failure shows what it said."""
    command = [os.path.join(LIB, name), *map(str, arguments)]
    env = {**os.environ, **(env or {}), **({"STREAMJOB_INSTANCE": instance} if instance else {})}
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False,
                          env=env)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def exports(text):
    """The lines `export NAME=VALUE` of an `env` command, as a dict."""
    found = {}
    for line in text.splitlines():
        match = re.match(r"export (\w+)=(.*)", line)
        if match:
            found[match[1]] = os.path.expandvars("".join(shlex.split(match[2])))
    return found


def setting(name, instance=None):
    """The value of a name of e2e/lib/settings.sh."""
    env = {**os.environ, **({"STREAMJOB_INSTANCE": instance} if instance else {})}
    return subprocess.run(["bash", "-c", f'. "$0" && echo "${name}"', os.path.join(LIB, "settings.sh")],
                          capture_output=True, text=True, check=True, env=env).stdout.strip()


class Kafka:
    """`extra`: lines added to each broker's server.properties."""

    def __init__(self, brokers=1, instance=None, extra=""):
        self._instance, self._extra = instance, extra
        self._script("up", "--brokers", brokers, seconds=UP_SECONDS)
        env = exports(self._script("env"))
        self.bootstrap, self.pod_bootstrap = env["KAFKA_BOOTSTRAP"], env.get("KAFKA_POD_BOOTSTRAP")

    def _script(self, *arguments, **options):
        return script("kafka", *arguments, instance=self._instance, env={"KAFKA_EXTRA": self._extra},
                      **options)

    def topic(self, name, partitions):
        topics.create(self.bootstrap, name, partitions)
        return name

    def kill(self, broker=1):
        self._script("kill", broker)

    def start(self, broker=1):
        self._script("start", broker)

    def down(self):
        self._script("down")
        topics.forget()


class S3:
    """Its credentials go to processes by environment and into Secrets, never into a manifest."""

    bucket = "streamjob"

    def __init__(self):
        script("s3", "up", seconds=UP_SECONDS)
        env = exports(script("s3", "env"))
        self.endpoint, self.pod_endpoint = env["AWS_ENDPOINT_URL_S3"], env.get("S3_POD_ENDPOINT")
        self.region = env["AWS_REGION"]
        parser = configparser.ConfigParser()
        parser.read(env["AWS_SHARED_CREDENTIALS_FILE"])
        self.key = parser["default"]["aws_access_key_id"]
        self.secret = parser["default"]["aws_secret_access_key"]

    def credentials(self):
        return {"AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret}

    def kill(self):
        script("s3", "kill")

    def start(self):
        script("s3", "start")

    def pause(self):
        script("s3", "pause")

    def resume(self):
        script("s3", "resume")

    def _client(self):
        import boto3  # pylint: disable=import-outside-toplevel # slow to load, seldom needed
        return boto3.client("s3", endpoint_url=self.endpoint, region_name=self.region,
                            aws_access_key_id=self.key, aws_secret_access_key=self.secret)

    def keys(self, prefix=""):
        pages = self._client().get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=prefix)
        return sorted(item["Key"] for page in pages for item in page.get("Contents", ()))

    def get(self, key):
        return self._client().get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def size(self, key):
        return self._client().head_object(Bucket=self.bucket, Key=key)["ContentLength"]


def binary(*parts):
    """A program of the build; the error says how to make it."""
    path = os.path.join(BUILD, *parts)
    if not os.path.isfile(path):
        raise AssertionError(f"{path} is not built. Run cmake --build --preset release first.")
    return path


def worker_program():
    return binary("worker", "main", "streamjob-worker")


def operator_program():
    return binary("operator", "main", "streamjob-operator")
