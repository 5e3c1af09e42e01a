// Public: the thread of a crew; main.ts runs it where it is not the main thread.
import { type CrewAnswer, type CrewJob, doRows } from './job.ts'

declare const self: { onmessage: ((event: { data: CrewJob }) => void) | null; postMessage(answer: CrewAnswer): void }

export function work(): void {
  self.onmessage = ({ data }) => {
    try {
      doRows(data)
      self.postMessage({ kind: 'done', id: data.id })
    } catch (thrown) {
      self.postMessage({ kind: 'failed', id: data.id, message: (thrown as Error).message })
    }
  }
  self.postMessage({ kind: 'ready' })
}
