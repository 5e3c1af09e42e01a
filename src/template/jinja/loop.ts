// The `loop` variable of a running for.
import { TemplateFault } from './fault.ts'
import { equal } from './values.ts'

export class Loop {
  at = 0
  readonly items: readonly unknown[]
  readonly depth: number
  private seen: unknown[] | null = null

  constructor(items: readonly unknown[], depth: number) {
    this.items = items
    this.depth = depth
  }

  /** `loop.name`; undefined for an unknown name. */
  get(name: string): unknown {
    const { at, items } = this
    switch (name) {
      case 'index':
        return at + 1
      case 'index0':
        return at
      case 'first':
        return at === 0
      case 'last':
        return at === items.length - 1
      case 'length':
        return items.length
      case 'revindex':
        return items.length - at
      case 'revindex0':
        return items.length - at - 1
      case 'previtem':
        return at > 0 ? items[at - 1] : undefined
      case 'nextitem':
        return items[at + 1]
      case 'depth':
        return this.depth
      case 'depth0':
        return this.depth - 1
      case 'cycle':
        return (args: unknown[]) => {
          if (args.length === 0) throw new TemplateFault('no items for cycling given')
          return args[at % args.length]
        }
      case 'changed':
        return (args: unknown[]) => {
          const same = this.seen !== null && equal(this.seen, args)
          this.seen = args
          return !same
        }
    }
    return undefined
  }
}
