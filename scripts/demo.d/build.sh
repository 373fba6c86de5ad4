# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# The demo's building: the worker first, so that rows show early, then everything else.

# compile TARGET...: builds with ninja's own progress line.
compile() {
  [ -f $BIN/build.ninja ] || cmake --preset release >$OUT/configure.log 2>&1 ||
    { cat $OUT/configure.log; die "cmake could not configure"; }
  cmake --build --preset release -j "$(nproc)" --target "$@"
}

build_worker() {
  say "building the worker (about 5 minutes on 2 cores the first time, seconds after that)"
  compile streamjob-worker
}

build_rest() {
  say "building the operator"
  compile streamjob-operator
  if [ "$OWN_CLUSTER" = yes ]; then
    say "building Kubernetes from its Go modules (about 9 minutes the first time, cached after that)"
    e2e/lib/tools build kube coredns helm pause
  else
    e2e/lib/tools build helm
  fi
}
