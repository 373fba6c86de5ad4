# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# One node of the cluster: a containerd, a kubelet and a kube-proxy in a network namespace of their own.
# Nodes share the machine's kernel; their pods are under one cgroup for each node.

node_folder() { echo "$STREAMJOB_RUN/node$1"; }
node_containerd() { ctr -a "$(node_folder "$1")/containerd.sock" -n k8s.io "${@:2}"; }
timed_containerd() { timeout 20 ctr -a "$(node_folder "$1")/containerd.sock" -n k8s.io "${@:2}"; }

# nodes_there: the numbers of the nodes that have a folder, running or not.
nodes_there() {
  local n
  for n in $(seq 9); do [ ! -d "$(node_folder "$n")" ] || echo "$n"; done
}

# start_in_node N NAME COMMAND...: as `start`, in the node's network. Not "ip netns exec": that mounts a
# fresh /sys, which hides the cgroup trees.
start_in_node() {
  start "$2" nsenter "--net=/run/netns/$(node_namespace "$1")" "${@:3}"
}

# render FILE [N]: a file of config/ with its @WORDS@ filled in.
render() {
  local n=${2:-0}
  sed -e "s#@N@#$n#g; s#@NODE@#$(node_folder "$n")#g; s#@IP@#$(node_ip "$n")#g" \
    -e "s#@PREFIX@#$STREAMJOB_PREFIX#g; s#@POD_NET@#$STREAMJOB_POD_NET#g" \
    -e "s#@PKI@#$PKI#g; s#@KUBECONFIGS@#$KUBECONFIGS#g; s#@PAUSE_IMAGE@#$PAUSE_IMAGE#g" \
    -e "s#@DNS_IP@#$DNS_IP#g; s#@HOST_IP@#$HOST_IP#g; s#@PROXY_MODE@#$KUBE_PROXY_MODE#g" \
    -e "s#@COREDNS_PORT@#$COREDNS_PORT#g; s#@COREDNS_READY_PORT@#$COREDNS_READY_PORT#g" \
    -e "s#@NOFILE@#$(ulimit -Hn)#g; s#@FAKE_PODS@#$KUBE_FAKE_NODE_PODS#g" \
    "$LIB/cluster.d/config/$1"
}

# node_cgroups N: the kubelet wants its cgroup root to exist with all controllers. Version 1 has a tree
# for each controller and empty cpusets; version 2 has one tree where controllers are handed down.
node_cgroups() {
  local name controller tree=/sys/fs/cgroup
  name=$(node_namespace "$1")
  if [ -e "$tree/cgroup.controllers" ]; then
    mkdir -p "$tree/$name"
    for controller in $(<"$tree/cgroup.controllers"); do
      echo "+$controller" >"$tree/cgroup.subtree_control" 2>/dev/null || true
      echo "+$controller" >"$tree/$name/cgroup.subtree_control" 2>/dev/null || true
    done
    return
  fi
  for controller in cpu cpuacct cpuset memory devices freezer blkio pids hugetlb systemd; do
    [ ! -e "$tree/$controller/cgroup.procs" ] || mkdir -p "$tree/$controller/$name"
  done
  cat "$tree/cpuset/cpuset.cpus" >"$tree/cpuset/$name/cpuset.cpus"
  cat "$tree/cpuset/cpuset.mems" >"$tree/cpuset/$name/cpuset.mems"
}

start_containerd() {
  start_in_node "$1" "containerd$1" containerd -c "$(node_folder "$1")/containerd.toml"
}

start_kubelet() {
  local folder
  folder=$(node_folder "$1")
  # shellcheck disable=SC2086 # the extra flags are a list
  start_in_node "$1" "kubelet$1" kubelet --config="$folder/kubelet.yaml" \
    --kubeconfig="$KUBECONFIGS/node$1.conf" --hostname-override="node$1" --node-ip="$(node_ip "$1")" \
    --root-dir="$folder/kubelet" --cert-dir="$folder/kubelet/pki" $KUBE_KUBELET_ARGS
}

