{{/* Resources for the Prometheus operator and Grafana. */}}

{{/* "yes" if a resource is enabled: [context, enabled]; "auto" depends on the operator's API. */}}
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

{{/* The spec of a monitor without its endpoints. */}}
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
The endpoint of a monitor. A relabeling sets the label `job`, which the shipped rules select by: the
default is the name of the Service, and `jobLabel` takes the key of a label, not a value. A PodMonitor
does not set `service`, which the rules need to distinguish releases in one namespace.
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

{{/* The names of the alerts in a rule file, sorted and comma-separated: [context, file]. */}}
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
The groups of a rule file with the overrides in `prometheusRule.alerts`, as a YAML list under "groups":
[context, file]. The file must not go through tpl: its templates are for Prometheus.
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
