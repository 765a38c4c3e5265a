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

{{/* "yes" where the exporter has a file for TLS and passwords, whichever way it gets it. */}}
{{- define "telnyx-sim-exporter.secured" -}}
{{- $file := or .Values.web.existingSecret (default dict .Values.config.web).config_file -}}
{{- range .Values.extraArgs -}}
{{- $file = or $file (hasPrefix "--web.config.file" .) -}}
{{- end -}}
{{- if $file -}}
yes
{{- end -}}
{{- end -}}

{{/*
Where the exporter listens, the first address if there are several: its own default where the
configuration does not say.
*/}}
{{- define "telnyx-sim-exporter.listenAddress" -}}
{{- $given := default ":10874" (default dict .Values.config.web).listen_address -}}
{{- if kindIs "slice" $given -}}
{{- first $given -}}
{{- else -}}
{{- $given -}}
{{- end -}}
{{- end -}}

{{/* The port of the pod. */}}
{{- define "telnyx-sim-exporter.port" -}}
{{- regexFind "[0-9]+$" (include "telnyx-sim-exporter.listenAddress" .) -}}
{{- end -}}

{{/* The host to listen on; empty for every address. */}}
{{- define "telnyx-sim-exporter.listenHost" -}}
{{- regexReplaceAll ":[0-9]+$" (include "telnyx-sim-exporter.listenAddress" .) "" -}}
{{- end -}}

{{/*
Where a process in the pod reaches the exporter, which may listen to one address. "[::]" is IPv4 too,
and IPv4 alone where IPv6 is off; longer spellings of it are IPv6 alone.
*/}}
{{- define "telnyx-sim-exporter.localHost" -}}
{{- $host := include "telnyx-sim-exporter.listenHost" . -}}
{{- if has $host (list "" "0.0.0.0" "[::]") -}}
127.0.0.1
{{- else if regexMatch "^\\[[0:]*\\]$" $host -}}
[::1]
{{- else -}}
{{- $host -}}
{{- end -}}
{{- end -}}

{{/* What the exporter's paths begin with: "/prefix", or nothing. */}}
{{- define "telnyx-sim-exporter.routePrefix" -}}
{{- $web := default dict .Values.config.web -}}
{{- $path := regexReplaceAll "^[A-Za-z]+://[^/]*" (default "" $web.external_url) "" -}}
{{- with default $path $web.route_prefix | trimAll "/" -}}
{{- printf "/%s" . -}}
{{- end -}}
{{- end -}}

{{/* The TCP ports of the APIs, as a YAML list under "ports". */}}
{{- define "telnyx-sim-exporter.apiPorts" -}}
{{- $ports := list -}}
{{- range .Values.config.accounts -}}
{{- $url := lower (default "https://api.telnyx.com/v2" .base_url) -}}
{{- $port := regexFind "^[0-9]+$" (regexReplaceAll "^[a-z]+://(\\[[^\\]]*\\]|[^/:]*):([0-9]+)(/.*)?$" $url "${2}") -}}
{{- $ports = append $ports (int (default (ternary 80 443 (hasPrefix "http:" $url)) $port)) -}}
{{- end -}}
{{- dict "ports" (uniq $ports) | toYaml -}}
{{- end -}}
