# SPDX-License-Identifier: Apache-2.0
"""A broker that wants TLS and a login: credentials come from a Secret's files, never from SQL.

The broker has, besides the plain listener of the checker, one with SASL/PLAIN over TLS and one with
TLS client certificates, all of an authority made here.
1. user name and password over TLS: exact
2. a client certificate: exact
3. a wrong password, another authority, no certificate: said in words; the password is in no log
"""
import os
import subprocess

import pytest

from streamjob_e2e import environment
from streamjob_e2e.events import Shape
from streamjob_e2e.local_worker import OK
from streamjob_e2e.waiting import wait_until

PASSWORD = "canary-of-a-password"
WRONG = "canary-of-a-wrong-one"


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def authority(folder):
    os.makedirs(folder)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test",
            "-keyout", f"{folder}/ca.key", "-out", f"{folder}/ca.crt")
    return folder


def certificate(ca, folder, name):
    """<folder>/<name>.key (PKCS #8) and <name>.crt, for 127.0.0.1."""
    os.makedirs(folder, exist_ok=True)
    base = f"{folder}/{name}"
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{base}.key",
            "-out", f"{base}.csr")
    with open(f"{base}.ext", "w", encoding="utf-8") as out:
        out.write("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    openssl("x509", "-req", "-in", f"{base}.csr", "-CA", f"{ca}/ca.crt", "-CAkey", f"{ca}/ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", f"{base}.ext", "-out", f"{base}.crt")


def copy(target, *sources):
    with open(target, "w", encoding="utf-8") as out:
        for source in sources:
            with open(source, encoding="utf-8") as text:
                out.write(text.read())


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("pki"))
    ca = authority(f"{folder}/ca")
    certificate(ca, folder, "broker")
    certificate(ca, folder, "client")
    authority(f"{folder}/stranger")
    copy(f"{folder}/broker.pem", f"{folder}/broker.key", f"{folder}/broker.crt")
    return folder


def properties(pki, ports):
    local, controller, login, mutual = ports
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    stores = [f"ssl.keystore.type=PEM\nssl.keystore.location={pki}/broker.pem",
              f"ssl.truststore.type=PEM\nssl.truststore.location={pki}/ca/ca.crt"]
    listeners = (f"LOCAL://127.0.0.1:{local},LOGIN://127.0.0.1:{login},"
                 f"MUTUAL://127.0.0.1:{mutual}")
    return "\n".join([
        f"listeners={listeners},CONTROLLER://127.0.0.1:{controller}",
        f"advertised.listeners={listeners}",
        "listener.security.protocol.map="
        "LOCAL:PLAINTEXT,CONTROLLER:PLAINTEXT,LOGIN:SASL_SSL,MUTUAL:SSL",
        *stores, "listener.name.mutual.ssl.client.auth=required",
        "listener.name.login.sasl.enabled.mechanisms=PLAIN",
        f"listener.name.login.plain.sasl.jaas.config={module} required "
        f'user_shop="{PASSWORD}";'])


@pytest.fixture(scope="module")
def kafka(pki):
    local = int(environment.setting("KAFKA_PORT", environment.BESIDE))
    controller = int(environment.setting("KAFKA_CONTROLLER_PORT", environment.BESIDE))
    ports = (local, controller, local + 10, local + 11)
    made = environment.Kafka(instance=environment.BESIDE, extra=properties(pki, ports))
    made.login, made.mutual = (f"127.0.0.1:{port}" for port in ports[2:])
    yield made
    made.down()


def secret(case, **files):
    """--secrets-dir with the Secret `kafka`: file name with _ for . -> text, or the path to copy."""
    folder = os.path.join(case.folder, "secrets", "kafka")
    os.makedirs(folder)
    for name, value in files.items():
        target = os.path.join(folder, name.replace("_", "."))
        if os.path.isfile(value):
            copy(target, value)
        else:
            with open(target, "w", encoding="utf-8") as out:
                out.write(value)
    return ["--secrets-dir", os.path.dirname(folder)]


def start(case, address, arguments):
    """A worker whose only way to the broker is the connection."""
    by_name = {"properties.bootstrap.servers": None, "connection": "main"}
    connection = {"name": "main", "kafka": {"bootstrapServers": address, "secretRef": {"name": "kafka"}}}
    job = case.job_file(by_name, by_name, connections=[connection])
    return case.worker("worker", job, arguments=arguments)


def expect_exact(case, worker):
    case.write(Shape(events=20_000, seed=51))
    check = case.check()
    case.wait_complete(check)
    assert worker.stop() == OK
    case.expect_exact(check)
    assert PASSWORD not in worker.log()


def test_password_over_tls(case, kafka, pki):
    case.topics()
    worker = start(case, kafka.login, secret(case, username="shop", password=PASSWORD,
                                             ca_crt=f"{pki}/ca/ca.crt"))
    worker.wait_running()
    expect_exact(case, worker)


def test_client_certificate(case, kafka, pki):
    case.topics()
    worker = start(case, kafka.mutual, secret(
        case, ca_crt=f"{pki}/ca/ca.crt", tls_crt=f"{pki}/client.crt", tls_key=f"{pki}/client.key"))
    worker.wait_running()
    expect_exact(case, worker)


@pytest.mark.parametrize("how,words", [
    ("password", "Kafka refused the login"), ("authority", "The TLS connection failed"),
    ("certificate", "The TLS connection failed")])
def test_refused_in_words(case, kafka, pki, how, words):
    case.topics()
    login = {"username": "shop", "password": WRONG if how == "password" else PASSWORD}
    ca = f"{pki}/stranger/ca.crt" if how == "authority" else f"{pki}/ca/ca.crt"
    if how == "certificate":
        worker = start(case, kafka.mutual, secret(case, ca_crt=ca))
    else:
        worker = start(case, kafka.login, secret(case, ca_crt=ca, **login))
    wait_until(f"the words {words!r}", lambda: words in worker.log(), 60)
    worker.end()
    assert WRONG not in worker.log() and PASSWORD not in worker.log()
