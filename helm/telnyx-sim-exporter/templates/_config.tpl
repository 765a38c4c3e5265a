{{/* The exporter's configuration file and values derived from it. */}}

{{/*
The configuration file. It must not go through tpl: the exporter interprets `${VAR}`, `$$` and braces.
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
{{- $state := dict -}}
{{- if .Values.database.urlKey -}}
{{- $state = dict "url" (printf "${%s}" (include "telnyx-sim-exporter.urlVariable" .)) -}}
{{- else if .Values.database.existingSecret -}}
{{- $state = dict "password_file" "/etc/telnyx-sim-exporter/database/password" -}}
{{- end -}}
{{- if $state -}}
{{- $_ := set $config "state" (mergeOverwrite (default dict $config.state) $state) -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* "yes" if the exporter has a web configuration file (TLS, passwords), however it is set. */}}
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
The listen address, the first one if there are several; the exporter's default if none is configured.
*/}}
{{- define "telnyx-sim-exporter.listenAddress" -}}
{{- $given := default ":10874" (default dict .Values.config.web).listen_address -}}
{{- if kindIs "slice" $given -}}
{{- first $given -}}
{{- else -}}
{{- $given -}}
{{- end -}}
{{- end -}}

{{/* The container port. */}}
{{- define "telnyx-sim-exporter.port" -}}
{{- regexFind "[0-9]+$" (include "telnyx-sim-exporter.listenAddress" .) -}}
{{- end -}}

{{/* The host of the listen address; empty for all addresses. */}}
{{- define "telnyx-sim-exporter.listenHost" -}}
{{- regexReplaceAll ":[0-9]+$" (include "telnyx-sim-exporter.listenAddress" .) "" -}}
{{- end -}}

{{/*
The host under which a process in the pod reaches the exporter. "[::]" includes IPv4, and is IPv4 only if
IPv6 is disabled; longer spellings of it are IPv6 only.
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

{{/* The path prefix of all endpoints: "/prefix", or empty. */}}
{{- define "telnyx-sim-exporter.routePrefix" -}}
{{- $web := default dict .Values.config.web -}}
{{- $path := regexReplaceAll "^[A-Za-z]+://[^/]*" (default "" $web.external_url) "" -}}
{{- with default $path $web.route_prefix | trimAll "/" -}}
{{- printf "/%s" . -}}
{{- end -}}
{{- end -}}

{{/* The TCP ports of the accounts' API URLs, as a YAML list under "ports". */}}
{{- define "telnyx-sim-exporter.apiPorts" -}}
{{- $ports := list -}}
{{- $urls := list -}}
{{- range .Values.config.accounts -}}
{{- $urls = append $urls (default "https://api.telnyx.com/v2" .base_url) -}}
{{- end -}}
{{- range concat $urls (dig "alertmanager" "targets" list .Values.config) -}}
{{- $url := lower . -}}
{{- $port := regexFind "^[0-9]+$" (regexReplaceAll "^[a-z]+://(\\[[^\\]]*\\]|[^/:]*):([0-9]+)(/.*)?$" $url "${2}") -}}
{{- $ports = append $ports (int (default (ternary 80 443 (hasPrefix "http:" $url)) $port)) -}}
{{- end -}}
{{- dict "ports" (uniq $ports) | toYaml -}}
{{- end -}}
