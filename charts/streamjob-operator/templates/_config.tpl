{{/* SPDX-License-Identifier: Apache-2.0 */}}
{{/* operator.yaml, the file behind streamjob-operator --config. */}}
{{- define "streamjob.operatorConfig" -}}
control:
  url: https://{{ include "streamjob.controlServiceName" . }}.{{ .Release.Namespace }}.svc:{{ .Values.control.port }}
  address: 0.0.0.0
  port: {{ .Values.control.port }}
  certFile: /etc/streamjob-operator/tls/tls.crt
  keyFile: /etc/streamjob-operator/tls/tls.key
  caFile: /etc/streamjob-operator/tls/ca.crt
http:
  address: 0.0.0.0
  port: {{ .Values.metrics.port }}
leaderElection:
  leaseName: {{ include "streamjob.fullname" . }}
  leaseDuration: {{ .Values.leaderElection.leaseDuration }}
  renewDeadline: {{ .Values.leaderElection.renewDeadline }}
  retryPeriod: {{ .Values.leaderElection.retryPeriod }}
log:
  level: {{ .Values.log.level }}
  format: {{ .Values.log.format }}
watchNamespaces: {{ .Values.watchNamespaces | toJson }}
workerImage:
  name: {{ include "streamjob.image" (dict "image" .Values.workerImage "version" .Chart.AppVersion) | quote }}
  pullPolicy: {{ .Values.workerImage.pullPolicy }}
  pullSecrets: {{ .Values.workerImagePullSecrets | toJson }}
  {{- with .Values.workerImagesAllowed }}
  allowed: {{ . | toJson }}
  {{- end }}
rescale:
  handOver: {{ dig "handOver" true (.Values.rescale | default dict) }}
defaults:
  checkpoint:
    {{- with .Values.defaults.checkpoint }}
    location: {{ .location | quote }}
    endpoint: {{ .endpoint | quote }}
    region: {{ .region | quote }}
    interval: {{ .interval | quote }}
    secretName: {{ dig "name" "" .secretRef | quote }}
    {{- end }}
  worker:
    resources: {{ .Values.defaults.worker.resources | toJson }}
{{- end -}}
