// Holds our rendering of a folder of chat templates against what make_expected.py wrote there: `bun models/templates/compare.ts FOLDER [-v]`.
// The tests use it on this folder; anyone can point it at the templates of real models.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeChatTemplate } from '../../src/template/render.ts'
import type { TemplateInput } from '../../src/template/template.ts'

interface Case {
  name: string
  messages: Record<string, unknown>[]
  useTools?: boolean
  addGenerationPrompt?: boolean
  continueFinalMessage?: boolean
  variables?: Record<string, unknown>
}

export type Row = { name: string; text?: string; error?: string }

const given = JSON.parse(readFileSync(join(import.meta.dir, 'cases.json'), 'utf8')) as { tools: unknown[]; cases: Case[] }
const specialTokens = { bos_token: '<s>', eos_token: '</s>', unk_token: '<unk>', pad_token: '<pad>' }
/** The moment at which make_expected.py stops the clock. */
const now = () => new Date(2026, 10, 21, 9, 5, 7)

/** Our rows for one template, in the form of expected/NAME.json. `shape: false` renders the messages exactly as given. */
export function renderCases(source: string): Row[] {
  let template: ReturnType<typeof makeChatTemplate>
  try {
    template = makeChatTemplate({ templates: { default: source }, specialTokens, now, exact: true })
  } catch (error) {
    return given.cases.map(({ name }) => ({ name, error: String(error) }))
  }
  return given.cases.map((one) => {
    const input: TemplateInput = {
      messages: one.messages,
      tools: one.useTools ? given.tools : undefined,
      addGenerationPrompt: one.addGenerationPrompt ?? true,
      continueFinalMessage: one.continueFinalMessage ?? false,
      variables: one.variables ?? {},
    }
    try {
      return { name: one.name, text: template.render(input) }
    } catch (error) {
      return { name: one.name, error: String(error) }
    }
  })
}

/** Names of the templates of a folder that have expected renderings. */
export function templateNames(folder: string): string[] {
  const names = readdirSync(folder).flatMap((file) => (file.endsWith('.jinja') ? [file.slice(0, -6)] : []))
  return names.filter((name) => existsSync(join(folder, 'expected', `${name}.json`))).sort()
}

export function readTemplate(folder: string, name: string): { source: string; expected: Row[] } {
  const source = readFileSync(join(folder, `${name}.jinja`), 'utf8')
  return { source, expected: JSON.parse(readFileSync(join(folder, 'expected', `${name}.json`), 'utf8')) }
}

function main(folder: string, verbose: boolean): void {
  let [same, refused, different] = [0, 0, 0]
  for (const name of templateNames(folder)) {
    const { source, expected } = readTemplate(folder, name)
    for (const [i, row] of renderCases(source).entries()) {
      const wanted = expected[i]!
      if (wanted.error !== undefined && row.error !== undefined) refused++
      else if (wanted.text !== undefined && wanted.text === row.text) same++
      else {
        different++
        console.log(`${name} ${row.name}: ${row.error ?? 'text differs'}${wanted.error ? ` (transformers: ${wanted.error})` : ''}`)
        if (verbose && row.text !== undefined) console.log(JSON.stringify(row.text), JSON.stringify(wanted.text), '', '\n')
      }
      if (verbose && wanted.error !== undefined && row.error !== undefined)
        console.log(`${name} ${row.name} both refuse: ${row.error} | ${wanted.error}`)
    }
  }
  console.log(`${same} equal, ${refused} refused by both, ${different} different`)
  if (different > 0) process.exitCode = 1
}

if (import.meta.main) main(process.argv[2] ?? import.meta.dir, process.argv.includes('-v'))
