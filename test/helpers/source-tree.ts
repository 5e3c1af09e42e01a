// Reads src/ and kernels/ for the architecture test: their files, their imports, and the map in src/README.md.
import { readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'

const root = join(import.meta.dir, '../..')
export const srcFolder = join(root, 'src')

export interface SourceFile {
  /** Below src/, such as `engine/engine.ts`; of a kernel from the root, such as `kernels/resize/kernel.ts`. */
  path: string
  lines: string[]
  /** Paths of the same form that it imports; imports of packages and of files elsewhere are left out. */
  imports: string[]
  /** Every relative import as written. */
  written: string[]
}

/** All files of src/ and kernels/ but their READMEs, by path. */
export function sourceFiles(): SourceFile[] {
  const paths = [...new Bun.Glob('{src,kernels}/**/*').scanSync({ cwd: root, onlyFiles: true })]
  return paths
    .filter((path) => !/^(src|kernels)\/README\.md$/.test(path) && !path.includes('__pycache__'))
    .map((path) => {
      const text = readFileSync(join(root, path), 'utf8')
      const written = path.endsWith('.ts') ? relativeImports(text) : []
      const targets = written.map((target) => normalize(join(dirname(path), target))).filter((target) => /^(src|kernels)\//.test(target))
      return { path: named(path), imports: targets.map(named), lines: text.replace(/\n$/, '').split('\n'), written }
    })
    .sort((a, b) => (a.path < b.path ? -1 : 1))
}

const named = (path: string): string => path.replace(/^src\//, '')

/** Files that src/README.md lists; kernels/ has a README of its own. */
export const inMap = (file: SourceFile): boolean => !file.path.startsWith('kernels/')

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
