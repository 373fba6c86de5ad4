# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The cluster's network: for each node a network namespace with one cable to the bridge, and the routes
# that make pods and services known to each other and to the machine. Service rules and pod bridges live
# in the namespaces, so the machine's own iptables see two rules of ours and no chain.
#
# Invariant: everything made here has our prefix or our address range in it, and network_down removes
# it; a kernel setting that is changed is noted first and put back.

node_namespace() { echo "${STREAMJOB_PREFIX}node$1"; }
node_cable() { echo "${STREAMJOB_PREFIX}v$1"; } # the end on the bridge
node_ip() { echo "$STREAMJOB_NET.$((10 + $1))"; }
pod_range() { echo "$STREAMJOB_POD_NET.$1.0/24"; }

# keep_sysctl KEY...: notes the present values, once.
keep_sysctl() {
  local key
  mkdir -p "$STREAMJOB_RUN/sysctl"
  for key in "$@"; do
    [ -e "$STREAMJOB_RUN/sysctl/$key" ] || sysctl -n "$key" >"$STREAMJOB_RUN/sysctl/$key" 2>/dev/null ||
      rm -f "$STREAMJOB_RUN/sysctl/$key"
  done
}

restore_sysctl() {
  local file
  for file in "$STREAMJOB_RUN"/sysctl/*; do
    [ -e "$file" ] || continue
    sysctl -qw "$(basename "$file")=$(<"$file")" || say "could not put $(basename "$file") back"
  done
  rm -rf "$STREAMJOB_RUN/sysctl"
}

# forward_rule ACTION: -A, -C or -D of the rules that let pods pass the bridge where the machine's own
# policy is to drop, as container engines set it.
forward_rule() {
  iptables -w "$1" FORWARD -s "$STREAMJOB_POD_NET.0.0/16" -m comment --comment streamjob-e2e -j ACCEPT
  iptables -w "$1" FORWARD -d "$STREAMJOB_POD_NET.0.0/16" -m comment --comment streamjob-e2e -j ACCEPT
}

network_up() {
  bridge_hold cluster
  # These are written by the kubelet, for the whole machine.
  keep_sysctl kernel.panic kernel.panic_on_oops vm.overcommit_memory vm.panic_on_oom \
    kernel.keys.root_maxkeys kernel.keys.root_maxbytes
  forward_rule -C 2>/dev/null || forward_rule -A
}

# node_network_up N COUNT: namespace and routes so that each of COUNT nodes, and the machine, knows each
# pod range. The machine reaches services by way of node 1.
node_network_up() {
  local n=$1 count=$2 other ip namespace
  ip=$(node_ip "$n") namespace=$(node_namespace "$n")
  if ! ip netns list | grep -w "$namespace" >/dev/null; then
    ip netns add "$namespace"
    ip link add "$(node_cable "$n")" type veth peer name eth0 netns "$namespace"
    ip link set "$(node_cable "$n")" master "$STREAMJOB_BRIDGE" up
    ip -n "$namespace" addr add "$ip/24" dev eth0
    ip -n "$namespace" link set eth0 up
    ip -n "$namespace" link set lo up
    ip -n "$namespace" route add default via "$HOST_IP"
    nsenter --net="/run/netns/$namespace" sysctl -qw net.ipv4.ip_forward=1
    nsenter --net="/run/netns/$namespace" iptables -w -P FORWARD ACCEPT
    # A pod that meets itself through a service: the answer must pass the rules too.
    nsenter --net="/run/netns/$namespace" sysctl -qw net.bridge.bridge-nf-call-iptables=1 ||
      die "bridged packets cannot be sent through iptables: the kernel module br_netfilter is missing"
  fi
  ip route replace "$(pod_range "$n")" via "$ip"
  [ "$n" != 1 ] || ip route replace "$STREAMJOB_SERVICE_NET.0.0/16" via "$ip"
  for other in $(seq "$count"); do
    [ "$other" != "$n" ] || continue
    ip -n "$namespace" route replace "$(pod_range "$other")" via "$(node_ip "$other")"
  done
}

# node_network_down N: with the namespace go its links, rules and routes.
node_network_down() {
  ip netns del "$(node_namespace "$1")" 2>/dev/null || true
  ip link del "$(node_cable "$1")" 2>/dev/null || true
  ip route del "$(pod_range "$1")" 2>/dev/null || true
  [ "$1" != 1 ] || ip route del "$STREAMJOB_SERVICE_NET.0.0/16" 2>/dev/null || true
}

network_down() {
  while forward_rule -D 2>/dev/null; do :; done
  restore_sysctl
  bridge_release cluster
}
