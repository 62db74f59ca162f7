{{- define "upcast.name" -}}
{{- if contains "upcast" .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-upcast" (.Release.Name | trunc 45 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{- define "upcast.config" -}}
{{- toYaml .Values.config -}}
{{- end -}}

{{- define "upcast.annotations" -}}
# A change of the settings rolls the pods.
checksum/config: {{ include "upcast.config" . | sha256sum }}
{{- with .Values.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "upcast.placement" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* What the worker's pod and the Job's have in common. */ -}}
{{- define "upcast.pod" -}}
automountServiceAccountToken: false # it never talks to the cluster
enableServiceLinks: false # a Service that is named as a variable of ours would set it
terminationGracePeriodSeconds: 30 # a stop takes 10 s at most
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- include "upcast.placement" . }}
{{- end -}}

{{- define "upcast.container" -}}
name: upcast
image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
env:
  - name: UPCAST_KAFKA__CLIENT_ID
    valueFrom: {fieldRef: {fieldPath: metadata.name}}
  {{- with .Values.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
ports:
  - {name: upcast-http, containerPort: {{ dig "http" "port" 8090 .Values.config }}}
livenessProbe:
  httpGet: {path: /livez, port: upcast-http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
securityContext:
  readOnlyRootFilesystem: true
  allowPrivilegeEscalation: false
  capabilities: {drop: [ALL]}
{{- end -}}

{{- define "upcast.mounts" -}}
- {name: upcast-config, mountPath: /etc/upcast, readOnly: true}
- {name: upcast-secrets, mountPath: /etc/upcast-secrets, readOnly: true}
{{- end -}}

{{- define "upcast.volumes" -}}
- name: upcast-config
  configMap: {name: {{ include "upcast.name" . }}-config}
- name: upcast-secrets
  secret: {secretName: {{ .Values.secret }}}
{{- end -}}
