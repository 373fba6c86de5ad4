# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
#
# Every port, address, folder and version of the test environment, and nothing else. Each value can
# be set from the environment; the scripts beside this file source it through common.sh and name no
# number of their own. Sourcing it starts nothing and writes nothing.

# --- instance --------------------------------------------------------------------------------------
# Several environments can be up on one machine: each number (0 to 9) has its own folders, addresses,
# ports and names. Programs are shared.
: "${STREAMJOB_INSTANCE:=0}"
case $STREAMJOB_INSTANCE in
  0) instance='' ;;
  [1-9]) instance=$STREAMJOB_INSTANCE ;;
  *) echo "STREAMJOB_INSTANCE is 0 to 9, not \"$STREAMJOB_INSTANCE\"" >&2 && exit 1 ;;
esac

# --- folders ---------------------------------------------------------------------------------------
# Built and downloaded programs, by version: safe to keep between runs and to carry between machines.
: "${STREAMJOB_CACHE:=$HOME/.cache/streamjob}"
# State of what runs now: pids, logs, certificates, data. Thrown away by `down`.
: "${STREAMJOB_RUN:=$STREAMJOB_CACHE/run$instance}"
# etcd writes here. It is memory on purpose: etcd 3.4 cannot be told not to wait for the disk.
: "${STREAMJOB_ETCD_DATA:=/dev/shm/streamjob-etcd$instance}"

# The etcd to run. Empty: the built one of ETCD_VERSION when there is one, else the distribution's.
: "${ETCD_PROGRAM:=}"

# --- versions --------------------------------------------------------------------------------------
# Go tools: the version is also in e2e/lib/go/<tool>/go.mod, and `tools build` compares the two.
: "${KUBE_VERSION:=v1.34.4}"
: "${COREDNS_VERSION:=v1.15.0}"
: "${HELM_VERSION:=v3.22.0}"
: "${VERSITYGW_VERSION:=v1.8.0}"
: "${ETCD_VERSION:=v3.6.4}"
: "${KWOK_VERSION:=v0.8.0}"
# Jars: also in e2e/lib/kafka.d/pom.xml, and fixed by jars.sha256 there.
: "${KAFKA_VERSION:=4.1.0}"

# --- the machine's network -------------------------------------------------------------------------
# A bridge of our own. The host is .1 on it, node N is .(10+N) in a network namespace of its own.
: "${STREAMJOB_BRIDGE:=sjbr$STREAMJOB_INSTANCE}"
: "${STREAMJOB_NET:=10.240.$STREAMJOB_INSTANCE}"
# Pods of node N get $STREAMJOB_POD_NET.N.0/24, services $STREAMJOB_SERVICE_NET.0.0/16.
: "${STREAMJOB_POD_NET:=10.$((244 + STREAMJOB_INSTANCE))}"
: "${STREAMJOB_SERVICE_NET:=10.$((96 + STREAMJOB_INSTANCE))}"
# Begins the names of network namespaces, cables and cgroup roots: what `down` may remove.
: "${STREAMJOB_PREFIX:=sj$instance}"
HOST_IP=$STREAMJOB_NET.1
DNS_IP=$STREAMJOB_SERVICE_NET.0.10
API_SERVICE_IP=$STREAMJOB_SERVICE_NET.0.1

# --- Kubernetes ------------------------------------------------------------------------------------
: "${KUBE_API_PORT:=6443}"                 # on the bridge address
: "${KUBE_CONTROLLER_MANAGER_PORT:=$((10257 + 100 * STREAMJOB_INSTANCE))}" # on loopback, as the next
: "${KUBE_SCHEDULER_PORT:=$((10259 + 100 * STREAMJOB_INSTANCE))}"
: "${ETCD_CLIENT_PORT:=$((23790 + 100 * STREAMJOB_INSTANCE))}"
: "${ETCD_PEER_PORT:=$((23800 + 100 * STREAMJOB_INSTANCE))}"
: "${COREDNS_PORT:=5353}"                  # on the bridge address, behind the service address above
: "${COREDNS_READY_PORT:=8181}"
: "${KUBE_NODES_MAX:=3}"
: "${KUBE_FAKE_NODES_MAX:=100}"
: "${KUBE_FAKE_NODE_PODS:=1500}"           # how many pods a fake node takes
: "${KUBE_PROXY_MODE:=iptables}"           # or nftables
: "${KUBE_NODE_GRACE:=20s}"                # a silent node is NotReady after this
: "${KUBE_FAKE_NODE_GRACE:=600s}"         # the same with fake nodes: kwok renews leases late under load,
                                           # and never makes the pods of such a node Ready again
: "${KWOK_PORT:=$((10247 + 100 * STREAMJOB_INSTANCE))}" # on loopback
: "${KUBE_APISERVER_ARGS:=}"               # extra flags, split at spaces
: "${KUBE_KUBELET_ARGS:=}"
PAUSE_IMAGE=localhost/streamjob-pause:1

# --- Kafka: broker N adds 100*(N-1) to each port ----------------------------------------------------
: "${KAFKA_PORT:=$((19092 + 1000 * STREAMJOB_INSTANCE))}"            # on loopback
: "${KAFKA_CONTROLLER_PORT:=$((19093 + 1000 * STREAMJOB_INSTANCE))}" # on loopback
: "${KAFKA_POD_PORT:=$((19094 + 1000 * STREAMJOB_INSTANCE))}"        # on the bridge address
: "${KAFKA_BEHIND_PORT:=$((19095 + 1000 * STREAMJOB_INSTANCE))}"     # on loopback, told to clients as the next
: "${KAFKA_PROXY_PORT:=$((19096 + 1000 * STREAMJOB_INSTANCE))}"      # for a proxy of a test; nobody's else
: "${KAFKA_HEAP:=-Xmx512m -Xms128m}"
: "${KAFKA_EXTRA:=}"                       # more server.properties lines

# --- S3 --------------------------------------------------------------------------------------------
: "${S3_PORT:=$((17070 + 1000 * STREAMJOB_INSTANCE))}" # on loopback and on the bridge address
: "${S3_REGION:=us-east-1}"
: "${S3_BUCKETS:=streamjob}"               # made at `up`, split at spaces

# --- patience, in seconds ---------------------------------------------------------------------------
# Bounds of waits that ask again and again; sized for a machine that is busy with other work.
: "${STREAMJOB_WAIT:=90}"
: "${STREAMJOB_STOP_WAIT:=10}"
