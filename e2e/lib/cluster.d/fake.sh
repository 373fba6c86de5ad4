# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Fake nodes: objects of the API server that kwok keeps Ready, and whose pods it declares running the
# moment they are bound. Scheduler and controllers are the real ones; no container ever starts. For what
# needs thousands of pods and none of their work.

# fake_nodes: how many the cluster was brought up with; 0 without any.
fake_nodes() { cat "$STREAMJOB_RUN/fake-nodes" 2>/dev/null || echo 0; }

node_grace() {
  if (($(fake_nodes) > 0)); then echo "$KUBE_FAKE_NODE_GRACE"; else echo "$KUBE_NODE_GRACE"; fi
}

start_kwok() {
  mkdir -p "$STREAMJOB_RUN/config"
  render kwok.yaml >"$STREAMJOB_RUN/config/kwok.yaml"
  start kwok "$("$LIB/tools" path kwok)/kwok" --kubeconfig="$KUBECONFIGS/kwok.conf" \
    --config="$STREAMJOB_RUN/config/kwok.yaml" \
    --manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake \
    --cidr="$STREAMJOB_POD_NET.128.0/17" --node-ip="$HOST_IP" --node-lease-duration-seconds=40 \
    --server-address="127.0.0.1:$KWOK_PORT"
}

# fake_node N REAL: a node as an object. Where real nodes are, pods come here only when they ask to.
fake_node() {
  local taints=''
  [ "$2" = 0 ] || taints='taints: [{key: kwok.x-k8s.io/node, value: fake, effect: NoSchedule}]'
  cat <<N
---
apiVersion: v1
kind: Node
metadata:
  name: fake$1
  annotations: {kwok.x-k8s.io/node: fake, node.alpha.kubernetes.io/ttl: "0"}
  labels: {type: kwok, kubernetes.io/hostname: fake$1, kubernetes.io/os: linux, kubernetes.io/arch: amd64}
spec: {$taints}
N
}

fake_nodes_ready() {
  [ "$(kubectl get nodes -l type=kwok --no-headers | grep -cw Ready)" = "$1" ]
}

# fake_up COUNT REAL
fake_up() {
  local n
  [ -e "$KUBECONFIGS/kwok.conf" ] || {
    make_cert kwok /O=system:masters/CN=system:kwok
    make_kubeconfig kwok
  }
  start_kwok
  for n in $(seq "$1"); do fake_node "$n" "$2"; done | kubectl apply --server-side -f - >/dev/null
  wait_for "$1 fake nodes Ready" "$STREAMJOB_WAIT" fake_nodes_ready "$1" ||
    die "the fake nodes did not get Ready, see $STREAMJOB_RUN/log/kwok.log"
}
