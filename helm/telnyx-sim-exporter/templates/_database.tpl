{{/* The PostgreSQL database that replicas share. */}}

{{/* "yes" if the state is in PostgreSQL: by config.state.url, or by a URL in a Secret. */}}
{{- define "telnyx-sim-exporter.shared" -}}
{{- if or .Values.database.urlKey (regexMatch "^postgres(ql)?:" (include "telnyx-sim-exporter.stateUrl" .)) -}}
yes
{{- end -}}
{{- end -}}

{{/* config.state.url, empty if it is not set. */}}
{{- define "telnyx-sim-exporter.stateUrl" -}}
{{- default "" (default dict .Values.config.state).url -}}
{{- end -}}

{{/* The name of the variable with a URL that is in a Secret. */}}
{{- define "telnyx-sim-exporter.urlVariable" -}}
TELNYX_SIM_EXPORTER_STATE_URL
{{- end -}}

{{/*
The TCP ports of the database, as a YAML list under "ports": those in config.state.url, else PostgreSQL's.
*/}}
{{- define "telnyx-sim-exporter.databasePorts" -}}
{{- $url := include "telnyx-sim-exporter.stateUrl" . -}}
{{- $text := regexFind "[?&]port=[0-9,]+" $url -}}
{{- if not $text -}}
{{- $text = regexFind ":[0-9]+(/|$)" (regexReplaceAll "^[a-z]+://([^/]*@)?" $url "") -}}
{{- end -}}
{{- $ports := list -}}
{{- range regexFindAll "[0-9]+" $text -1 -}}
{{- $ports = append $ports (int .) -}}
{{- end -}}
{{- dict "ports" (default (list 5432) (uniq $ports)) | toYaml -}}
{{- end -}}
