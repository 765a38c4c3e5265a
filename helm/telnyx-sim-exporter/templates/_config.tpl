{{/* The exporter's configuration and what follows from it. */}}

{{/*
The configuration file: the values as they are, never through tpl, as `${VAR}`, `$$` and braces are
the exporter's.
*/}}
{{- define "telnyx-sim-exporter.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- range $config.accounts -}}
{{- if not (or .api_key .api_key_file) -}}
{{- $_ := set . "api_key_file" (printf "/etc/telnyx-sim-exporter/keys/%s" (include "telnyx-sim-exporter.keyFile" .)) -}}
{{- end -}}
{{- end -}}
{{- if .Values.web.existingSecret -}}
{{- $file := dict "config_file" (printf "/etc/telnyx-sim-exporter/web/%s" .Values.web.file) -}}
{{- $_ := set $config "web" (mergeOverwrite (default dict $config.web) $file) -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* Where the exporter listens: its own default where the configuration does not say. */}}
{{- define "telnyx-sim-exporter.listenAddress" -}}
{{- default ":10874" (default dict .Values.config.web).listen_address -}}
{{- end -}}

{{/* The port of the pod. */}}
{{- define "telnyx-sim-exporter.port" -}}
{{- regexFind "[0-9]+$" (include "telnyx-sim-exporter.listenAddress" .) -}}
{{- end -}}

{{/* Where a process in the pod reaches the exporter: it may listen to IPv6 alone, or to one address. */}}
{{- define "telnyx-sim-exporter.localHost" -}}
{{- $host := regexReplaceAll ":[0-9]+$" (include "telnyx-sim-exporter.listenAddress" .) "" -}}
{{- if hasPrefix "[" $host -}}
{{- ternary "[::1]" $host (regexMatch "^\\[[0:]*\\]$" $host) -}}
{{- else if or (not $host) (eq $host "0.0.0.0") (contains "$" $host) -}}
127.0.0.1
{{- else -}}
{{- $host -}}
{{- end -}}
{{- end -}}

{{/* The TCP ports of the APIs, as a YAML list under "ports". */}}
{{- define "telnyx-sim-exporter.apiPorts" -}}
{{- $ports := list -}}
{{- range .Values.config.accounts -}}
{{- $url := default "https://api.telnyx.com/v2" .base_url -}}
{{- $port := regexFind "^[0-9]+$" (regexReplaceAll "^[a-z]+://(\\[[^\\]]*\\]|[^/:]*):([0-9]+)(/.*)?$" $url "${2}") -}}
{{- $ports = append $ports (int (default (ternary 80 443 (hasPrefix "http:" $url)) $port)) -}}
{{- end -}}
{{- dict "ports" (uniq $ports) | toYaml -}}
{{- end -}}
