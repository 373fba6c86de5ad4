# SPDX-License-Identifier: Apache-2.0
"""Three brokers, replication factor 3, two in sync: one of them dies and comes back, exact.

1. two workers of one process run over 8 partitions; topics and Kafka's own ones have three replicas
2. one broker is killed with SIGKILL: epochs go on with two, within the minute a coordinator may need
3. it is started again; in the long form each of the three dies in turn
4. all input is processed exactly once; the worker is the same process all the while
"""
import pytest

from streamjob_e2e import environment, loadgen
from streamjob_e2e.events import Shape
from streamjob_e2e.local_worker import OK


RATE = 4_000


@pytest.fixture(scope="module")
def kafka():
    made = environment.Kafka(brokers=3, instance=environment.BESIDE)
    yield made
    made.down()


@pytest.mark.fault(64, "one of three brokers dies, coordinators and leaders with it",
                   "goes on with two; exact")
def test_one_of_three_brokers_dies(case, kafka, everything):
    case.topics()
    job = case.job_file()
    victims = (1, 2, 3) if everything else (2,)
    worker = case.worker("worker", job)
    worker.wait_running()
    # Enough to be still under way when a broker's coordinators have moved: an idle job ends no epoch.
    with case.load(Shape(events=loadgen.LONG * RATE, seed=41), rate=RATE) as load:
        worker.wait_epochs(2)
        for broker in victims:
            case.defer(lambda b=broker: kafka.start(b))
            kafka.kill(broker)
            worker.wait_epochs(3, 50)
            kafka.start(broker)
            worker.wait_epochs(2, 60)
        load.end()
    check = case.check()
    case.wait_complete(check, 180)
    assert worker.stop() == OK
    case.expect_exact(check)
    case.expect_restorable()
