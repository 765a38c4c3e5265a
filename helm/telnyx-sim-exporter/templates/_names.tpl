{{/* Names and namespaces. */}}

{{/*
A DNS label of at most 63 characters: the text and the suffix of the list [text, suffix]. A text
that has to be cut, or has a dot, gets a hash: two texts never become one name.
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

{{/* The name of what runs; a label's value, and part of the selectors. */}}
{{- define "telnyx-sim-exporter.name" -}}
{{- include "telnyx-sim-exporter.dnsLabel" (list (default .Chart.Name .Values.nameOverride) "") -}}
{{- end -}}

{{/*
What all names begin with, however long. A release is left alone only if it is called like the
chart: one whose name merely contains the chart's could get the names of another.
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

{{/* The name of Deployment, Service and all that there is one of. */}}
{{- define "telnyx-sim-exporter.fullname" -}}
{{- include "telnyx-sim-exporter.resource" (list . "") -}}
{{- end -}}

{{/* The name of something else, by its suffix: [context, "-keys"]. */}}
{{- define "telnyx-sim-exporter.resource" -}}
{{- include "telnyx-sim-exporter.dnsLabel" (list (include "telnyx-sim-exporter.stem" (index . 0)) (index . 1)) -}}
{{- end -}}

{{/*
The name of something that may lie in another namespace: [context, namespace, suffix]. There it
names the release's namespace too, as releases of the same name meet there.
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
