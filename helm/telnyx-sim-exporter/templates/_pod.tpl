{{/* Parts of pods. */}}

{{/* The image: a digest wins over a tag. */}}
{{- define "telnyx-sim-exporter.image" -}}
{{- $registry := default .Values.image.registry .Values.global.imageRegistry -}}
{{- $name := ternary (printf "%s/%s" $registry .Values.image.repository) .Values.image.repository (not (empty $registry)) -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $name .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The Secrets to pull it with; other charts name them by objects in `global`. */}}
{{- define "telnyx-sim-exporter.pullSecrets" -}}
{{- $names := list -}}
{{- range concat .Values.image.pullSecrets .Values.global.imagePullSecrets -}}
{{- $names = append $names (ternary (dict "name" .) . (kindIs "string" .)) -}}
{{- end -}}
{{- with uniq $names -}}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{/*
A probe: [context, probe]. The kubelet can ask neither with a password nor with a certificate, and not
for TLS either where it is not told. So an exporter with a file for these is probed from within the
container, by a program that takes what comes. A probe of another kind takes the place of httpGet,
which Kubernetes would refuse beside it. Paths below /-/ are the exporter's, and follow its prefix.
*/}}
{{- define "telnyx-sim-exporter.probe" -}}
{{- $context := index . 0 -}}
{{- $probe := deepCopy (index . 1) -}}
{{- if or $probe.exec $probe.tcpSocket $probe.grpc -}}
{{- $probe = omit $probe "httpGet" -}}
{{- end -}}
{{- $get := $probe.httpGet -}}
{{- if $get -}}
{{- if hasPrefix "/-/" (default "" $get.path) -}}
{{- $_ := set $get "path" (printf "%s%s" (include "telnyx-sim-exporter.routePrefix" $context) $get.path) -}}
{{- end -}}
{{- $scheme := default $context.Values.web.scheme $get.scheme -}}
{{- if include "telnyx-sim-exporter.secured" $context -}}
{{- $port := ternary (include "telnyx-sim-exporter.port" $context) (toString $get.port) (kindIs "string" $get.port) -}}
{{- $url := printf "%s://%s:%s%s" (lower $scheme) (include "telnyx-sim-exporter.localHost" $context) $port (default "/" $get.path) -}}
{{- $probe = merge (dict "exec" (dict "command" (list "python" "-m" "exporter.probe" $url))) (omit $probe "httpGet") -}}
{{- else if eq $scheme "HTTPS" -}}
{{- $_ := set $get "scheme" $scheme -}}
{{- end -}}
{{- end -}}
{{- toYaml $probe -}}
{{- end -}}

{{/* The constraints of the spread of pods, each with a selector. */}}
{{- define "telnyx-sim-exporter.spread" -}}
{{- $constraints := list -}}
{{- $selector := dict "matchLabels" (include "telnyx-sim-exporter.selectorLabels" . | fromYaml) -}}
{{- range .Values.topologySpreadConstraints -}}
{{- $constraints = append $constraints (ternary . (set (deepCopy .) "labelSelector" $selector) (hasKey . "labelSelector")) -}}
{{- end -}}
{{- toYaml $constraints -}}
{{- end -}}
