// The files that `dynamo-sglang example` prints: for docker compose and for Kubernetes.
import { kubernetesManifest } from '../../discovery/kubernetes/manifest.ts'

export const composeFile = `# etcd for --discovery-backend etcd, NATS for --discovery-backend nats, --request-plane nats and --event-plane nats.
# One machine needs neither: its processes find each other through a folder. With them, on every machine:
#   export ETCD_ENDPOINTS=http://HOST:2379 NATS_SERVER=nats://HOST:4222 DYN_DISCOVERY_BACKEND=etcd
services:
  etcd:
    image: quay.io/coreos/etcd:v3.6.5
    command: [etcd, --advertise-client-urls=http://0.0.0.0:2379, --listen-client-urls=http://0.0.0.0:2379, --data-dir=/data]
    ports: ["2379:2379"]
    volumes: [etcd:/data]
  nats:
    image: nats:2.12
    command: [-m, "8222"]
    ports: ["4222:4222", "8222:8222"]
  # Our own halves, from the image of this repository's Dockerfile:
  # frontend:
  #   image: dynamo-sglang
  #   command: [frontend]
  #   environment: &cluster
  #     DYN_DISCOVERY_BACKEND: etcd
  #     ETCD_ENDPOINTS: http://etcd:2379
  #     NATS_SERVER: nats://nats:4222
  #     DYN_PLANE_SECRET: a word of your own
  #   ports: ["8000:8000"]
  # worker:
  #   image: dynamo-sglang # SGLang's image plus this one file
  #   command: [worker, --model-path, Qwen/Qwen3-0.6B]
  #   environment: *cluster
  #   shm_size: 10gb
  #   deploy: { resources: { reservations: { devices: [{ driver: nvidia, count: 1, capabilities: [gpu] }] } } }
  # A vision model with its encoder apart: this beside a worker with [worker, --multimodal-worker, --model-path, Qwen/Qwen2.5-VL-7B-Instruct].
  # encoder:
  #   image: dynamo-sglang # with a tower of export-vision in the model's folder it needs no SGLang
  #   command: [worker, --multimodal-encode-worker, --model-path, Qwen/Qwen2.5-VL-7B-Instruct]
  #   environment: *cluster
  #   deploy: { resources: { reservations: { devices: [{ driver: nvidia, count: 1, capabilities: [gpu] }] } } }
volumes:
  etcd: {}
`

const pod = (name: string, args: string, more: string) => `---
apiVersion: apps/v1
kind: Deployment
metadata: { name: dynamo-sglang-${name}, namespace: default }
spec:
  replicas: ${name === 'frontend' ? 1 : 2}
  selector: { matchLabels: { app: dynamo-sglang-${name} } }
  template:
    metadata: { labels: { app: dynamo-sglang-${name} } }
    spec:
      serviceAccountName: dynamo-sglang
      # The grace period and the time to finish what runs (--grace-period-secs, --drain-timeout-secs), and a little more.
      terminationGracePeriodSeconds: 60
      containers:
        - name: ${name}
          image: dynamo-sglang
          args: [${args}]
          env:
            - { name: DYN_DISCOVERY_BACKEND, value: kubernetes }
            - { name: DYN_SYSTEM_PORT, value: "9090" }
            - { name: DYN_PLANE_SECRET, valueFrom: { secretKeyRef: { name: dynamo-sglang, key: plane-secret } } }
            - { name: POD_NAME, valueFrom: { fieldRef: { fieldPath: metadata.name } } }
            - { name: POD_UID, valueFrom: { fieldRef: { fieldPath: metadata.uid } } }
            - { name: POD_NAMESPACE, valueFrom: { fieldRef: { fieldPath: metadata.namespace } } }
            - { name: DYN_TCP_RPC_HOST, valueFrom: { fieldRef: { fieldPath: status.podIP } } }
          livenessProbe: { httpGet: { path: /live, port: 9090 } }
${more}`

export const kubernetesFile = `# A vision model with its encoder apart: a Deployment like the worker's with args [worker, --multimodal-worker, --model-path, NAME], and one with
# [worker, --multimodal-encode-worker, --model-path, NAME].
# kubectl create secret generic dynamo-sglang --from-literal=plane-secret="$(openssl rand -hex 16)"
# kubectl apply -f this-file        (all of it is for namespace 'default': replace that word for another)
${kubernetesManifest()}${pod(
  'frontend',
  'frontend',
  `          readinessProbe: { httpGet: { path: /ready, port: 9090 } }
          ports: [{ containerPort: 8000 }]
---
apiVersion: v1
kind: Service
metadata: { name: dynamo-sglang, namespace: default }
spec:
  selector: { app: dynamo-sglang-frontend }
  ports: [{ port: 8000 }]
`,
)}${pod(
  'worker',
  'worker, --model-path, Qwen/Qwen3-0.6B',
  `          readinessProbe: { httpGet: { path: /ready, port: 9090 } }
          resources: { limits: { nvidia.com/gpu: 1 } }
          volumeMounts: [{ name: shm, mountPath: /dev/shm }]
      volumes: [{ name: shm, emptyDir: { medium: Memory, sizeLimit: 10Gi } }]
`,
)}`
