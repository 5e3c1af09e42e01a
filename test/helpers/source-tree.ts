// Reads src/ for the architecture test: its files, their imports, and the map in src/README.md.
import { readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'

export const srcFolder = join(import.meta.dir, '../../src')

export interface SourceFile {
  /** Below src/, such as `engine/engine.ts`. */
  path: string
  lines: string[]
  /** Paths below src/ that it imports; imports of packages and of files outside src/ are left out. */
  imports: string[]
  /** Every relative import as written. */
  written: string[]
}

/** All files of src/ but the map itself, by path. */
export function sourceFiles(): SourceFile[] {
  const paths = [...new Bun.Glob('**/*').scanSync({ cwd: srcFolder, onlyFiles: true })]
  return paths
    .filter((path) => path !== 'README.md' && !path.includes('__pycache__'))
    .sort()
    .map((path) => {
      const text = readFileSync(join(srcFolder, path), 'utf8')
      const written = path.endsWith('.ts') ? relativeImports(text) : []
      const imports = written.map((target) => normalize(join(dirname(path), target))).filter((target) => !target.startsWith('..'))
      return { path, lines: text.replace(/\n$/, '').split('\n'), imports, written }
    })
}

function relativeImports(text: string): string[] {
  const code = text.replace(/^\s*(\/\/|\*|\/\*).*$/gm, '')
  const found = [...code.matchAll(/(?:from\s+|import\s+|import\(\s*)['"](\.[^'"]+)['"]/g)]
  return found.map((match) => match[1]!)
}

/** The top-level folder of a path; a file directly in src/ is its own. */
export const folderOf = (path: string): string => (path.includes('/') ? path.slice(0, path.indexOf('/')) : path.replace(/\.ts$/, ''))

export interface MapLine {
  path: string
  isPublic: boolean
  about: string
}

/** The tree in src/README.md: two spaces a level, folders end in `/`, `*` before a name marks it public. */
export function readMap(text: string): MapLine[] {
  const block = /```tree\n([\s\S]*?)```/.exec(text)?.[1] ?? ''
  const folders: string[] = []
  const lines: MapLine[] = []
  for (const line of block.split('\n')) {
    const match = /^( *)(\*?)([\w./-]+)(?:\s{2,}(.*))?$/.exec(line)
    if (!match) continue
    const [, indent = '', star, name = '', about = ''] = match
    folders.length = indent.length / 2
    if (name.endsWith('/')) folders.push(name.slice(0, -1))
    else lines.push({ path: [...folders, name].join('/'), isPublic: star === '*', about })
  }
  return lines
}
