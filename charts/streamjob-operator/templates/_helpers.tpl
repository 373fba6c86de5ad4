{{/* SPDX-License-Identifier: Apache-2.0 */}}
{{/* Names, labels and rules used by more than one template. */}}

{{- define "streamjob.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "streamjob.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "streamjob.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "streamjob.selectorLabels" -}}
app.kubernetes.io/name: {{ include "streamjob.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "streamjob.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "streamjob.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: streamjob
{{- end -}}

{{- define "streamjob.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "streamjob.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name is required when serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "streamjob.controlServiceName" -}}
{{- printf "%s-control" (include "streamjob.fullname" .) -}}
{{- end -}}

{{- define "streamjob.tlsSecretName" -}}
{{- if eq .Values.control.tls.mode "existingSecret" -}}
{{- .Values.control.tls.existingSecret -}}
{{- else -}}
{{- printf "%s-control-tls" (include "streamjob.fullname" .) -}}
{{- end -}}
{{- end -}}

{{/* The names under which workers reach the control endpoint. */}}
{{- define "streamjob.controlDnsNames" -}}
{{- $svc := include "streamjob.controlServiceName" . -}}
{{- $ns := .Release.Namespace -}}
{{- list $svc (printf "%s.%s" $svc $ns) (printf "%s.%s.svc" $svc $ns) (printf "%s.%s.svc.cluster.local" $svc $ns) | toJson -}}
{{- end -}}

{{/* image: takes a dict of image (values) and version (appVersion). */}}
{{- define "streamjob.image" -}}
{{- if .image.digest -}}
{{- printf "%s@%s" .image.repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" .image.repository (default .version .image.tag) -}}
{{- end -}}
{{- end -}}

{{/* What the operator does in the namespaces it serves, one line per call the code makes. There is
     no verb on Secrets: workers mount them by name and the operator never sees their content. */}}
{{- define "streamjob.jobRules" -}}
- apiGroups: [streamjob.io]
  resources: [streamjobs]
  verbs: [get, list, watch, patch]
- apiGroups: [streamjob.io]
  resources: [streamjobs/status]
  verbs: [patch]
- apiGroups: [streamjob.io]
  resources: [streamjobsnapshots]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [streamjob.io]
  resources: [streamjobsnapshots/status]
  verbs: [patch]
# Owner references with blockOwnerDeletion need this where that admission check is on.
- apiGroups: [streamjob.io]
  resources: [streamjobs/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [statefulsets]
  verbs: [get, list, watch, create, patch]
- apiGroups: [""]
  resources: [configmaps, serviceaccounts, services]
  verbs: [get, list, watch, create, patch]
# A job's manifest has one ConfigMap per spec; those no pod reads any more are removed.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch]
# Pods are made by the StatefulSet; stuck ones of an old revision are deleted by the operator.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, delete]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
