{{- define "turnwire.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The five services: key in values, name of its component, module it runs. */}}
{{- define "turnwire.services" -}}
gateway: { component: gateway, module: turnwire_gateway }
orchestrator: { component: orchestrator, module: turnwire_orchestrator }
toolRunner: { component: tool-runner, module: turnwire_tool_runner }
guard: { component: guard, module: turnwire_guard }
store: { component: store, module: turnwire_store }
{{- end -}}

{{/* The services that are switched on; guard and toolRunner may be off. */}}
{{- define "turnwire.enabled" -}}
{{- $root := . -}}
{{- range $key, $service := include "turnwire.services" . | fromYaml -}}
{{- if not (eq (toString (index $root.Values $key "enabled")) "false") }}
{{ $key }}: {{ toJson $service }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "turnwire.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "turnwire.labels" -}}
{{ include "turnwire.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: turnwire
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "turnwire.image" -}}
{{- $image := .Values.image -}}
{{- $name := ternary (printf "%s/%s" $image.registry $image.repository) $image.repository (ne $image.registry "") -}}
{{- if $image.digest -}}{{ $name }}@{{ $image.digest }}
{{- else -}}{{ $name }}:{{ default .Chart.AppVersion $image.tag }}
{{- end -}}
{{- end -}}

{{- define "turnwire.imagePullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* The restricted profile of Pod Security, for every pod of the chart. */}}
{{- define "turnwire.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .uid }}
runAsGroup: {{ .uid }}
fsGroup: {{ .uid }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}
{{- define "turnwire.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "turnwire.nats.url" -}}
{{- if .Values.dev.nats.enabled -}}
nats://{{ include "turnwire.fullname" . }}-nats:4222
{{- else -}}
{{- .Values.nats.url -}}
{{- end -}}
{{- end -}}
{{- define "turnwire.nats.auth" -}}
{{- ternary "none" .Values.nats.auth.mode .Values.dev.nats.enabled -}}
{{- end -}}
{{- define "turnwire.nats.replicas" -}}
{{- ternary 1 (int .Values.nats.replicas) .Values.dev.nats.enabled -}}
{{- end -}}
{{/* KEDA builds the names of the broker's pods from it, so a cluster needs its headless service. */}}
{{- define "turnwire.nats.monitoring" -}}
{{- if .Values.dev.nats.enabled -}}
{{ include "turnwire.fullname" . }}-nats.{{ .Release.Namespace }}.svc.cluster.local:8222
{{- else -}}
{{- .Values.nats.monitoring.endpoint -}}
{{- end -}}
{{- end -}}

{{/* The files of the operator: key in values, file name, variable. */}}
{{- define "turnwire.files" -}}
backends: { file: backends.yaml, variable: TURNWIRE_BACKENDS }
guardPolicy: { file: guard-policy.yaml, variable: TURNWIRE_GUARD_POLICY }
mcpServers: { file: mcp-servers.yaml, variable: TURNWIRE_MCP_SERVERS }
prompts: { file: prompts.yaml, variable: TURNWIRE_PROMPTS }
limits: { file: limits.yaml, variable: TURNWIRE_LIMITS }
{{- end -}}

{{/* Those that a service reads and that are given. Wants root and component. */}}
{{- define "turnwire.filesOf" -}}
{{- $reads := index (.root.Files.Get "files/settings.yaml" | fromYaml) .component -}}
{{- range $key, $file := include "turnwire.files" .root | fromYaml -}}
{{- if and (index $.root.Values.files $key) (has $file.variable $reads) }}
{{ $key }}: {{ toJson $file }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "turnwire.scales" -}}
{{- $scaling := index .Values .key "autoscaling" | default dict -}}
{{- if has (default "none" $scaling.mode) (list "hpa" "keda") -}}true{{- end -}}
{{- end -}}
