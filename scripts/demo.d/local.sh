# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# The demo's Kafka and S3, its load generator, and the same SQL in one local process.

INPUT=user-events
OUTPUT=$JOB
LOCAL_OUTPUT=$JOB-local
LOAD_RATE=${DEMO_RATE:-2000}

# topics NAME:PARTITIONS...: makes those that do not exist. Quicker than a Java tool for each.
topics() {
  PYTHONPATH=e2e/lib/python "$(e2e/lib/tools python)" -m streamjob_e2e.topics "$(bootstrap)" "$@"
}

# start_input: before anything is compiled, and as if begun some time ago, so that there is a full minute to
# count when the worker is built.
start_input() {
  say "Kafka, and events on topic $INPUT"
  e2e/lib/tools build python
  if [ "$OWN_CLUSTER" = yes ]; then
    e2e/lib/tools build kafka
    e2e/lib/kafka up
    topics $LOCAL_OUTPUT:1
  fi
  topics $INPUT:8 $OUTPUT:8
  start_load
}

# start_store: the local process keeps its checkpoints in a folder, so where the server has to be built the
# rows come first.
start_store() {
  say "S3"
  e2e/lib/tools build versitygw
  e2e/lib/s3 up
}

bootstrap() {
  if [ "$OWN_CLUSTER" = yes ]; then
    (eval "$(e2e/lib/kafka env)" && echo "$KAFKA_BOOTSTRAP")
  else
    echo "${DEMO_KAFKA_HOST:?the address of Kafka as this machine reaches it}"
  fi
}

# alive FILE: the recorded program still runs.
alive() {
  [ -s "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null
}

# end FILE: ends the recorded program.
end() {
  if alive "$1"; then
    kill "$(cat "$1")" 2>/dev/null || true
  fi
  rm -f "$1"
}

start_load() {
  alive $OUT/load.pid && return
  local venv brokers
  venv=$(e2e/lib/tools python)
  brokers=$(bootstrap)
  # Started without a shell between, so that the recorded pid is the generator's.
  PYTHONPATH=e2e/lib/python "$venv" -m streamjob_e2e.loadgen --bootstrap "$brokers" \
    --topic $INPUT --partitions 8 --rate "$LOAD_RATE" --live --events 0 --backlog 90 \
    >$OUT/load.log 2>&1 </dev/null &
  echo $! >$OUT/load.pid
}
stop_load() { end $OUT/load.pid; }
stop_local_job() { end $OUT/local.pid; }

# rows TOPIC N SECONDS: prints the first N committed rows of a topic.
rows() {
  timeout "$3" kcat -b "$(bootstrap)" -t "$1" -C -o beginning -c "$2" -q \
    -X isolation.level=read_committed 2>/dev/null || true
}

show_local_job() {
  say "the same SQL in one local process: streamjob-worker run"
  sed -e "s/kafka:9092/$(bootstrap)/; s/'topic'='$OUTPUT'/'topic'='$LOCAL_OUTPUT'/" \
    -e "s/^  name: $JOB/  name: $JOB-local/" $SAMPLE >$OUT/local.yaml
  alive $OUT/local.pid || {
    $BIN/worker/main/streamjob-worker run $OUT/local.yaml --threads 1 \
      --checkpoint "file://$REPO/$OUT/local-checkpoints" >$OUT/local.log 2>&1 </dev/null &
    echo $! >$OUT/local.pid
  }
  local first
  first=$(rows $LOCAL_OUTPUT 5 120)
  [ -n "$first" ] || { tail -5 $OUT/local.log; die "no rows from the local process"; }
  say "first rows, committed exactly once:"
  printf '%s\n' "$first"
  stop_local_job
}
