# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# The demo's cluster: images, chart, job, and what is shown at the end.

use_cluster() {
  if [ "$OWN_CLUSTER" = yes ]; then
    eval "$(e2e/lib/cluster env)"
    eval "$(e2e/lib/kafka env)"
    eval "$(e2e/lib/s3 env)"
    DEMO_KAFKA=$KAFKA_POD_BOOTSTRAP
    DEMO_S3=$S3_POD_ENDPOINT
    AWS_ACCESS_KEY_ID=$(sed -n 's/^aws_access_key_id *= *//p' "$AWS_SHARED_CREDENTIALS_FILE")
    AWS_SECRET_ACCESS_KEY=$(sed -n 's/^aws_secret_access_key *= *//p' "$AWS_SHARED_CREDENTIALS_FILE")
  else
    PATH=$(dirname "$(e2e/lib/tools path helm)"):$PATH
    : "${DEMO_REGISTRY:?}" "${DEMO_KAFKA:?}" "${DEMO_S3:?}" "${AWS_ACCESS_KEY_ID:?}"
  fi
}

# start_cluster_early: where its programs are cached the cluster comes up behind the local job.
start_cluster_early() {
  local tool
  for tool in versitygw kube coredns pause; do e2e/lib/tools path $tool >/dev/null 2>&1 || return 0; done
  start_store
  e2e/lib/cluster up >$OUT/cluster.log 2>&1 &
  CLUSTER_UP=$!
}

start_cluster() {
  [ -n "${CLUSTER_UP:-}" ] || start_store
  say "images, without any registry"
  e2e/lib/image $WORKER_IMAGE $OUT/worker.tar $BIN/worker/main/streamjob-worker --tzdata --in /
  e2e/lib/image $OPERATOR_IMAGE $OUT/operator.tar $BIN/operator/main/streamjob-operator --in /
  say "Kubernetes"
  if [ -n "${CLUSTER_UP:-}" ]; then
    wait "$CLUSTER_UP" || { cat $OUT/cluster.log; die "the cluster did not come up"; }
    tail -n 1 $OUT/cluster.log
  else
    e2e/lib/cluster up
  fi
  e2e/lib/cluster load $OUT/worker.tar $OUT/operator.tar
}

# push_images: for a cluster of the user's own.
push_images() {
  local tool
  tool=$(command -v docker || command -v buildah) || die "docker or buildah is needed to push images"
  for part in worker operator; do
    "$tool" build -f Containerfile --target $part -t "${DEMO_REGISTRY}/streamjob-$part:demo" .
    "$tool" push "${DEMO_REGISTRY}/streamjob-$part:demo"
  done
}

# job_runs: the demo's job is Running in a cluster of ours.
job_runs() {
  e2e/lib/cluster status >/dev/null 2>&1 && e2e/lib/kafka status >/dev/null 2>&1 || return 1
  (use_cluster 2>/dev/null && [ "$(kubectl get streamjob -n "$NAMESPACE" $JOB \
    -o jsonpath='{.status.phase}' 2>/dev/null)" = Running ])
}

install_operator() {
  use_cluster
  [ "$OWN_CLUSTER" = yes ] || push_images
  say "the operator, by its Helm chart"
  local pull=IfNotPresent
  [ "$OWN_CLUSTER" = no ] || pull=Never
  kubectl apply -f crds/bases --server-side >/dev/null
  helm upgrade --install streamjob charts/streamjob-operator -n $OPERATOR_NAMESPACE \
    --create-namespace --skip-crds --wait --timeout 3m \
    --set image.repository="${OPERATOR_IMAGE%:*}",image.tag=demo,image.pullPolicy=$pull \
    --set workerImage.repository="${WORKER_IMAGE%:*}",workerImage.tag=demo,workerImage.pullPolicy=$pull >$OUT/helm.log 2>&1 ||
    { cat $OUT/helm.log; kubectl get pods -n $OPERATOR_NAMESPACE; die "helm could not install"; }
}

apply_job() {
  say "the job: kubectl apply -f $SAMPLE"
  kubectl create namespace "$NAMESPACE" --dry-run=client -o yaml | kubectl apply -f - >/dev/null
  kubectl label namespace "$NAMESPACE" --overwrite \
    pod-security.kubernetes.io/enforce=restricted >/dev/null
  kubectl create secret generic s3 -n "$NAMESPACE" --dry-run=client -o yaml \
    --from-literal=AWS_ACCESS_KEY_ID="$AWS_ACCESS_KEY_ID" \
    --from-literal=AWS_SECRET_ACCESS_KEY="$AWS_SECRET_ACCESS_KEY" | kubectl apply -f - >/dev/null
  kafka_service | kubectl apply -f - >/dev/null
  # The sample, with where this demo keeps its checkpoints.
  sed "s|^  checkpoint:|  checkpoint:\n    location: s3://$DEMO_BUCKET/demo\n    endpoint: $DEMO_S3\n    secretRef: {name: s3}|" \
    $SAMPLE >$OUT/job.yaml
  kubectl apply -n "$NAMESPACE" -f $OUT/job.yaml
  kubectl wait -n "$NAMESPACE" streamjob/$JOB --for=condition=Ready --timeout=120s ||
    { kubectl describe streamjob -n "$NAMESPACE" $JOB; die "the job did not become ready"; }
}

# kafka_service: "kafka:9092" in the job's namespace leads to the demo's broker.
kafka_service() {
  cat <<K
apiVersion: v1
kind: Service
metadata: {name: kafka, namespace: $NAMESPACE}
spec: {ports: [{name: kafka, port: 9092, targetPort: ${DEMO_KAFKA##*:}}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: kafka, namespace: $NAMESPACE, labels: {kubernetes.io/service-name: kafka}}
addressType: IPv4
endpoints: [{addresses: ["${DEMO_KAFKA%%:*}"], conditions: {ready: true}}]
ports: [{name: kafka, port: ${DEMO_KAFKA##*:}, protocol: TCP}]
K
}

show_job() {
  use_cluster
  say "kubectl get streamjobs"
  kubectl get streamjobs -n "$NAMESPACE"
  say "kubectl get pods"
  kubectl get pods -n "$NAMESPACE"
  say "first result rows of topic $OUTPUT"
  rows $OUTPUT 5 120
  cat <<K

Look at next (first:  eval "\$(e2e/lib/cluster env)"):
  kubectl describe sj -n $NAMESPACE $JOB                   what it is doing, in words
  kubectl edit sj -n $NAMESPACE $JOB                       change the SQL and watch: kubectl get sj -n $NAMESPACE -w
  docs/guide/first-job.md                           the tour; 'make demo-down' takes all of this away
K
}
