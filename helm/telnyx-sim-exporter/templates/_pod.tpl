{{/* Parts of pods. */}}

{{/* The image; a digest takes precedence over a tag. */}}
{{- define "telnyx-sim-exporter.image" -}}
{{- $registry := default .Values.image.registry .Values.global.imageRegistry -}}
{{- $name := ternary (printf "%s/%s" $registry .Values.image.repository) .Values.image.repository (not (empty $registry)) -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $name .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The image pull Secrets; other charts use objects in `global`. */}}
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
A probe: [context, probe]. The kubelet cannot send a password or a client certificate, and only uses TLS
if the probe says so. An exporter with a web configuration file is therefore probed from within the
container, by a program that accepts any of these. A probe of another kind replaces httpGet, because
Kubernetes rejects two handlers. Paths below /-/ are the exporter's and get its prefix.
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

{{/*
The topology spread constraints, each with a selector; several replicas without any are spread over nodes,
where those of an old ReplicaSet do not count.
*/}}
{{- define "telnyx-sim-exporter.spread" -}}
{{- $given := .Values.topologySpreadConstraints -}}
{{- if and (not $given) (gt (int .Values.replicas) 1) -}}
{{- $given = list (dict "maxSkew" 1 "topologyKey" "kubernetes.io/hostname" "whenUnsatisfiable" "ScheduleAnyway" "matchLabelKeys" (list "pod-template-hash")) -}}
{{- end -}}
{{- $constraints := list -}}
{{- $selector := dict "matchLabels" (include "telnyx-sim-exporter.selectorLabels" . | fromYaml) -}}
{{- range $given -}}
{{- $constraints = append $constraints (ternary . (set (deepCopy .) "labelSelector" $selector) (hasKey . "labelSelector")) -}}
{{- end -}}
{{- with $constraints -}}
{{- toYaml . -}}
{{- end -}}
{{- end -}}

{{/*
The Deployment's strategy. Pods that share a database take over from each other, so none has to go before
its successor is ready; those with a volume have to, as two cannot share the state.
*/}}
{{- define "telnyx-sim-exporter.strategy" -}}
{{- if .Values.strategy -}}
{{- toYaml .Values.strategy -}}
{{- else if include "telnyx-sim-exporter.shared" . -}}
type: RollingUpdate
rollingUpdate:
  maxSurge: 1
  maxUnavailable: 0
{{- else -}}
type: {{ ternary "Recreate" "RollingUpdate" .Values.persistence.enabled }}
{{- end -}}
{{- end -}}
