{{/* Labels and annotations. */}}

{{/* The labels that select the pods; a Deployment's selector is immutable. */}}
{{- define "telnyx-sim-exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "telnyx-sim-exporter.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* The labels that select the pod of `helm test`; the selector above must not match it. */}}
{{- define "telnyx-sim-exporter.testLabels" -}}
app.kubernetes.io/name: {{ include "telnyx-sim-exporter.dnsLabel" (list (include "telnyx-sim-exporter.name" .) "-test") | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/*
All labels: [context, own labels, selector labels]. Own labels override common labels; selector labels
override both.
*/}}
{{- define "telnyx-sim-exporter.labels" -}}
{{- $context := index . 0 -}}
{{- $labels := dict
  "helm.sh/chart" (printf "%s-%s" $context.Chart.Name $context.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
  "app.kubernetes.io/version" $context.Chart.AppVersion
  "app.kubernetes.io/part-of" "telnyx-sim-exporter"
  "app.kubernetes.io/managed-by" $context.Release.Service -}}
{{- mergeOverwrite $labels $context.Values.commonLabels (index . 1) (index . 2 | fromYaml) | toYaml -}}
{{- end -}}

{{/*
The labels of the exporter's pods, without the chart version: a new chart version that does not change
the pod must not restart it.
*/}}
{{- define "telnyx-sim-exporter.podLabels" -}}
{{- $selector := include "telnyx-sim-exporter.selectorLabels" . -}}
{{- omit (include "telnyx-sim-exporter.labels" (list . .Values.podLabels $selector) | fromYaml) "helm.sh/chart" | toYaml -}}
{{- end -}}

{{/*
The metadata of a resource, from a dict: context, name; optionally namespace, labels, annotations, and
selector labels of its own (selector).
*/}}
{{- define "telnyx-sim-exporter.metadata" -}}
{{- $selector := default (include "telnyx-sim-exporter.selectorLabels" .context) .selector -}}
name: {{ .name | quote }}
namespace: {{ default .context.Release.Namespace .namespace | quote }}
labels:
  {{- include "telnyx-sim-exporter.labels" (list .context (default dict .labels) $selector) | nindent 2 }}
{{- with mergeOverwrite (dict) .context.Values.commonAnnotations (default dict .annotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
