# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Functions shared by the scripts of this folder: progress lines, bounded waits, programs started and
# stopped by recorded pid, locks, the bridge. Sourcing it starts nothing.
#
# Invariant: a signal goes only to a process that `start` recorded and that is still that process. A
# record holds pid, start time and boot id; a pid that the kernel has given to another program, or
# that is from before a reboot, counts as gone.

LIB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=e2e/lib/settings.sh
. "$LIB/settings.sh"
# Where a fresh machine has the Go compiler and the network commands, also for a caller with a short PATH.
export PATH=$PATH:/usr/local/go/bin:/usr/sbin:/sbin

now_ms() { date +%s%3N; }
STARTED_MS=$(now_ms)

# say TEXT...: one progress line with the seconds since this script started, on standard error so that
# standard output stays free for what was asked for.
say() {
  local ms=$(($(now_ms) - STARTED_MS))
  printf '[%3d.%d s] %s\n' $((ms / 1000)) $((ms % 1000 / 100)) "$*" >&2
}

# die TEXT...: ends the script with an error.
die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# need COMMAND...: ends the script when one is missing, naming the cure.
need() {
  local command
  for command in "$@"; do
    command -v "$command" >/dev/null ||
      die "command \"$command\" is missing. Run scripts/deps/install e2e first."
  done
}

# wait_for WHAT SECONDS COMMAND...: asks until the command succeeds or the time is over. Success gives a
# progress line, the end of the time an error line and status 1.
wait_for() {
  local what=$1 seconds=$2 end
  shift 2
  end=$(($(now_ms) + seconds * 1000))
  until "$@" >/dev/null 2>&1; do
    if (($(now_ms) > end)); then
      say "gave up after $seconds s: $what"
      return 1
    fi
    sleep 0.1
  done
  say "$what"
}

# locked NAME ARGUMENTS...: starts this script again with the same arguments while it holds lock NAME, so
# that two runs queue up. The lock descriptor is closed before anything runs (-o): a daemon started
# below must not hold it for ever. Does nothing when the lock is already held by a caller.
locked() {
  local name=$1 held
  shift
  held="STREAMJOB_LOCKED_${name//[^a-z]/_}"
  [ -z "${!held:-}" ] || return 0
  mkdir -p "$STREAMJOB_CACHE/lock"
  export "$held=1"
  exec flock -o "$STREAMJOB_CACHE/lock/$name-$STREAMJOB_INSTANCE" "$0" "$@"
}

# --- processes --------------------------------------------------------------------------------------

