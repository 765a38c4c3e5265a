{{/* Names and namespaces. */}}

{{/*
A DNS label of at most 63 characters: [text, suffix]. A text that is truncated or contains a dot gets a
hash, so that different texts never result in the same name.
*/}}
{{- define "telnyx-sim-exporter.dnsLabel" -}}
{{- $text := index . 0 -}}
{{- $suffix := index . 1 -}}
{{- if or (contains "." $text) (gt (add (len $text) (len $suffix)) 63) -}}
{{- $room := int (sub 54 (len $suffix)) -}}
{{- $begin := regexReplaceAll "-+$" ($text | replace "." "-" | trunc $room) "" -}}
{{- printf "%s-%s%s" $begin ($text | sha256sum | trunc 8) $suffix -}}
{{- else -}}
{{- printf "%s%s" $text $suffix -}}
{{- end -}}
{{- end -}}

{{/* The name of the application; a label value and part of the selectors. */}}
{{- define "telnyx-sim-exporter.name" -}}
{{- include "telnyx-sim-exporter.dnsLabel" (list (default .Chart.Name .Values.nameOverride) "") -}}
{{- end -}}

{{/*
The beginning of all resource names, of any length. The chart name is only omitted if the release has the
same name: with a release that merely contains it, names of two releases could collide.
*/}}
{{- define "telnyx-sim-exporter.stem" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if eq .Release.Name $name -}}
{{- .Release.Name -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name -}}
{{- end -}}
{{- end -}}

{{/* The name of the Deployment, the Service and other single resources. */}}
{{- define "telnyx-sim-exporter.fullname" -}}
{{- include "telnyx-sim-exporter.resource" (list . "") -}}
{{- end -}}

{{/* The name of a resource with a suffix: [context, "-keys"]. */}}
{{- define "telnyx-sim-exporter.resource" -}}
{{- include "telnyx-sim-exporter.dnsLabel" (list (include "telnyx-sim-exporter.stem" (index . 0)) (index . 1)) -}}
{{- end -}}

{{/*
The name of a resource that may be in another namespace: [context, namespace, suffix]. There it contains
the release's namespace, because releases with the same name would collide.
*/}}
{{- define "telnyx-sim-exporter.resourceIn" -}}
{{- $context := index . 0 -}}
{{- $stem := include "telnyx-sim-exporter.stem" $context -}}
{{- if ne (index . 1) $context.Release.Namespace -}}
{{- $stem = printf "%s-%s" $stem $context.Release.Namespace -}}
{{- end -}}
{{- include "telnyx-sim-exporter.dnsLabel" (list $stem (index . 2)) -}}
{{- end -}}

{{- define "telnyx-sim-exporter.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "telnyx-sim-exporter.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}
