{{/* What the Prometheus operator and Grafana get. */}}

{{/* "yes" where something is to be made: [context, enabled]. auto asks whether the operator is there. */}}
{{- define "telnyx-sim-exporter.wanted" -}}
{{- $context := index . 0 -}}
{{- $enabled := index . 1 -}}
{{- if eq (toString $enabled) "auto" -}}
{{- $enabled = $context.Capabilities.APIVersions.Has "monitoring.coreos.com/v1" -}}
{{- end -}}
{{- if $enabled -}}
yes
{{- end -}}
{{- end -}}

{{/* What a monitor's spec says beside its endpoints. */}}
{{- define "telnyx-sim-exporter.monitored" -}}
{{- if ne (default .Release.Namespace .Values.monitor.namespace) .Release.Namespace -}}
namespaceSelector:
  matchNames:
    - {{ .Release.Namespace | quote }}
{{ end -}}
selector:
  matchLabels:
    {{- include "telnyx-sim-exporter.selectorLabels" . | nindent 4 }}
{{- end -}}

{{/*
The endpoint of a monitor. The label `job` is set by a relabeling: the shipped rules select by it,
and left alone it would be the Service's name. (`jobLabel` takes the key of a label, not a value.)
A PodMonitor sets no `service`, by which the rules tell releases of one namespace apart.
*/}}
{{- define "telnyx-sim-exporter.endpoint" -}}
port: http
path: {{ include "telnyx-sim-exporter.routePrefix" . }}/metrics
scheme: {{ lower .Values.web.scheme }}
{{- with .Values.monitor.interval }}
interval: {{ . | quote }}
{{- end }}
{{- with .Values.monitor.scrapeTimeout }}
scrapeTimeout: {{ . | quote }}
{{- end }}
{{- if and .Values.monitor.tlsConfig (eq .Values.web.scheme "HTTPS") }}
tlsConfig:
  {{- toYaml .Values.monitor.tlsConfig | nindent 2 }}
{{- end }}
{{- with .Values.monitor.basicAuth }}
basicAuth:
  {{- toYaml . | nindent 2 }}
{{- end }}
relabelings:
  - action: replace
    targetLabel: job
    replacement: telnyx-sim-exporter
  {{- if eq .Values.monitor.kind "PodMonitor" }}
  - action: replace
    targetLabel: service
    replacement: {{ include "telnyx-sim-exporter.fullname" . | quote }}
  {{- end }}
  {{- with .Values.monitor.relabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.monitor.metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The names of the alerts in a file of rules, sorted and with commas: [context, file]. */}}
{{- define "telnyx-sim-exporter.alertNames" -}}
{{- $names := list -}}
{{- range ((index . 0).Files.Get (index . 1) | fromYaml).groups -}}
{{- range .rules -}}
{{- if .alert -}}
{{- $names = append $names .alert -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $names | sortAlpha | join ", " -}}
{{- end -}}

{{/*
The groups of a file of rules with what `prometheusRule.alerts` changes, as a YAML list under
"groups": [context, file]. The file is never put through tpl, which would fill in what Prometheus has to.
*/}}
{{- define "telnyx-sim-exporter.ruleGroups" -}}
{{- $changes := (index . 0).Values.prometheusRule.alerts -}}
{{- $groups := list -}}
{{- range ((index . 0).Files.Get (index . 1) | fromYaml).groups -}}
{{- $rules := list -}}
{{- range .rules -}}
{{- $change := default dict (get $changes (default "" .alert)) -}}
{{- if $change.for -}}
{{- $_ := set . "for" $change.for -}}
{{- end -}}
{{- if $change.severity -}}
{{- $_ := set .labels "severity" $change.severity -}}
{{- end -}}
{{- if $change.labels -}}
{{- $_ := set . "labels" (mergeOverwrite .labels $change.labels) -}}
{{- end -}}
{{- if $change.annotations -}}
{{- $_ := set . "annotations" (mergeOverwrite .annotations $change.annotations) -}}
{{- end -}}
{{- if not $change.disabled -}}
{{- $rules = append $rules . -}}
{{- end -}}
{{- end -}}
{{- if $rules -}}
{{- $groups = append $groups (set . "rules" $rules) -}}
{{- end -}}
{{- end -}}
{{- dict "groups" $groups | toYaml -}}
{{- end -}}
