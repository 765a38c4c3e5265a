{{/* API keys of the accounts. */}}

{{/* The name of an account; the context is the account. */}}
{{- define "telnyx-sim-exporter.accountName" -}}
{{- default "default" .name -}}
{{- end -}}

{{/* The file name of an account's key, its name if that is a valid one; the context is the account. */}}
{{- define "telnyx-sim-exporter.keyFile" -}}
{{- $name := include "telnyx-sim-exporter.accountName" . -}}
{{- if regexMatch "^[A-Za-z0-9][A-Za-z0-9._-]*$" $name -}}
{{- $name -}}
{{- else -}}
{{- printf "account-%s" ($name | sha256sum | trunc 16) -}}
{{- end -}}
{{- end -}}

{{/*
The entries of `keys` that are in use, as YAML: a list under "entries" of file, existingSecret, key and
value.
*/}}
{{- define "telnyx-sim-exporter.keyEntries" -}}
{{- $entries := list -}}
{{- range .Values.config.accounts -}}
{{- if not (or .api_key .api_key_file) -}}
{{- $entry := default dict (get $.Values.keys (include "telnyx-sim-exporter.accountName" .)) -}}
{{- $entries = append $entries (dict
  "file" (include "telnyx-sim-exporter.keyFile" .)
  "existingSecret" $entry.existingSecret
  "key" (default "api-key" $entry.key)
  "value" $entry.value) -}}
{{- end -}}
{{- end -}}
{{- dict "entries" $entries | toYaml -}}
{{- end -}}

{{/* The data of the chart's own Secret; empty if it has none. */}}
{{- define "telnyx-sim-exporter.ownKeys" -}}
{{- range (include "telnyx-sim-exporter.keyEntries" . | fromYaml).entries -}}
{{- if .value }}
{{ .file | quote }}: {{ .value | b64enc | quote }}
{{- end -}}
{{- end -}}
{{- end -}}