# start_time PID: the kernel's start time of a live process in clock ticks since boot. Fails for a pid
# that does not exist and for a zombie: pid 1 may reap late, and a zombie does no work.
start_time() {
  local stat rest
  { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
  rest=${stat##*) } # the program's name may hold spaces and parentheses
  read -ra rest <<<"$rest"
  case ${rest[0]} in Z | X) return 1 ;; esac
  echo "${rest[19]}"
}

# recorded_pid NAME: the pid of program NAME if it still is the process that was started.
recorded_pid() {
  local pid ticks boot
  { read -r pid ticks boot <"$STREAMJOB_RUN/pid/$1"; } 2>/dev/null || return 1
  [ "$boot" = "$(</proc/sys/kernel/random/boot_id)" ] || return 1
  [ "$ticks" = "$(start_time "$pid")" ] || return 1
  echo "$pid"
}

alive() { recorded_pid "$1" >/dev/null; }
gone() { ! alive "$1"; }

# paused NAME: the program is stopped by a signal.
paused() {
  local pid
  pid=$(recorded_pid "$1") || return 1
  grep -q '^State:[[:space:]]*T' "/proc/$pid/status"
}

# start NAME COMMAND...: runs the command in a session of its own. Does nothing when NAME is alive. The log
# begins anew, except after a kill: then both lives are in it.
start() {
  local name=$1 pid ticks
  shift
  if alive "$name"; then return 0; fi
  mkdir -p "$STREAMJOB_RUN"/{pid,log}
  [ -e "$STREAMJOB_RUN/pid/$name" ] || : >"$STREAMJOB_RUN/log/$name.log"
  setsid "$@" </dev/null >>"$STREAMJOB_RUN/log/$name.log" 2>&1 &
  pid=$!
  ticks=$(start_time "$pid") || {
    tail -5 "$STREAMJOB_RUN/log/$name.log" >&2
    die "\"$name\" ended at once, see $STREAMJOB_RUN/log/$name.log"
  }
  echo "$pid $ticks $(</proc/sys/kernel/random/boot_id)" >"$STREAMJOB_RUN/pid/$name"
}

# send SIGNAL NAME: one signal to a live recorded program; an error when there is none.
send() {
  local pid
  pid=$(recorded_pid "$2") || die "\"$2\" is not running"
  kill -s "$1" "$pid"
}

# stop NAME [SECONDS]: TERM, then KILL when the time is over; returns when the process is gone. A paused
# program is woken first, or it would not see the TERM.
stop() {
  local name=$1 seconds=${2:-$STREAMJOB_STOP_WAIT} pid end
  if pid=$(recorded_pid "$name"); then
    kill -s TERM "$pid" 2>/dev/null || true
    kill -s CONT "$pid" 2>/dev/null || true
    end=$(($(now_ms) + seconds * 1000))
    while alive "$name" && (($(now_ms) < end)); do sleep 0.05; done
    stop_now "$name"
  fi
  rm -f "$STREAMJOB_RUN/pid/$name"
}

# stop_now NAME: KILL and wait until the process is gone. The record is kept: it says what was running.
stop_now() {
  local name=$1 pid end
  pid=$(recorded_pid "$name") || return 0
  kill -s KILL "$pid" 2>/dev/null || true
  end=$(($(now_ms) + 10000))
  while alive "$name"; do
    (($(now_ms) < end)) || die "pid $pid (\"$name\") is still there 10 s after SIGKILL"
    sleep 0.02
  done
}

# report NAME...: one line for each program: running with its pid, paused or stopped.
report() {
  local name pid
  for name in "$@"; do
    if ! pid=$(recorded_pid "$name"); then
      printf '%-22s stopped\n' "$name"
    elif paused "$name"; then
      printf '%-22s paused   pid %s\n' "$name" "$pid"
    else
      printf '%-22s running  pid %s, %d MiB\n' "$name" "$pid" \
        "$(awk '/^VmRSS/ {print int($2 / 1024)}' "/proc/$pid/status")"
    fi
  done
}

# --- the bridge --------------------------------------------------------------------------------------
# Kafka and S3 listen on its host address so that pods reach them. They run without a cluster too, so
# whoever comes first makes it and whoever leaves last removes it.

is_root() { [ "$(id -u)" = 0 ]; }

# bridge_hold USER: makes the bridge unless it is there and notes the user. Without root it does nothing
# and fails: the caller then has loopback only.
bridge_hold() {
  is_root || return 1
  mkdir -p "$STREAMJOB_RUN/bridge"
  touch "$STREAMJOB_RUN/bridge/$1"
  ip link show "$STREAMJOB_BRIDGE" >/dev/null 2>&1 || ip link add "$STREAMJOB_BRIDGE" type bridge
  ip addr replace "$HOST_IP/24" dev "$STREAMJOB_BRIDGE"
  ip link set "$STREAMJOB_BRIDGE" up
}

# bridge_held USER: this user has noted itself and the address is there.
bridge_held() {
  [ -e "$STREAMJOB_RUN/bridge/$1" ] &&
    ip -o addr show dev "$STREAMJOB_BRIDGE" 2>/dev/null | grep -qF " $HOST_IP/"
}

# bridge_release USER: removes the bridge when no other user is left.
bridge_release() {
  [ -e "$STREAMJOB_RUN/bridge/$1" ] || return 0
  rm -f "$STREAMJOB_RUN/bridge/$1"
  if rmdir "$STREAMJOB_RUN/bridge" 2>/dev/null; then
    ip link del "$STREAMJOB_BRIDGE" 2>/dev/null || true
  fi
}
