// `bun test/helpers/write-map.ts`: brings the tree in src/README.md up to date. Lines that are there stay as they are; a new file gets its own
// first comment, a vanished one goes. Making a file public is a decision: `--mark` marks all that other folders import now, and unmarks the rest.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { folderOf, inMap, type MapLine, readMap, type SourceFile, sourceFiles, srcFolder } from './source-tree.ts'

const path = join(srcFolder, 'README.md')
const text = readFileSync(path, 'utf8')
const known = new Map(readMap(text).map((line) => [line.path, line]))
const files = sourceFiles()
const used = new Set(
  files.flatMap((file) => file.imports.filter((target) => folderOf(target) !== folderOf(file.path) && folderOf(target) !== 'lib')),
)
const lines = files.filter(inMap).map((file): MapLine => {
  const line = known.get(file.path) ?? { path: file.path, isPublic: false, about: firstSentence(file) }
  return process.argv.includes('--mark') ? { ...line, isPublic: used.has(file.path) } : line
})
writeFileSync(
  path,
  text.replace(/```tree\n[\s\S]*?```/, () => `\`\`\`tree\n${draw(lines)}\`\`\``),
)

/** Of the file's first comment, which may run over several lines. */
function firstSentence(file: SourceFile): string {
  const mark = /^(\/\/|#|"""|--|;;)\s*/
  const opening = file.lines[0]!.match(mark)?.[1]
  const rest = file.lines.slice(1).findIndex((line) => (opening === '"""' ? line === '' || line.startsWith('"""') : !mark.test(line)))
  const comment = (rest < 0 ? file.lines : file.lines.slice(0, rest + 1)).map((line) => line.replace(mark, '').replace(/"""$/, ''))
  const text = comment.join(' ')
  const sentence = /^.*?[.;](?=\s|$)/.exec(text)?.[0] ?? text
  return sentence.replace(/[.;]$/, '')
}

function draw(all: readonly MapLine[]): string {
  let out = ''
  let open: string[] = []
  for (const { path: file, isPublic, about } of inOrder(all)) {
    const folders = file.split('/').slice(0, -1)
    let common = 0
    while (common < folders.length && folders[common] === open[common]) common++
    for (let i = common; i < folders.length; i++) out += `${'  '.repeat(i)}${folders[i]}/\n`
    open = folders
    const name = `${'  '.repeat(folders.length)}${isPublic ? '*' : ''}${file.split('/').at(-1)}`
    out += `${name.padEnd(28)}  ${about}\n`
  }
  return out
}

/** Files of a folder before its sub-folders, the entry first. */
function inOrder(all: readonly MapLine[]): MapLine[] {
  const key = (line: MapLine): string => {
    const parts = line.path.split('/')
    return parts.map((part, i) => (i === parts.length - 1 ? ` ${part}` : part)).join('/')
  }
  return [...all].sort((a, b) => (key(a) < key(b) ? -1 : 1))
}
