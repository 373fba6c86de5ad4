# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The machine's side of the cluster network: kernel settings, forwarding, and for each node from the
# second on a network namespace with one cable to the bridge. Node 1 is the machine itself.
#
# Invariant: everything made here has our prefix or our address range in it, and network_down removes
# it; a kernel setting that is changed is noted first and put back.

node_namespace() { echo "${STREAMJOB_PREFIX}node$1"; }
node_cable() { echo "${STREAMJOB_PREFIX}v$1"; } # the end on the bridge
node_ip() { if [ "$1" = 1 ]; then echo "$HOST_IP"; else echo "$STREAMJOB_NET.$((10 + $1))"; fi; }
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

# forward_rule ACTION: -A or -D of the two rules that let pods through the machine.
forward_rule() {
  iptables -w "$1" FORWARD -s "$STREAMJOB_POD_NET.0.0/16" -m comment --comment streamjob-e2e -j ACCEPT
  iptables -w "$1" FORWARD -d "$STREAMJOB_POD_NET.0.0/16" -m comment --comment streamjob-e2e -j ACCEPT
}

network_up() {
  bridge_hold cluster
  # The first two are ours, the others are written by kubelet and kube-proxy.
  keep_sysctl net.ipv4.ip_forward net.bridge.bridge-nf-call-iptables kernel.panic \
    kernel.panic_on_oops vm.overcommit_memory vm.panic_on_oom kernel.keys.root_maxkeys \
    kernel.keys.root_maxbytes net.ipv4.conf.all.route_localnet
  sysctl -qw net.ipv4.ip_forward=1
  [ -e /proc/sys/net/bridge ] || modprobe br_netfilter || true
  sysctl -qw net.bridge.bridge-nf-call-iptables=1 ||
    die "bridged packets cannot be sent through iptables: the kernel module br_netfilter is missing"
  forward_rule -C 2>/dev/null || forward_rule -A
}

# node_network_up N COUNT: namespace and routes so that each of COUNT nodes knows each pod range.
node_network_up() {
  local n=$1 count=$2 other ip namespace
  ip=$(node_ip "$n") namespace=$(node_namespace "$n")
  [ "$n" != 1 ] || return 0
  if ! ip netns list | grep -qw "$namespace"; then
    ip netns add "$namespace"
    ip link add "$(node_cable "$n")" type veth peer name eth0 netns "$namespace"
    ip link set "$(node_cable "$n")" master "$STREAMJOB_BRIDGE" up
    ip -n "$namespace" addr add "$ip/24" dev eth0
    ip -n "$namespace" link set eth0 up
    ip -n "$namespace" link set lo up
    ip -n "$namespace" route add default via "$HOST_IP"
    nsenter --net="/run/netns/$namespace" sysctl -qw net.ipv4.ip_forward=1
    nsenter --net="/run/netns/$namespace" iptables -w -P FORWARD ACCEPT
  fi
  ip route replace "$(pod_range "$n")" via "$ip"
  for other in $(seq 2 "$count"); do
    [ "$other" != "$n" ] || continue
    ip -n "$namespace" route replace "$(pod_range "$other")" via "$(node_ip "$other")"
  done
}

node_network_down() {
  ip netns del "$(node_namespace "$1")" 2>/dev/null || true
  ip link del "$(node_cable "$1")" 2>/dev/null || true
  ip link del "${STREAMJOB_PREFIX}pod$1" 2>/dev/null || true
  ip route del "$(pod_range "$1")" 2>/dev/null || true
}

# network_down: kube-proxy removes its own rules, then what it and the port mapper left by name.
network_down() {
  local table
  if command -v kube-proxy >/dev/null; then kube-proxy --cleanup >/dev/null 2>&1 || true; fi
  for table in nat filter mangle; do
    if iptables-save -t "$table" 2>/dev/null | grep -qE 'CNI-|KUBE-'; then
      iptables-save -t "$table" | grep -vE 'CNI-|KUBE-' | iptables-restore -w -T "$table"
    fi
  done
  while forward_rule -D 2>/dev/null; do :; done
  restore_sysctl
  bridge_release cluster
}
