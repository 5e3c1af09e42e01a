// The first node of a model on several hosts: the engine as it is, whose events may also come from elsewhere, so that the ranks of all nodes
// look like those of one engine.
import type { Engine } from '../../engine.ts'
import type { Embedding, EmbedRequest, EngineEvent, EngineInfo, GenerateRequest, Sink } from '../../types.ts'

export interface LeadingEngine extends Engine {
  /** To all who listen, as if the engine had said it. */
  tell(event: EngineEvent): void
}

/** `engine` itself is not changed; from now on only the result is used. */
export function leadingEngine(engine: Engine): LeadingEngine {
  return new Leading(engine)
}

export function isLeading(engine: Engine): engine is LeadingEngine {
  return engine instanceof Leading
}

class Leading implements LeadingEngine {
  private readonly engine: Engine
  private readonly listeners = new Set<(event: EngineEvent) => void>()

  constructor(engine: Engine) {
    this.engine = engine
  }

  get info(): EngineInfo {
    return this.engine.info
  }

  get ready(): boolean {
    return this.engine.ready
  }

  tell(event: EngineEvent): void {
    for (const listener of this.listeners) listener(event)
  }

  on(listener: (event: EngineEvent) => void): () => void {
    const off = this.engine.on(listener)
    this.listeners.add(listener)
    return () => {
      this.listeners.delete(listener)
      off()
    }
  }

  start(): Promise<EngineInfo> {
    return this.engine.start()
  }

  generate(request: GenerateRequest, sink: Sink, signal: AbortSignal): Promise<void> {
    return this.engine.generate(request, sink, signal)
  }

  embed(request: EmbedRequest, signal: AbortSignal): Promise<Embedding> {
    return this.engine.embed(request, signal)
  }

  control(name: string, args: Record<string, unknown>): Promise<unknown> {
    return this.engine.control(name, args)
  }

  metrics(): Promise<string> {
    return this.engine.metrics()
  }

  inFlight(): number {
    return this.engine.inFlight()
  }

  stop(deadlineMs: number): Promise<void> {
    return this.engine.stop(deadlineMs)
  }
}
