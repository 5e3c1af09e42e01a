// A card as a Lease object: the card in an annotation, its sign of life the renew time. One kind of object, one right to give.
import { createHash } from 'node:crypto'
import { AppError } from '../../lib/errors.ts'
import type { Card } from '../discovery.ts'
import { readCard } from '../kept-discovery.ts'
import type { KubernetesOptions } from '../options.ts'
import type { Lease } from './client.ts'

const annotation = 'dynamo-sglang/card'
const label = 'dynamo-sglang/namespace'
/** Kubernetes allows 256 KiB of annotations together. */
const cardBytes = 250_000

const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32)

/** Names and labels of Kubernetes take few characters: a hash fits always, the card has the real names. */
export const leaseName = (card: Card): string => `dynamo-sglang-${hash(JSON.stringify([card.namespace, card.id]))}`
export const selectorOf = (namespace: string): string => `${label}=${hash(namespace)}`

/** Microseconds are the form that Kubernetes asks for; the digits after the third are ours to choose. */
export const renewTime = (): string => new Date().toISOString().replace('Z', '000Z')

/** Throws AppError `invalid_value` for a card that is too large. */
export function leaseOf(card: Card, { podName, podUid }: Pick<KubernetesOptions, 'podName' | 'podUid'>) {
  const text = JSON.stringify(card)
  const bytes = Buffer.byteLength(text)
  if (bytes > cardBytes)
    throw new AppError('invalid_value', {
      message: `The card ${card.id} has ${bytes} bytes; Kubernetes takes ${cardBytes} in an annotation.`,
    })
  const owner = { apiVersion: 'v1', kind: 'Pod', name: podName, uid: podUid }
  const owned = podName !== undefined && podUid !== undefined
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      name: leaseName(card),
      labels: { 'app.kubernetes.io/managed-by': 'dynamo-sglang', [label]: hash(card.namespace) },
      annotations: { [annotation]: text },
      ...(owned ? { ownerReferences: [owner] } : {}),
    },
    spec: { holderIdentity: podName ?? card.id, leaseDurationSeconds: 2, renewTime: renewTime() },
  }
}

/** Undefined when it holds no card of that namespace. */
export function cardOf(lease: Lease, namespace: string): Card | undefined {
  try {
    const card = readCard(JSON.parse(lease.metadata.annotations?.[annotation] ?? ''))
    return card?.namespace === namespace ? card : undefined
  } catch {
    return undefined // Not JSON: the caller says so.
  }
}
