// Seam: how processes find each other. static, file, etcd, NATS and Kubernetes stand behind it; test/suites/discovery.suite.ts holds them all.

/**
 * `node`: a host of a model that takes no requests itself (serve/worker/node-card.ts). `media-worker`: it makes images or videos. `encode-worker`: it makes
 * rows of pictures for language workers.
 */
export type CardKind = 'worker' | 'frontend' | 'node' | 'media-worker' | 'encode-worker'

/** What one process tells the others. `body` is plain JSON; who reads it checks it (engine/remote/card.ts, engine/vision/remote/card.ts, pipeline/media/remote/card.ts). */
export interface Card {
  /** Names this life of the process: a restart gets a new one. Letters, digits, `-`. */
  readonly id: string
  readonly kind: CardKind
  /** Processes see each other only within one namespace (`dyn://namespace.…`). */
  readonly namespace: string
  readonly body: Readonly<Record<string, unknown>>
}

export type CardChange = { kind: 'added' | 'changed'; card: Card } | { kind: 'gone'; card: Card }

export interface Announcement {
  /** Replaces the body; rejects only when closed. */
  update(body: Card['body']): Promise<void>
  /** Takes the card back at once. Idempotent. */
  withdraw(): Promise<void>
}

export interface Discovery {
  /**
   * Shows a card until it is withdrawn or this process is dead: then it is gone for all watchers within 2 s.
   * Resolves once it can be seen. While the backend is away it is kept and shown again as soon as the backend is back.
   */
  announce(card: Card): Promise<Announcement>
  /**
   * Tells every card of the namespace: those there are as `added`, then each change, in order, each card at most once.
   * A backend that is away changes nothing: what is known stays until the backend says otherwise.
   * Resolves once the cards that exist were told; the returned function ends it.
   */
  watch(namespace: string, listener: (change: CardChange) => void): Promise<() => void>
  /** Withdraws what was announced here and ends every watch. Idempotent. */
  close(): Promise<void>
}
