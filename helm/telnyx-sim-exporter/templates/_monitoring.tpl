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
metricRelabelings:
  {{- range list "instance" "pod" }}
  - action: replace
    sourceLabels: [__name__]
    regex: {{ include "telnyx-sim-exporter.domainSeries" $ }}
    targetLabel: {{ . }}
    replacement: {{ include "telnyx-sim-exporter.fullname" $ | quote }}
  {{- end }}
  {{- with .Values.monitor.metricRelabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/*
The names of the series of the accounts. Only the pod that polls an account serves them, which another pod
may be at any time: the labels of the pod must not make it another series.
*/}}
{{- define "telnyx-sim-exporter.domainSeries" -}}
telnyx_(sim_card|bulk)_.+|telnyx_up
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

{{/* The name of the threshold that a rule records, or nothing. */}}
{{- define "telnyx-sim-exporter.thresholdName" -}}
{{- if regexMatch "^job:telnyx_sim_\\w+:threshold$" (default "" .record) -}}
{{- trimSuffix ":threshold" .record | trimPrefix "job:telnyx_sim_" -}}
{{- end -}}
{{- end -}}

{{/* The expressions of the thresholds in a rule file by name, as YAML: [context, file]. */}}
{{- define "telnyx-sim-exporter.thresholds" -}}
{{- $found := dict -}}
{{- range ((index . 0).Files.Get (index . 1) | fromYaml).groups -}}
{{- range .rules -}}
{{- $name := include "telnyx-sim-exporter.thresholdName" . -}}
{{- if $name -}}
{{- $_ := set $found $name .expr -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $found -}}
{{- end -}}

{{/*
The labels that the rules in a file use or set, as a YAML list under "labels": [context, file]. The text
names them in matchers, messages, grouping and matching.
*/}}
{{- define "telnyx-sim-exporter.ruleLabels" -}}
{{- $text := (index . 0).Files.Get (index . 1) -}}
{{- $labels := list "alertname" -}}
{{- range list "[{,]\\s*\\w+\\s*[=!]" "\\$labels\\.\\w+" "\\b(by|without|on|ignoring|group_left|group_right)\\s*\\([\\w,\\s]*\\)" -}}
{{- range regexFindAll . $text -1 -}}
{{- $labels = concat $labels (regexFindAll "\\w+" . -1) -}}
{{- end -}}
{{- end -}}
{{- range ($text | fromYaml).groups -}}
{{- range .rules -}}
{{- $labels = concat $labels (default dict .labels | keys) -}}
{{- end -}}
{{- end -}}
{{- dict "labels" (uniq $labels) | toYaml -}}
{{- end -}}

{{/* The address of the page that alerts link to, or nothing; a variable cannot be resolved in a rule. */}}
{{- define "telnyx-sim-exporter.pageUrl" -}}
{{- $external := default "" (default dict .Values.config.web).external_url -}}
{{- default (ternary "" $external (contains "$" $external)) .Values.prometheusRule.pageUrl | trimAll "/" -}}
{{- end -}}

{{/*
The groups of a rule file with the settings in `prometheusRule`, as a YAML list under "groups":
[context, file]. The file must not go through tpl: its templates are for Prometheus.
*/}}
{{- define "telnyx-sim-exporter.ruleGroups" -}}
{{- $settings := (index . 0).Values.prometheusRule -}}
{{- $page := include "telnyx-sim-exporter.pageUrl" (index . 0) -}}
{{- $groups := list -}}
{{- range ((index . 0).Files.Get (index . 1) | fromYaml).groups -}}
{{- $rules := list -}}
{{- range .rules -}}
{{- $threshold := include "telnyx-sim-exporter.thresholdName" . -}}
{{- if hasKey $settings.thresholds $threshold -}}
{{- $_ := set . "expr" (printf "vector(%s)" (get $settings.thresholds $threshold | toJson | trimAll "\"")) -}}
{{- end -}}
{{- if .alert -}}
{{- $_ := set . "labels" (mergeOverwrite .labels $settings.commonLabels) -}}
{{- if $settings.runbookUrl -}}
{{- $_ := set .annotations "runbook_url" (printf "%s/%s.md" (trimAll "/" $settings.runbookUrl) .alert) -}}
{{- end -}}
{{- if $page -}}
{{- $_ := set .annotations "page_url" (printf "%s/{{ with $labels.account }}problems?account={{ . | urlquery }}{{ end }}" $page) -}}
{{- end -}}
{{- end -}}
{{- $change := default dict (get $settings.alerts (default "" .alert)) -}}
{{- if $change.for -}}
{{- $_ := set . "for" $change.for -}}
{{- end -}}
{{- if $change.keepFiringFor -}}
{{- $_ := set . "keep_firing_for" $change.keepFiringFor -}}
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
