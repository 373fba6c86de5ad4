# SPDX-License-Identifier: Apache-2.0
"""Asks the S3 server what the scripts promise: put and get, and that a wrong secret is refused.

s3.py write|read: `read` expects what `write` stored, so that a kill can stand between the two.
"""
import sys

import boto3
import botocore.exceptions
from botocore.config import Config

CONFIG = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=5)
BODY = b"stored before the kill"


def main(action):
    client = boto3.client("s3", config=CONFIG)
    if action == "write":
        client.put_object(Bucket="streamjob", Key="smoke", Body=BODY)
    got = client.get_object(Bucket="streamjob", Key="smoke")["Body"].read()
    assert got == BODY, got
    wrong = boto3.client("s3", config=CONFIG, aws_secret_access_key="wrong",
                         aws_access_key_id=boto3.Session().get_credentials().access_key)
    try:
        wrong.get_object(Bucket="streamjob", Key="smoke")
    except botocore.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "SignatureDoesNotMatch", error
    else:
        raise AssertionError("a wrong secret was accepted")


main(sys.argv[1])
