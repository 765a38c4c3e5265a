{{/* Rejects invalid combinations of values, with the fix. It must not render anything. */}}

{{- define "telnyx-sim-exporter.guards" -}}
{{- include "telnyx-sim-exporter.guards.accounts" . -}}
{{- include "telnyx-sim-exporter.guards.keys" . -}}
{{- include "telnyx-sim-exporter.guards.web" . -}}
{{- include "telnyx-sim-exporter.guards.service" . -}}
{{- include "telnyx-sim-exporter.guards.database" . -}}
{{- include "telnyx-sim-exporter.guards.state" . -}}
{{- include "telnyx-sim-exporter.guards.alerts" . -}}
{{- include "telnyx-sim-exporter.guards.thresholds" . -}}
{{- include "telnyx-sim-exporter.guards.alertLabels" . -}}
{{- end -}}

{{- define "telnyx-sim-exporter.guards.accounts" -}}
{{- if not .Values.config.accounts -}}
{{- fail "config.accounts is empty: add at least one account, such as {name: default}" -}}
{{- end -}}
{{- $names := list -}}
{{- range .Values.config.accounts -}}
{{- $name := include "telnyx-sim-exporter.accountName" . -}}
{{- if has $name $names -}}
{{- fail (printf "two accounts in config.accounts are named %q: use unique names (an account without a name is \"default\")" $name) -}}
{{- end -}}
{{- $names = append $names $name -}}
{{- if and .api_key (not (regexMatch "^\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}$" .api_key)) -}}
{{- fail (printf "the api_key of account %q would be stored unprotected in a ConfigMap: remove it from config.accounts, store it in a Secret and set keys.%s.existingSecret" $name $name) -}}
{{- end -}}
{{- $entry := default dict (get $.Values.keys $name) -}}
{{- if and (or .api_key .api_key_file) (or $entry.existingSecret $entry.value) -}}
{{- fail (printf "account %q has its own key in config.accounts, so keys.%s would be unused: remove one of the two" $name $name) -}}
{{- end -}}
{{- if not (or .api_key .api_key_file $entry.existingSecret $entry.value) -}}
{{- $secret := ternary (printf "telnyx-%s" $name) "telnyx" (and (ne $name "default") (regexMatch "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$" $name)) -}}
{{- fail (printf "account %q has no API key: create a Secret with `kubectl create secret generic %s --namespace %s --from-literal=api-key=KEY...` and set keys.%s.existingSecret=%s" $name $secret $.Release.Namespace $name $secret) -}}
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
{{- fail (printf "keys.%s has both existingSecret and value: remove value" $name) -}}
{{- end -}}
{{- if and (not (has $name $names)) (or (ne $name "default") $entry.existingSecret $entry.value) -}}
{{- fail (printf "keys.%s does not match an account in config.accounts (%s): rename it or remove it" $name (join ", " $names)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "telnyx-sim-exporter.guards.web" -}}
{{- $web := default dict .Values.config.web -}}
{{- if and .Values.web.existingSecret $web.config_file -}}
{{- fail "config.web.config_file and web.existingSecret are both set: remove config.web.config_file, which web.existingSecret sets itself" -}}
{{- end -}}
{{- $address := include "telnyx-sim-exporter.listenAddress" . -}}
{{- if or (not (regexMatch "^(\\[[0-9A-Fa-f:.]+(%\\w+)?\\]|[^\\s:/\\[\\]]*):[1-9][0-9]{0,4}$" $address)) (gt (int (include "telnyx-sim-exporter.port" .)) 65535) -}}
{{- fail (printf "config.web.listen_address %q does not end with a port from 1 to 65535, which the chart needs for the container port: write it like :10874" $address) -}}
{{- end -}}
{{- if regexMatch "(?i)^(127\\.[0-9.]+|localhost|\\[[0:]*:0*1\\]|\\[::ffff:127\\.[0-9.]+\\]):" $address -}}
{{- fail (printf "config.web.listen_address %q is only reachable within the pod, so probes and Prometheus would fail: write it like :10874" $address) -}}
{{- end -}}
{{- if and (include "telnyx-sim-exporter.secured" .) (contains "$" (include "telnyx-sim-exporter.listenHost" .)) -}}
{{- fail (printf "config.web.listen_address %q contains a variable for the host, which probes cannot resolve: write it like :10874" $address) -}}
{{- end -}}
{{- if contains "$" (include "telnyx-sim-exporter.routePrefix" .) -}}
{{- fail "the path in config.web.route_prefix or config.web.external_url contains a variable, which probes and monitors cannot resolve: write it out" -}}
{{- end -}}
{{- range .Values.extraArgs -}}
{{- if or (hasPrefix "--web.external-url" .) (hasPrefix "--web.route-prefix" .) -}}
{{- fail (printf "extraArgs contains %s: set config.web.external_url or config.web.route_prefix instead, which probes and monitors use too" (regexFind "^[^=]*" .)) -}}
{{- end -}}
{{- if and $.Values.web.existingSecret (hasPrefix "--web.config.file" .) -}}
{{- fail "extraArgs contains --web.config.file but web.existingSecret is set: remove --web.config.file, because web.existingSecret sets it" -}}
{{- end -}}
{{- if hasPrefix "--web.listen-address" . -}}
{{- fail "extraArgs contains --web.listen-address: set config.web.listen_address instead, which the container port is taken from" -}}
{{- end -}}
{{- if hasPrefix "--config.file" . -}}
{{- fail "extraArgs contains --config.file, which the chart sets: use config instead" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "telnyx-sim-exporter.guards.service" -}}
{{- if and .Values.service.nodePort (eq .Values.service.type "ClusterIP") -}}
{{- fail "service.nodePort is set but service.type is ClusterIP, which has no node port: set service.type=NodePort or LoadBalancer, or remove service.nodePort" -}}
{{- end -}}
{{- if and (gt (len .Values.service.ipFamilies) 1) (eq .Values.service.ipFamilyPolicy "SingleStack") -}}
{{- fail "service.ipFamilies has two families but service.ipFamilyPolicy is SingleStack: set service.ipFamilyPolicy=PreferDualStack or RequireDualStack, or remove one family" -}}
{{- end -}}
{{- end -}}

{{- define "telnyx-sim-exporter.guards.database" -}}
{{- $state := default dict .Values.config.state -}}
{{- $url := include "telnyx-sim-exporter.stateUrl" . -}}
{{- $shared := include "telnyx-sim-exporter.shared" . -}}
{{- if and .Values.database.urlKey (not .Values.database.existingSecret) -}}
{{- fail "database.urlKey is set but database.existingSecret is not: set database.existingSecret to the name of the Secret" -}}
{{- end -}}
{{- if and .Values.database.existingSecret (not $shared) -}}
{{- fail "database.existingSecret is set but config.state.url is not a PostgreSQL URL: set config.state.url=postgresql://USER@HOST/DATABASE, or database.urlKey if the Secret has the URL" -}}
{{- end -}}
{{- if and .Values.database.urlKey (regexMatch "^postgres(ql)?:" $url) -}}
{{- fail "database.urlKey and a PostgreSQL URL in config.state.url are both set: remove one of the two" -}}
{{- end -}}
{{- if and .Values.database.existingSecret $state.password_file -}}
{{- fail "config.state.password_file and database.existingSecret are both set: remove config.state.password_file, which database.existingSecret sets itself" -}}
{{- end -}}
{{- if and $shared (regexMatch "^[a-z]+://[^/@]*:[^/@]+@" $url) (not (regexMatch "^[a-z]+://[^/@:]*:\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}@" $url)) -}}
{{- fail "the password in config.state.url would be stored unprotected in a ConfigMap: remove it, store it in a Secret and set database.existingSecret" -}}
{{- end -}}
{{- if hasPrefix "$" $url -}}
{{- fail "config.state.url begins with a variable, so the chart does not know which kind of database it is: for a PostgreSQL URL in a Secret, set database.existingSecret and database.urlKey" -}}
{{- end -}}
{{- if and (gt (int .Values.replicas) 1) (not $shared) -}}
{{- fail "replicas is above 1 but the state is in SQLite, which pods cannot share: set replicas=1, or set config.state.url=postgresql://USER@HOST/DATABASE and database.existingSecret" -}}
{{- end -}}
{{- end -}}

{{- define "telnyx-sim-exporter.guards.state" -}}
{{- if not (include "telnyx-sim-exporter.shared" .) -}}
{{- $url := include "telnyx-sim-exporter.stateUrl" . -}}
{{- $file := regexMatch "^sqlite:////var/lib/telnyx-sim-exporter/[^/?]*[^/?.][^/?]*$" $url -}}
{{- $rolling := ne (default "RollingUpdate" (default dict .Values.strategy).type) "Recreate" -}}
{{- if and .Values.persistence.existingClaim (not .Values.persistence.enabled) -}}
{{- fail "persistence.existingClaim is set but persistence.enabled is false: set persistence.enabled=true, or remove persistence.existingClaim" -}}
{{- end -}}
{{- if .Values.persistence.enabled -}}
{{- if and .Values.strategy $rolling -}}
{{- fail "strategy is RollingUpdate but persistence.enabled is true: the new pod would wait for the state that the old one has locked. Remove strategy, or set strategy.type=Recreate" -}}
{{- end -}}
{{- if not $file -}}
{{- fail (printf "config.state.url %q is not a file on the volume: use a file directly in /var/lib/telnyx-sim-exporter, such as sqlite:////var/lib/telnyx-sim-exporter/state.db, or set persistence.enabled=false" $url) -}}
{{- end -}}
{{- else if and $rolling (not $file) (not (has $url (list "sqlite://" "sqlite:///:memory:"))) -}}
{{- fail (printf "config.state.url %q may be shared by two pods, because the strategy is RollingUpdate: use a file in /var/lib/telnyx-sim-exporter, which is private to each pod, such as sqlite:////var/lib/telnyx-sim-exporter/state.db, or use persistence.existingClaim" $url) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "telnyx-sim-exporter.guards.alerts" -}}
{{- $known := include "telnyx-sim-exporter.alertNames" (list . "files/rules/telnyx-sim-exporter.rules.yaml") -}}
{{- $objective := include "telnyx-sim-exporter.alertNames" (list . "files/rules/telnyx-sim-exporter-objective.rules.yaml") -}}
{{- range $name, $_ := .Values.prometheusRule.alerts -}}
{{- if has $name (splitList ", " $objective) -}}
{{- if not $.Values.prometheusRule.objective -}}
{{- fail (printf "prometheusRule.alerts.%s overrides an alert of the objective: set prometheusRule.objective=true, or remove the override" $name) -}}
{{- end -}}
{{- else if not (has $name (splitList ", " $known)) -}}
{{- fail (printf "prometheusRule.alerts.%s does not match an alert of the chart. Available: %s; with prometheusRule.objective=true also: %s" $name $known $objective) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "telnyx-sim-exporter.guards.thresholds" -}}
{{- $known := include "telnyx-sim-exporter.thresholds" (list . "files/rules/telnyx-sim-exporter.rules.yaml") | fromYaml -}}
{{- $objective := include "telnyx-sim-exporter.thresholds" (list . "files/rules/telnyx-sim-exporter-objective.rules.yaml") | fromYaml -}}
{{- range $name, $value := .Values.prometheusRule.thresholds -}}
{{- if hasKey $known $name -}}
{{- else if not (hasKey $objective $name) -}}
{{- fail (printf "prometheusRule.thresholds.%s does not match a threshold of the rules. Available: %s; with prometheusRule.objective=true also: %s" $name (keys $known | sortAlpha | join ", ") (keys $objective | sortAlpha | join ", ")) -}}
{{- else if not $.Values.prometheusRule.objective -}}
{{- fail (printf "prometheusRule.thresholds.%s is a threshold of the objective: set prometheusRule.objective=true, or remove it" $name) -}}
{{- end -}}
{{- $expr := default (get $objective $name) (get $known $name) -}}
{{- if and (ge (float64 $value) 1.0) (lt (regexFind "[0-9.]+" $expr | float64) 1.0) -}}
{{- fail (printf "prometheusRule.thresholds.%s is a share: set it to a number between 0 and 1, such as 0.25" $name) -}}
{{- else if le (float64 $value) 0.0 -}}
{{- fail (printf "prometheusRule.thresholds.%s is not above 0: set it to a number such as 5 or 0.25" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "telnyx-sim-exporter.guards.alertLabels" -}}
{{- $used := list -}}
{{- range list "files/rules/telnyx-sim-exporter.rules.yaml" "files/rules/telnyx-sim-exporter-objective.rules.yaml" -}}
{{- $used = concat $used (include "telnyx-sim-exporter.ruleLabels" (list $ .) | fromYaml).labels -}}
{{- end -}}
{{- range $name, $_ := .Values.prometheusRule.commonLabels -}}
{{- if has $name $used -}}
{{- fail (printf "prometheusRule.commonLabels.%s is a label that the rules use themselves: choose another name" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
