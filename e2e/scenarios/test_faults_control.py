# SPDX-License-Identifier: Apache-2.0
"""The API server lies, stalls or refuses, and strangers meddle: the cluster ends as written.

Both replicas of the operator talk to the API server by way of a proxy. The steps watch suspended
StreamJobs, for which the operator does everything but start pods: made, edited and deleted while a fault
is on, each has to be served. Cases of docs/operations/faults.md:
- 3, 7, 8, 9, 12 a stale list, events told twice, 410 as a status and as an event, a watch cut inside an
  event, JSON that ends early: each change is served, lists stay few
- 6 all events are held back for a while, and told at once
- 15 every second write meets a conflict, while somebody else writes labels
- 16, 33 429 with Retry-After, 500 and 503; one job whose every request fails
- 27, 28 children edited and deleted by hand; a stranger's object under a child's name
- 37 nothing to do: nothing is written
"""
import time

import pytest

from streamjob_e2e import api_proxy
from streamjob_e2e.kubectl import condition_text
from streamjob_e2e.proxied_operator import WATCH_JOBS, restarts
from streamjob_e2e.waiting import stays_true, wait_until

PART_OF = "app.kubernetes.io/part-of"


@pytest.mark.fault(7, "events of a watch are told twice", "served once; the cluster ends as written")
@pytest.mark.fault(8, "410 Gone as the status of a watch", "lists anew once; every change is served")
@pytest.mark.fault(9, "410 Gone as an event inside a watch", "lists anew once; every change is served")
@pytest.mark.fault(12, "a watch is cut inside an event; an event is half a JSON text",
                   "watches again; every change is served; no crash")
def test_watches_lie(operator, place):
    proxy, begun = operator.proxy, time.monotonic()
    before = restarts(operator)
    for act in (api_proxy.twice, api_proxy.gone, api_proxy.cut_inside, api_proxy.garbage):
        with operator.rules(proxy.on_event(act, WATCH_JOBS, times=4)) as rule:
            place().life(45)
            assert rule.hits, act.__name__
    expired = time.monotonic()
    with operator.rules(proxy.on(api_proxy.EXPIRED, "GET", WATCH_JOBS, times=2)) as rule:
        proxy.cut()
        place().life(45)
        rule.wait(2, 30)
    # A list of its own, or the beginning of a watch.
    anew = [e for e in proxy.seen("GET", r"/streamjobs\?", expired) if e[3] == 200 and
            ("watch=true" not in e[2] or "sendInitialEvents=true" in e[2])]
    assert 1 <= len(anew) <= 4, f"two replicas listed {len(anew)} times"
    lists = [e for e in proxy.seen("GET", r"/streamjobs\?", begun) if "watch=true" not in e[2]]
    assert len(lists) < 40, f"{len(lists)} lists of StreamJobs"
    assert restarts(operator) == before


@pytest.mark.fault(3, "after a broken watch the list of before is served",
                   "nothing that is there is deleted; corrects itself with the next event")
@pytest.mark.fault(6, "all events are held back while much changes", "the cluster ends as written")
def test_the_past_is_told(operator, place):
    proxy = operator.proxy
    kept = place().apply().wait_served()
    proxy.cut()  # lists and watches begin anew: what is remembered is complete
    place().life()
    proxy.age()
    new = place().apply().wait_served()
    child = new.child("statefulsets")["metadata"]["uid"]
    with operator.rules(proxy.on(proxy.stale, "GET", r"/(streamjobs|statefulsets|configmaps)\?",
                                 lambda r: "watch" not in r.query, times=6),
                        proxy.on(api_proxy.EXPIRED, "GET", r"watch=true", times=12)):
        proxy.cut()
        place().life(60)
    stays_true("what was there", lambda: new.child("statefulsets")["metadata"]["uid"] == child and
               kept.served(), 2)
    with operator.rules(proxy.on_event(api_proxy.hold, r"watch=true")) as held:
        gone, late = place().apply(), place()
        held.wait()
        new.apply(replicas=3)
        gone.delete()
        late.apply()
    for probe in (new, late):
        probe.wait_served()
    gone.wait_gone()
    assert new.child("statefulsets")["metadata"]["uid"] == child


@pytest.mark.fault(15, "every second write meets a conflict while somebody else writes labels",
                   "tried again on what is there; foreign fields are kept")