start_kube_proxy() {
  start_in_node "$1" "kube-proxy$1" kube-proxy --config="$(node_folder "$1")/kube-proxy.yaml" \
    --hostname-override="node$1"
}

containerd_ready() { node_containerd "$1" version; }
node_ready() {
  [ "$(kubectl get node "node$1" -o \
    'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" = True ]
}

# load_into N IMAGE.tar: quiet unless it fails.
load_into() {
  node_containerd "$1" image import "$2" >/dev/null || die "node$1 did not take the image $2"
}

# node_up N COUNT: starts the node; whether it gets Ready is asked by the caller, for all at once.
node_up() {
  local n=$1 folder image file
  folder=$(node_folder "$n")
  mkdir -p "$folder"/{cni,kubelet,root,state}
  node_network_up "$n" "$2"
  if alive "kubelet$n" && alive "containerd$n" && alive "kube-proxy$n"; then return; fi
  node_cgroups "$n"
  for file in containerd.toml kubelet.yaml kube-proxy.yaml; do
    render "$file" "$n" >"$folder/$file"
  done
  render cni.conflist "$n" >"$folder/cni/10-pods.conflist"
  printf 'options ndots:5\n' >"$folder/resolv.conf"
  start_containerd "$n"
  wait_for "node$n containerd" "$STREAMJOB_WAIT" containerd_ready "$n" ||
    die "containerd did not answer, see $STREAMJOB_RUN/log/containerd$n.log"
  load_into "$n" "$("$LIB/tools" path pause)/pause.tar"
  for image in "$STREAMJOB_RUN"/images/*.tar; do
    [ ! -e "$image" ] || load_into "$n" "$image"
  done
  start_kubelet "$n"
  start_kube_proxy "$n"
}

# remove_tasks N: kills and forgets every container of the node. Bounded: five rounds, and 20 s for
# a task that does not go (somebody traces it).
remove_tasks() {
  local task tasks containers
  for _ in 1 2 3 4 5; do
    tasks=$(node_containerd "$1" task ls -q 2>/dev/null) || return 0
    [ -n "$tasks" ] || break
    for task in $tasks; do
      timed_containerd "$1" task kill -s SIGKILL "$task" >/dev/null 2>&1 || true
    done
    for task in $tasks; do
      timed_containerd "$1" task rm -f "$task" >/dev/null 2>&1 || true
    done
  done
  containers=$(node_containerd "$1" container ls -q)
  # The network plugins note each pod at a fixed place of the machine, by the container's id.
  for task in $containers; do rm -f "/var/lib/cni/results/"*"-$task-"*; done
  # shellcheck disable=SC2086 # a list of ids
  [ -z "$containers" ] || node_containerd "$1" container rm $containers >/dev/null 2>&1 || true
}

# node_down N: a containerd that is not running is started again, since only it can end its containers.
node_down() {
  local n=$1 folder tree
  folder=$(node_folder "$n")
  stop "kubelet$n"
  stop "kube-proxy$n"
  if [ -e "$folder/containerd.toml" ]; then
    if paused "containerd$n"; then send CONT "containerd$n"; fi
    start_containerd "$n"
    if wait_for "node$n: ending its containers" "$STREAMJOB_WAIT" containerd_ready "$n"; then
      remove_tasks "$n"
    fi
  fi
  stop "containerd$n"
  # Innermost first. Lazy: a mount may be busy for a moment after its container's end.
  awk -v under="$folder/" 'index($5, under) == 1 {print $5}' /proc/self/mountinfo | sort -r |
    while read -r mount; do umount -l "$mount"; done
  node_network_down "$n"
  # The kubelet links each pod's log at a fixed place.
  find /var/log/containers -type l -lname "$folder/*" -delete 2>/dev/null || true
  for tree in /sys/fs/cgroup /sys/fs/cgroup/*; do
    [ ! -d "$tree/$(node_namespace "$n")" ] ||
      find "$tree/$(node_namespace "$n")" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
  # One file system: should a mount have stayed, what it shows belongs to somebody else.
  rm -rf --one-file-system "$folder"
}
