{{/* One variable whose value lies in a Secret. */}}
{{- define "turnwire.secretVariable" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ .from.name }}
      key: {{ .from.key }}
{{- end -}}

{{/* The variables of a service: only settings that it reads. Wants root, key, component. */}}
{{- define "turnwire.variables" -}}
{{- $root := .root -}}
{{- $values := $root.Values -}}
{{- $reads := index ($root.Files.Get "files/settings.yaml" | fromYaml) .component -}}
- name: TURNWIRE_HEALTH_HOST
  value: "0.0.0.0"
- name: TURNWIRE_HEALTH_PORT
  value: "8081"
- name: TURNWIRE_DRAIN_S
  value: {{ index $values .key "drainSeconds" | quote }}
- name: TURNWIRE_NATS_URL
  value: {{ include "turnwire.nats.url" $root | quote }}
- name: TURNWIRE_STREAM_REPLICAS
  value: {{ include "turnwire.nats.replicas" $root | quote }}
{{- $auth := include "turnwire.nats.auth" $root }}
{{- if eq $auth "nkey" }}
- name: TURNWIRE_NATS_NKEY_SEED_FILE
  value: /etc/turnwire/nats/{{ .component }}.seed
{{- else if eq $auth "credentials" }}
- name: TURNWIRE_NATS_CREDENTIALS
  value: /etc/turnwire/nats/{{ .component }}.creds
{{- end }}
{{- if $values.nats.tls.caSecret.name }}
- name: TURNWIRE_NATS_CA
  value: /etc/turnwire/nats-ca/ca.crt
{{- end }}
{{- range $name, $value := $values.settings }}
{{- if has $name $reads }}
- name: {{ $name }}
  value: {{ kindIs "float64" $value | ternary (printf "%v" $value) $value | quote }}
{{- end }}
{{- end }}
{{- range $key, $file := include "turnwire.filesOf" . | fromYaml }}
- name: {{ $file.variable }}
  value: /etc/turnwire/files/{{ $file.file }}
{{- end }}
{{- if has "TURNWIRE_PORT" $reads }}
- name: TURNWIRE_HOST
  value: "0.0.0.0"
- name: TURNWIRE_PORT
  value: "8080"
{{- end }}
{{- if and (has "TURNWIRE_BACKEND_URL" $reads) (not $values.files.backends) }}
- name: TURNWIRE_BACKEND_URL
  value: {{ $values.backend.url | quote }}
- name: TURNWIRE_BACKEND_API
  value: {{ $values.backend.api }}
{{- if $values.backend.existingSecret.name }}
{{ include "turnwire.secretVariable" (dict "name" "TURNWIRE_BACKEND_API_KEY" "from" $values.backend.existingSecret) }}
{{- end }}
{{- end }}
{{- if has "TURNWIRE_MONGODB_URL" $reads }}
{{- if $values.dev.mongodb.enabled }}
- name: TURNWIRE_MONGODB_URL
  value: mongodb://{{ include "turnwire.fullname" $root }}-mongodb:27017/turnwire?directConnection=true&retryWrites=false
{{- else }}
{{ include "turnwire.secretVariable" (dict "name" "TURNWIRE_MONGODB_URL" "from" $values.mongodb.existingSecret) }}
{{- end }}
{{- end }}
{{- range $setting, $from := dict "TURNWIRE_KEY_PEPPER" $values.secrets.keyPepper "TURNWIRE_VIEW_KEY" $values.secrets.viewKey "TURNWIRE_SEAL_KEY" $values.secrets.sealKey "TURNWIRE_CONSOLE_OIDC_CLIENT_SECRET" $values.secrets.consoleOidc }}
{{- if and (has $setting $reads) $from.name }}
{{ include "turnwire.secretVariable" (dict "name" $setting "from" $from) }}
{{- end }}
{{- end }}
{{- with index $values .key "extraEnv" }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Where the files of a service lie. Wants root, key, component. */}}
{{- define "turnwire.mounts" -}}
- name: tmp
  mountPath: /tmp
{{- if ne (include "turnwire.nats.auth" .root) "none" }}
- name: nats-user
  mountPath: /etc/turnwire/nats
  readOnly: true
{{- end }}
{{- if .root.Values.nats.tls.caSecret.name }}
- name: nats-ca
  mountPath: /etc/turnwire/nats-ca
  readOnly: true
{{- end }}
{{- if include "turnwire.filesOf" . }}
- name: files
  mountPath: /etc/turnwire/files
  readOnly: true
{{- end }}
{{- with index .root.Values .key "extraVolumeMounts" }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "turnwire.volumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- $auth := include "turnwire.nats.auth" .root }}
{{- if ne $auth "none" }}
{{- $file := printf "%s.%s" .component (ternary "seed" "creds" (eq $auth "nkey")) }}
- name: nats-user
  secret:
    secretName: {{ .root.Values.nats.auth.existingSecret }}
    defaultMode: 0440
    # Of the keys in the Secret each service sees its own only.
    items:
      - key: {{ $file }}
        path: {{ $file }}
{{- end }}
{{- with .root.Values.nats.tls.caSecret }}
{{- if .name }}
- name: nats-ca
  secret:
    secretName: {{ .name }}
    defaultMode: 0440
    items:
      - key: {{ .key }}
        path: ca.crt
{{- end }}
{{- end }}
{{- with include "turnwire.filesOf" . | fromYaml }}
- name: files
  configMap:
    name: {{ include "turnwire.fullname" $.root }}-files
    items:
      {{- range $key, $file := . }}
      - key: {{ $file.file }}
        path: {{ $file.file }}
      {{- end }}
{{- end }}
{{- with index .root.Values .key "extraVolumes" }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Changes when a file changes that a service reads at its start only; a guard follows its policy. */}}
{{- define "turnwire.checksum" -}}
{{- $content := list -}}
{{- range $key, $file := include "turnwire.filesOf" . | fromYaml -}}
{{- if not (and (eq $.component "guard") (eq $key "guardPolicy")) -}}
{{- $content = append $content (index $.root.Values.files $key) -}}
{{- end -}}
{{- end -}}
{{- join "\n" $content | sha256sum -}}
{{- end -}}
