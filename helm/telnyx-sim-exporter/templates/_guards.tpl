{{/* Values that cannot work are refused here, with what to do. It must not change or make anything. */}}

{{- define "telnyx-sim-exporter.guards" -}}
{{- include "telnyx-sim-exporter.guards.accounts" . -}}
{{- include "telnyx-sim-exporter.guards.keys" . -}}
{{- include "telnyx-sim-exporter.guards.web" . -}}
{{- include "telnyx-sim-exporter.guards.service" . -}}
{{- include "telnyx-sim-exporter.guards.state" . -}}
{{- include "telnyx-sim-exporter.guards.alerts" . -}}
{{- end -}}

{{- define "telnyx-sim-exporter.guards.accounts" -}}
{{- if not .Values.config.accounts -}}
{{- fail "config.accounts is empty: name at least one account, such as {name: default}" -}}
{{- end -}}
{{- $names := list -}}
{{- range .Values.config.accounts -}}
{{- $name := include "telnyx-sim-exporter.accountName" . -}}
{{- if has $name $names -}}
{{- fail (printf "two accounts in config.accounts have the name %q: give each a name of its own (one without a name is called \"default\")" $name) -}}
{{- end -}}
{{- $names = append $names $name -}}
{{- if and .api_key (not (regexMatch "^\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}$" .api_key)) -}}
{{- fail (printf "the api_key of account %q would lie in a ConfigMap for all to read: take it out of config.accounts, put it into a Secret and set keys.%s.existingSecret" $name $name) -}}
{{- end -}}
{{- $entry := default dict (get $.Values.keys $name) -}}
{{- if and (or .api_key .api_key_file) (or $entry.existingSecret $entry.value) -}}
{{- fail (printf "account %q brings a key of its own in config.accounts, so keys.%s would not be used: remove one of the two" $name $name) -}}
{{- end -}}
{{- if not (or .api_key .api_key_file $entry.existingSecret $entry.value) -}}
{{- $secret := ternary (printf "telnyx-%s" $name) "telnyx" (and (ne $name "default") (regexMatch "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$" $name)) -}}
{{- fail (printf "there is no API key for account %q: make a Secret by `kubectl create secret generic %s --namespace %s --from-literal=api-key=KEY...` and set keys.%s.existingSecret=%s" $name $secret $.Release.Namespace $name $secret) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "telnyx-sim-exporter.guards.keys" -}}
{{- $names := list -}}
{{- range .Values.config.accounts -}}
{{- $names = append $names (include "telnyx-sim-exporter.accountName" .) -}}
{{- end -}}
{{- range $name, $entry := .Values.keys -}}
{{- if and $entry.existingSecret $entry.value -}}
{{- fail (printf "keys.%s has both existingSecret and value: keep existingSecret, and remove the other" $name) -}}
{{- end -}}
{{- if and (not (has $name $names)) (or (ne $name "default") $entry.existingSecret $entry.value) -}}
{{- fail (printf "keys.%s is of no account in config.accounts, where there are: %s. Rename it, or remove it" $name (join ", " $names)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "telnyx-sim-exporter.guards.web" -}}
{{- $web := default dict .Values.config.web -}}
{{- if and .Values.web.existingSecret $web.config_file -}}
{{- fail "config.web.config_file and web.existingSecret are both set: keep web.existingSecret, which brings the file into the pod and names it in the configuration" -}}
{{- end -}}
{{- $address := include "telnyx-sim-exporter.listenAddress" . -}}
{{- if or (not (regexMatch "^(\\[[0-9A-Fa-f:.]+(%\\w+)?\\]|[^\\s:/\\[\\]]*):[1-9][0-9]{0,4}$" $address)) (gt (int (include "telnyx-sim-exporter.port" .)) 65535) -}}
{{- fail (printf "config.web.listen_address %q does not end with a port from 1 to 65535, which the pod's port is taken from: write it like :10874" $address) -}}
{{- end -}}
{{- if regexMatch "(?i)^(127\\.[0-9.]+|localhost|\\[[0:]*:0*1\\]|\\[::ffff:127\\.[0-9.]+\\]):" $address -}}
{{- fail (printf "config.web.listen_address %q is for the inside of the pod alone, so neither probes nor Prometheus would reach it: write it like :10874" $address) -}}
{{- end -}}
{{- if and (include "telnyx-sim-exporter.secured" .) (contains "$" (include "telnyx-sim-exporter.listenHost" .)) -}}
{{- fail (printf "config.web.listen_address %q names its host by a variable, which probes in the pod cannot follow: write it like :10874" $address) -}}
{{- end -}}
{{- if contains "$" (include "telnyx-sim-exporter.routePrefix" .) -}}
{{- fail "config.web.route_prefix or config.web.external_url names a path by a variable, which probes and monitors cannot follow: write it out" -}}
{{- end -}}
{{- range .Values.extraArgs -}}
{{- if or (hasPrefix "--web.external-url" .) (hasPrefix "--web.route-prefix" .) -}}
{{- fail (printf "extraArgs has %s: set config.web.external_url or config.web.route_prefix instead, which probes and monitors follow" (regexFind "^[^=]*" .)) -}}
{{- end -}}
{{- if and $.Values.web.existingSecret (hasPrefix "--web.config.file" .) -}}
{{- fail "extraArgs has --web.config.file, and web.existingSecret is set: keep web.existingSecret, which brings the file into the pod and names it in the configuration" -}}
{{- end -}}
{{- if hasPrefix "--web.listen-address" . -}}
{{- fail "extraArgs has --web.listen-address: set config.web.listen_address instead, which the ports of the pod follow" -}}
{{- end -}}
{{- if hasPrefix "--config.file" . -}}
{{- fail "extraArgs has --config.file: the chart sets it; put the configuration under config" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "telnyx-sim-exporter.guards.service" -}}
{{- if and .Values.service.nodePort (eq .Values.service.type "ClusterIP") -}}
{{- fail "service.nodePort is set while service.type is ClusterIP, which has no port on the nodes: set service.type=NodePort or LoadBalancer, or remove service.nodePort" -}}
{{- end -}}
{{- if and (gt (len .Values.service.ipFamilies) 1) (eq .Values.service.ipFamilyPolicy "SingleStack") -}}
{{- fail "service.ipFamilies names two families while service.ipFamilyPolicy is SingleStack: set service.ipFamilyPolicy=PreferDualStack or RequireDualStack, or keep one family" -}}
{{- end -}}
{{- end -}}

{{- define "telnyx-sim-exporter.guards.state" -}}
{{- $url := default "" (default dict .Values.config.state).url -}}
{{- $file := regexMatch "^sqlite:////var/lib/telnyx-sim-exporter/[^/?]*[^/?.][^/?]*$" $url -}}
{{- $rolling := ne (default "RollingUpdate" (default dict .Values.strategy).type) "Recreate" -}}
{{- if and .Values.persistence.existingClaim (not .Values.persistence.enabled) -}}
{{- fail "persistence.existingClaim is set while persistence.enabled is false: enable persistence, or remove the claim" -}}
{{- end -}}
{{- if .Values.persistence.enabled -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- fail "replicas is above 1 while persistence.enabled is true: two pods cannot share the state. Run one, or set persistence.enabled=false" -}}
{{- end -}}
{{- if and .Values.strategy $rolling -}}
{{- fail "strategy is RollingUpdate while persistence.enabled is true: the new pod would wait for the state, which the old one holds. Leave strategy out, or set strategy.type=Recreate" -}}
{{- end -}}
{{- if not $file -}}
{{- fail (printf "config.state.url %q is no file that can lie on the volume: name one in /var/lib/telnyx-sim-exporter, such as sqlite:////var/lib/telnyx-sim-exporter/state.db, or set persistence.enabled=false" $url) -}}
{{- end -}}
{{- else if and (or $rolling (gt (int .Values.replicas) 1)) (not $file) (not (has $url (list "sqlite://" "sqlite:///:memory:"))) -}}
{{- fail (printf "config.state.url %q may be one file for two pods, as replicas is above 1 or the strategy RollingUpdate: name one in /var/lib/telnyx-sim-exporter, which each pod has for itself, such as sqlite:////var/lib/telnyx-sim-exporter/state.db, or use persistence.existingClaim" $url) -}}
{{- end -}}
{{- end -}}

{{- define "telnyx-sim-exporter.guards.alerts" -}}
{{- $known := include "telnyx-sim-exporter.alertNames" (list . "files/rules/telnyx-sim-exporter.rules.yaml") -}}
{{- $objective := include "telnyx-sim-exporter.alertNames" (list . "files/rules/telnyx-sim-exporter-objective.rules.yaml") -}}
{{- range $name, $_ := .Values.prometheusRule.alerts -}}
{{- if has $name (splitList ", " $objective) -}}
{{- if not $.Values.prometheusRule.objective -}}
{{- fail (printf "prometheusRule.alerts.%s changes an alert of the objective: set prometheusRule.objective=true, or remove it" $name) -}}
{{- end -}}
{{- else if not (has $name (splitList ", " $known)) -}}
{{- fail (printf "prometheusRule.alerts.%s is no alert of the chart. There are: %s; with prometheusRule.objective also: %s" $name $known $objective) -}}
{{- end -}}
{{- end -}}
{{- end -}}
