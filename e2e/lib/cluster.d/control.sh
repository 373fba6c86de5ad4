# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The control plane and the cluster's DNS as processes of this machine: how each is started, and how it
# is asked whether it is ready. A start function may be called again: it does nothing for a live process.

# etcd_program: etcd 3.6 when it has been built, because only that answers the API server's streaming
# lists; else the distribution's 3.4.
etcd_program() {
  local built
  if [ -n "$ETCD_PROGRAM" ]; then
    echo "$ETCD_PROGRAM"
  elif built=$("$LIB/tools" path etcd 2>/dev/null); then
    echo "$built/etcd"
  else
    command -v etcd || die "etcd is missing. Run scripts/deps/install e2e, or e2e/lib/tools build etcd."
  fi
}

start_etcd() {
  local client=http://127.0.0.1:$ETCD_CLIENT_PORT peer=http://127.0.0.1:$ETCD_PEER_PORT
  # Data of a run whose folder was removed by hand belongs to another authority: its objects would be
  # this cluster's, and nobody's.
  if ! cmp -s "$PKI/ca.crt" "$STREAMJOB_ETCD_DATA/ca.crt"; then
    rm -rf "$STREAMJOB_ETCD_DATA"
  fi
  mkdir -p -m 700 "$STREAMJOB_ETCD_DATA"
  cp "$PKI/ca.crt" "$STREAMJOB_ETCD_DATA/ca.crt"
  start etcd "$(etcd_program)" --name e2e --data-dir "$STREAMJOB_ETCD_DATA" \
    --listen-client-urls "$client" --advertise-client-urls "$client" \
    --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" --initial-cluster "e2e=$peer" \
    --quota-backend-bytes 4294967296 --snapshot-count 10000 --log-level warn
}

start_apiserver() {
  # shellcheck disable=SC2086 # the extra flags are a list
  start apiserver kube-apiserver --etcd-servers="http://127.0.0.1:$ETCD_CLIENT_PORT" \
    --bind-address="$HOST_IP" --advertise-address="$HOST_IP" --secure-port="$KUBE_API_PORT" \
    --client-ca-file="$PKI/ca.crt" \
    --tls-cert-file="$PKI/apiserver.crt" --tls-private-key-file="$PKI/apiserver.key" \
    --kubelet-client-certificate="$PKI/apiserver-kubelet.crt" \
    --kubelet-client-key="$PKI/apiserver-kubelet.key" \
    --kubelet-certificate-authority="$PKI/ca.crt" --kubelet-preferred-address-types=InternalIP \
    --service-account-issuer=https://kubernetes.default.svc.cluster.local \
    --service-account-key-file="$PKI/sa.pub" --service-account-signing-key-file="$PKI/sa.key" \
    --service-cluster-ip-range="$STREAMJOB_SERVICE_NET.0.0/16" \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
    --enable-aggregator-routing=true --allow-privileged=true \
    --max-requests-inflight=800 --max-mutating-requests-inflight=400 \
    $KUBE_APISERVER_ARGS
}

start_controller_manager() {
  start controller-manager kube-controller-manager \
    --kubeconfig="$KUBECONFIGS/kube-controller-manager.conf" \
    --service-account-private-key-file="$PKI/sa.key" --root-ca-file="$PKI/ca.crt" \
    --cluster-signing-cert-file="$PKI/ca.crt" --cluster-signing-key-file="$PKI/ca.key" \
    --use-service-account-credentials=true --allocate-node-cidrs=false --leader-elect=false \
    --bind-address=127.0.0.1 --secure-port="$KUBE_CONTROLLER_MANAGER_PORT" \
    --kube-api-qps=500 --kube-api-burst=1000 --concurrent-statefulset-syncs=20 \
    --node-monitor-grace-period="$(node_grace)"
}

start_scheduler() {
  mkdir -p "$STREAMJOB_RUN/config"
  cat >"$STREAMJOB_RUN/config/scheduler.yaml" <<K
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
leaderElection: {leaderElect: false}
clientConnection: {kubeconfig: $KUBECONFIGS/kube-scheduler.conf, qps: 500, burst: 1000}
K
  start scheduler kube-scheduler --config="$STREAMJOB_RUN/config/scheduler.yaml" \
    --bind-address=127.0.0.1 --secure-port="$KUBE_SCHEDULER_PORT"
}

start_coredns() {
  mkdir -p "$STREAMJOB_RUN/config"
  render Corefile >"$STREAMJOB_RUN/config/Corefile"
  start coredns coredns -conf "$STREAMJOB_RUN/config/Corefile"
}

etcd_ready() { curl -sf -m 2 "http://127.0.0.1:$ETCD_CLIENT_PORT/health"; }
apiserver_ready() {
  curl -sf -m 2 --cacert "$PKI/ca.crt" --cert "$PKI/admin.crt" --key "$PKI/admin.key" \
    "https://$HOST_IP:$KUBE_API_PORT/readyz"
}
controller_manager_ready() { curl -skf -m 2 "https://127.0.0.1:$KUBE_CONTROLLER_MANAGER_PORT/healthz"; }
scheduler_ready() { curl -skf -m 2 "https://127.0.0.1:$KUBE_SCHEDULER_PORT/healthz"; }
coredns_ready() { curl -sf -m 2 "http://$HOST_IP:$COREDNS_READY_PORT/ready"; }
default_account_there() { kubectl get serviceaccount default -n default; }

# start_and_wait NAME START READY: the log's end is shown when it does not get ready.
start_and_wait() {
  "$2"
  wait_for "$1 ready" "$STREAMJOB_WAIT" "$3" || {
    tail -5 "$STREAMJOB_RUN/log/$1.log" >&2
    die "\"$1\" did not get ready, see $STREAMJOB_RUN/log/$1.log"
  }
}

control_up() {
  start_and_wait etcd start_etcd etcd_ready
  start_and_wait apiserver start_apiserver apiserver_ready
  start_controller_manager
  start_scheduler
  wait_for "default service account" "$STREAMJOB_WAIT" default_account_there ||
    die "the controller manager made no service account, see $STREAMJOB_RUN/log/controller-manager.log"
  start_and_wait controller-manager start_controller_manager controller_manager_ready
  start_and_wait scheduler start_scheduler scheduler_ready
}

dns_up() {
  alive coredns || render coredns.yaml | kubectl apply -f - >/dev/null
  start_and_wait coredns start_coredns coredns_ready
}

# control_down: all state is thrown away, so nothing is given time to drain.
control_down() {
  local name
  for name in kwok coredns scheduler controller-manager apiserver etcd; do stop "$name" 1; done
  rm -rf "$STREAMJOB_ETCD_DATA"
}