def test_conflicts(operator, place):
    probe = place().apply().wait_served()
    names = [("streamjob", probe.name), ("statefulset", probe.child("statefulsets")["metadata"]["name"])]
    writes = r"/(streamjobs|statefulsets|services|configmaps|poddisruptionbudgets)/"
    with operator.rules(operator.proxy.on(api_proxy.CONFLICT, "PUT|PATCH", writes, chance=0.5)) as rule:
        for number in range(3):
            for kind, name in names:
                operator.kubectl.patch(kind, name, probe.namespace,
                                       {"metadata": {"labels": {"somebody": f"else-{number}"}}})
            probe.apply(replicas=2 + number)
            probe.wait_served(60)
        place().life(60)
        assert rule.hits >= 3
    for kind, name in names:
        kept = operator.kubectl.get(kind, name, probe.namespace)["metadata"]["labels"]
        assert kept["somebody"] == "else-2", kept


@pytest.mark.fault(16, "429 with Retry-After, 500 and 503 on a third of all requests",
                   "served, later; Retry-After is kept to; requests stay few")
@pytest.mark.fault(33, "every request for one job fails", "other jobs do not notice")
def test_moody_server(operator, place):
    proxy = operator.proxy
    poison = place("poison")

    def not_leases(request):
        return "/leases" not in request.path and "watch" not in request.query
    with operator.rules(proxy.on(api_proxy.INTERNAL, None, r"/poison")) as refused:
        poison.apply()
        for _ in range(2):
            place().life(15)
        refused.wait(2)
        assert not poison.served()
    poison.wait_served(60)
    begun = time.monotonic()
    moods = (api_proxy.too_many(1), api_proxy.INTERNAL, api_proxy.UNAVAILABLE)
    with operator.rules(*(proxy.on(act, None, "", not_leases, chance=0.12, seed=number)
                          for number, act in enumerate(moods))):
        place().life(60)
    assert len(proxy.seen(since=begun)) < 60 * (time.monotonic() - begun) + 300, "a storm of requests"
    told = [e for e in proxy.seen(since=begun) if e[3] == 429]
    for when, method, target, _, who in told:
        again = next((e[0] for e in proxy.seen(method, since=when + 0.001, who=who)
                      if e[2] == target), None)
        assert again is None or again - when >= 0.9, f"{method} {target} again after {again - when:.2f} s"


@pytest.mark.fault(27, "children are edited, labelled and deleted by hand",
                   "repaired, under their own names")
@pytest.mark.fault(28, "a stranger's object has a child's name",
                   "not taken, not overwritten, told in a condition; served once it is away")
def test_children(operator, place):
    kubectl, probe = operator.kubectl, place().apply().wait_served()
    workers = probe.child("statefulsets")["metadata"]["name"]
    kubectl.patch("statefulset", workers, probe.namespace, {"spec": {"replicas": 3}})
    wait_until("no replicas again", lambda: probe.child("statefulsets")["spec"]["replicas"] == 0, 30)
    for kind in ("service", "poddisruptionbudget", "serviceaccount"):
        before = probe.child(kind + "s")["metadata"]
        kubectl.patch(kind, before["name"], probe.namespace, {"metadata": {"labels": {PART_OF: "other"}}})
        wait_until(f"the {kind}'s own label", lambda k=kind, b=before: probe.child(k + "s")["metadata"]
                   ["labels"] == b["labels"], 30)
        assert probe.child(kind + "s")["metadata"]["uid"] == before["uid"]
    for kind in ("statefulset", "service", "configmap", "poddisruptionbudget", "serviceaccount"):
        thing = probe.child(kind + "s")
        kubectl.delete(kind, thing["metadata"]["name"], probe.namespace)
        wait_until(f"another {kind}", lambda k=kind, old=thing: (probe.child(k + "s") or old)
                   ["metadata"]["uid"] != old["metadata"]["uid"], 30)
    taken = place("taken")
    stranger = {"apiVersion": "v1", "kind": "Service", "metadata": {
        "name": "taken-worker", "namespace": probe.namespace},
        "spec": {"ports": [{"port": 1}], "selector": {"a": "b"}}}
    kubectl.apply(stranger)
    before = kubectl.get("service", "taken-worker", probe.namespace)
    taken.apply()
    wait_until("the words", lambda: "taken-worker" in condition_text(taken.get()), 30)
    assert kubectl.get("service", "taken-worker", probe.namespace) == before
    kubectl.delete("service", "taken-worker", probe.namespace)
    taken.wait_served(90)


@pytest.mark.fault(37, "nothing happens", "nothing is written")
def test_idle(operator, place, everything):
    for probe in [place().apply() for _ in range(3)]:
        probe.wait_served()
    quiet = [time.monotonic()]

    def settled():
        last = max((entry[0] for entry in operator.writes(0)), default=0)
        return time.monotonic() - last > 3
    wait_until("the last write", settled, 60)
    quiet[0] = time.monotonic()
    stays_true("the silence", lambda: not operator.writes(quiet[0]), 480 if everything else 20)
