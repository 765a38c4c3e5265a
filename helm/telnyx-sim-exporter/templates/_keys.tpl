{{/* API keys: which account takes which. */}}

{{/* The name of an account, from the account. */}}
{{- define "telnyx-sim-exporter.accountName" -}}
{{- default "default" .name -}}
{{- end -}}

{{/* The file with an account's key, from the account: its name where that can be one. */}}
{{- define "telnyx-sim-exporter.keyFile" -}}
{{- $name := include "telnyx-sim-exporter.accountName" . -}}
{{- if regexMatch "^[A-Za-z0-9][A-Za-z0-9._-]*$" $name -}}
{{- $name -}}
{{- else -}}
{{- printf "account-%s" ($name | sha256sum | trunc 16) -}}
{{- end -}}
{{- end -}}

{{/*
The entries of `keys` that accounts take their key from, as YAML: a list under "entries" of file,
existingSecret, key and value.
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

{{/* The data of the Secret of the chart; nothing where it has none. */}}
{{- define "telnyx-sim-exporter.ownKeys" -}}
{{- range (include "telnyx-sim-exporter.keyEntries" . | fromYaml).entries -}}
{{- if .value }}
{{ .file | quote }}: {{ .value | b64enc | quote }}
{{- end -}}
{{- end -}}
{{- end -}}
