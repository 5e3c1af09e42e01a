// Pieces of the OpenAPI document: error answers by status, bodies by schema.
import { z } from 'zod'
import { errorCodes } from '../../lib/errors.ts'

/** The error answers of these statuses, with the codes that they can have. */
export function errors(statuses: readonly number[]): Record<string, object> {
  const all: Record<string, object> = {}
  for (const status of new Set(statuses)) {
    const codes = Object.entries(errorCodes).filter(([, [own, type]]) => own === status && type !== 'startup_error')
    if (codes.length === 0) continue
    all[status] = {
      description: codes.map(([code]) => code).join(', '),
      content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
    }
  }
  return all
}

export function jsonOf(schema: z.ZodType): { content: Record<string, object> } {
  return { content: { 'application/json': { schema: schemaOf(schema, 'output') } } }
}

export function schemaOf(schema: z.ZodType, io: 'input' | 'output'): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' })
  return rest
}
