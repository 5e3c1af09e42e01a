// What a cluster's administrator applies once so that pods may find each other.

/** YAML of a service account, its role and their binding. Pods name the account in `serviceAccountName`. */
export function kubernetesManifest(namespace = 'default', account = 'dynamo-sglang'): string {
  return `# Discovery of dynamo-sglang: each process keeps one Lease object in the namespace.
apiVersion: v1
kind: ServiceAccount
metadata:
  name: ${account}
  namespace: ${namespace}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: ${account}-discovery
  namespace: ${namespace}
rules:
  - apiGroups: [coordination.k8s.io]
    resources: [leases]
    verbs: [get, list, watch, create, patch, delete]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: ${account}-discovery
  namespace: ${namespace}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: ${account}-discovery
subjects:
  - kind: ServiceAccount
    name: ${account}
    namespace: ${namespace}
# In the pods:
#   serviceAccountName: ${account}
#   env:
#     - {name: DYN_DISCOVERY_BACKEND, value: kubernetes}
#     - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
#     - {name: POD_UID, valueFrom: {fieldRef: {fieldPath: metadata.uid}}}
#     - {name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
`
}
