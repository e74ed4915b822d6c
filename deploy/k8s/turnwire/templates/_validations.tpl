{{/* What the schema cannot say: each problem is a sentence with its way out. */}}
{{- define "turnwire.problems" -}}
{{- $values := .Values -}}
{{- $problems := list -}}
{{- if not (or $values.nats.url $values.dev.nats.enabled) -}}
{{- $problems = append $problems "nats.url is empty: name the broker, nats://… or tls://…, or set dev.nats.enabled to try Turnwire with a small one." -}}
{{- end -}}
{{- if and $values.nats.url $values.dev.nats.enabled -}}
{{- $problems = append $problems "nats.url and dev.nats.enabled exclude each other: leave one of them out." -}}
{{- end -}}
{{- if and (ne (include "turnwire.nats.auth" .) "none") (not $values.nats.auth.existingSecret) -}}
{{- $problems = append $problems "nats.auth.existingSecret is empty: name the Secret with gateway.seed, orchestrator.seed, tool-runner.seed, guard.seed and store.seed (docs/broker.md), or set nats.auth.mode to none for a broker without users." -}}
{{- end -}}
{{- if not (or $values.mongodb.existingSecret.name $values.dev.mongodb.enabled) -}}
{{- $problems = append $problems "mongodb.existingSecret.name is empty: name the Secret with MongoDB's URI, or set dev.mongodb.enabled to try Turnwire with a small one." -}}
{{- end -}}
{{- if and $values.mongodb.existingSecret.name $values.dev.mongodb.enabled -}}
{{- $problems = append $problems "mongodb.existingSecret and dev.mongodb.enabled exclude each other: leave one of them out." -}}
{{- end -}}
{{- if not (or $values.backend.url $values.files.backends) -}}
{{- $problems = append $problems "backend.url is empty: name the inference server, its base that ends in /v1, or several in files.backends." -}}
{{- end -}}
{{- if and $values.backend.url $values.files.backends -}}
{{- $problems = append $problems "backend.url and files.backends exclude each other: leave one of them out." -}}
{{- end -}}
{{- if and $values.files.backends $values.networkPolicy.enabled (not $values.networkPolicy.egress.orchestrator) -}}
{{- $problems = append $problems "files.backends names servers that no network policy lets the orchestrator reach: list them in networkPolicy.egress.orchestrator." -}}
{{- end -}}
{{- if not $values.secrets.keyPepper.name -}}
{{- $problems = append $problems "secrets.keyPepper.name is empty: name the Secret with the secret that API keys are hashed with; without it nobody can be let in." -}}
{{- end -}}
{{- if and $values.files.guardPolicy (not $values.guard.enabled) -}}
{{- $problems = append $problems "files.guardPolicy is set and guard.enabled is false: every turn would be refused with guard_unavailable. Enable the guard, or leave the policy out." -}}
{{- end -}}
{{- if and $values.files.mcpServers (not $values.toolRunner.enabled) -}}
{{- $problems = append $problems "files.mcpServers is set and toolRunner.enabled is false: nobody would call these servers. Enable the tool-runner, or leave the file out." -}}
{{- end -}}
{{- if and $values.image.digest $values.image.tag -}}
{{- $problems = append $problems "image.tag and image.digest exclude each other: a digest says which image it is." -}}
{{- end -}}
{{- $limit := $values.settings.TURNWIRE_TOOL_CALL_LIMIT_S | default 600 -}}
{{- if and $values.toolRunner.enabled (lt (float64 $values.toolRunner.drainSeconds) (float64 $limit)) -}}
{{- $problems = append $problems (printf "toolRunner.drainSeconds is %v and one call may take %v seconds (TURNWIRE_TOOL_CALL_LIMIT_S): a call that is cut off has an unknown outcome. Raise the one or lower the other." $values.toolRunner.drainSeconds $limit) -}}
{{- end -}}
{{- $grace := $values.settings.TURNWIRE_STREAM_GRACE_S | default 10 -}}
{{- range $key, $service := include "turnwire.enabled" . | fromYaml -}}
{{- $own := index $values $key -}}
{{- $needed := addf (float64 $own.drainSeconds) (float64 $own.preStopSeconds) 2 (ternary (float64 $grace) 0.0 (eq $key "gateway")) -}}
{{- if lt (float64 $own.terminationGracePeriodSeconds) $needed -}}
{{- $problems = append $problems (printf "%s.terminationGracePeriodSeconds is %v and must be %v at least: preStopSeconds, drainSeconds and 2 more%s." $key $own.terminationGracePeriodSeconds $needed (ternary ", with the time that a stream's turn waits for its reader (TURNWIRE_STREAM_GRACE_S)" "" (eq $key "gateway"))) -}}
{{- end -}}
{{- with $own.autoscaling -}}
{{- if and (ne .mode "none") (gt (int .minReplicas) (int .maxReplicas)) -}}
{{- $problems = append $problems (printf "%s.autoscaling.minReplicas is greater than maxReplicas." $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (eq $values.orchestrator.autoscaling.mode "keda") (not (include "turnwire.nats.monitoring" .)) -}}
{{- $problems = append $problems "orchestrator.autoscaling.mode is keda and nats.monitoring.endpoint is empty: name host and port of the broker's monitoring, for a cluster its headless service (nats-headless.<namespace>.svc.cluster.local:8222)." -}}
{{- end -}}
{{- if and (eq $values.toolRunner.autoscaling.mode "keda") (not $values.toolRunner.autoscaling.prometheusAddress) -}}
{{- $problems = append $problems "toolRunner.autoscaling.mode is keda and its prometheusAddress is empty: name the Prometheus that scrapes the tool-runners." -}}
{{- end -}}
{{- if and $values.ingress.enabled (not $values.ingress.host) -}}
{{- $problems = append $problems "ingress.enabled is true and ingress.host is empty." -}}
{{- end -}}
{{- if and $values.httpRoute.enabled (not $values.httpRoute.parentRefs) -}}
{{- $problems = append $problems "httpRoute.enabled is true and httpRoute.parentRefs is empty: name the Gateway it belongs to." -}}
{{- end -}}
{{- if and $values.networkPolicy.enabled $values.serviceMonitor.enabled (not $values.networkPolicy.monitoring) -}}
{{- $problems = append $problems "serviceMonitor.enabled is true and networkPolicy.monitoring lets nobody reach the ops port: name Prometheus' namespace or pods there." -}}
{{- end -}}
{{- toJson $problems -}}
{{- end -}}

{{/* What an upgrade would lose. Wants Values, version, deployments by component and sets by component as they are now. */}}
{{- define "turnwire.losses" -}}
{{- $problems := list -}}
{{- $gateway := index .deployments "gateway" | default dict -}}
{{- $notes := dig "metadata" "annotations" dict $gateway -}}
{{- with index $notes "turnwire.dev/chart-version" -}}
{{- if and (semverCompare (printf ">%s" $.version) .) (not $.Values.upgrade.allowDowngrade) -}}
{{- $problems = append $problems (printf "the release has chart %s, which is newer than %s: what newer services wrote older ones may not read. Set upgrade.allowDowngrade if UPGRADING.md says that it goes." . $.version) -}}
{{- end -}}
{{- end -}}
{{- with index $notes "turnwire.dev/stream-replicas" -}}
{{- if and (lt (int $.replicas) (int .)) (not $.Values.upgrade.allowFewerReplicas) -}}
{{- $problems = append $problems (printf "each stream has %s replicas and would have %v: the log would survive less. Set upgrade.allowFewerReplicas if you mean it." . $.replicas) -}}
{{- end -}}
{{- end -}}
{{- $store := index .deployments "store" | default dict -}}
{{- if and (eq (dig "metadata" "annotations" "turnwire.dev/view-key" "unset" $store) "set") (not .Values.secrets.viewKey.name) -}}
{{- $problems = append $problems "secrets.viewKey was set and is empty now: the views could not be opened any more. Put it back." -}}
{{- end -}}
{{- range $component, $part := dict "nats" .Values.dev.nats "mongodb" .Values.dev.mongodb -}}
{{- if and (index $.sets $component) (not $part.enabled) (not $part.removed) -}}
{{- $problems = append $problems (printf "dev.%s runs in this release and would be removed, with what it keeps: move that first (UPGRADING.md), then set dev.%s.removed." $component $component) -}}
{{- end -}}
{{- end -}}
{{- toJson $problems -}}
{{- end -}}
