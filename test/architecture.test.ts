// The house rules that a machine can check: import order, seams, cycles, file sizes, the map, and who may read the environment.
import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { folderOf, inMap, readMap, sourceFiles, srcFolder } from './helpers/source-tree.ts'

/** A folder may import a lower rank, never its own rank or a higher one. */
const ranks: Record<string, number> = {
  main: 10,
  cli: 9,
  serve: 8,
  openai: 7,
  anthropic: 7,
  pipeline: 6,
  router: 5,
  engine: 4,
  discovery: 3,
  media: 3,
  parsers: 2,
  template: 2,
  tokenizer: 2,
  transport: 2,
  kernels: 2,
  gpu: 1,
  lib: 0,
  // Not part of the product: it only makes the executable, and is imported by nobody.
  build: 0,
}

/** After the settings are parsed nothing reads the environment but these, which run before or without them. */
const mayReadEnv = ['build/', 'cli/cli.ts', 'cli/doctor/doctor.ts', 'cli/failure.ts', 'lib/native.ts']

const files = sourceFiles()
const map = readMap(readFileSync(join(srcFolder, 'README.md'), 'utf8'))
const code = files.filter((file) => file.path.endsWith('.ts'))

test('every folder has a rank', () => {
  expect([...new Set(files.map((file) => folderOf(file.path)))].filter((folder) => ranks[folder] === undefined)).toEqual([])
})

test('imports across folders go to lower ranks only', () => {
  const wrong = code.flatMap((file) =>
    file.imports
      .filter((target) => folderOf(target) !== folderOf(file.path) && ranks[folderOf(target)]! >= ranks[folderOf(file.path)]!)
      .map((target) => `${file.path} → ${target}`),
  )
  expect(wrong).toEqual([])
})

test('imports across folders go to public files only (src/README.md marks them with *; of a kernel its call, its twin, its numbers)', () => {
  const open = new Set(map.filter((line) => line.isPublic || folderOf(line.path) === 'lib').map((line) => line.path))
  for (const { path } of files) if (/^kernels\/(perform|spare|[\w-]+\/(kernel|reference|factors|levels))\.ts$/.test(path)) open.add(path)
  const wrong = code.flatMap((file) =>
    file.imports
      .filter((target) => folderOf(target) !== folderOf(file.path) && !open.has(target))
      .map((target) => `${file.path} → ${target}`),
  )
  expect(wrong).toEqual([])
})

test('a file marked public is imported from another folder', () => {
  const used = new Set(code.flatMap((file) => file.imports.filter((target) => folderOf(target) !== folderOf(file.path))))
  expect(map.filter((line) => line.isPublic && !used.has(line.path)).map((line) => line.path)).toEqual([])
})

test('there is no import cycle', () => {
  const imports = new Map(code.map((file) => [file.path, file.imports]))
  const done = new Set<string>()
  const cycles: string[] = []
  const visit = (path: string, trail: string[]): void => {
    if (trail.includes(path)) {
      cycles.push([...trail.slice(trail.indexOf(path)), path].join(' → '))
      return
    }
    if (done.has(path)) return
    for (const target of imports.get(path) ?? []) visit(target, [...trail, path])
    done.add(path)
  }
  for (const path of imports.keys()) visit(path, [])
  expect(cycles).toEqual([])
})

test('relative imports name a file that exists, with its extension', () => {
  const known = new Set(files.map((file) => file.path))
  const wrong = code.flatMap((file) => [
    ...file.imports.filter((target) => !known.has(target)).map((target) => `${file.path} → ${target}`),
    ...file.written.filter((target) => !/\.\w+$/.test(target)).map((target) => `${file.path} → ${target}`),
  ])
  expect(wrong).toEqual([])
})

test('no barrels', () => {
  expect(code.filter((file) => file.lines.some((line) => /^export (\*|\{[^}]*\}) from/.test(line))).map((file) => file.path)).toEqual([])
})

test('every file says first what it is for', () => {
  const silent = files.filter((file) => /\.(ts|py|wgsl)$/.test(file.path) && !/^(\/\/|#|""")/.test(file.lines[0]!))
  expect(silent.map((file) => file.path)).toEqual([])
})

test('only a few files read the environment', () => {
  const readers = code.filter((file) => file.lines.some((line) => /\b(process|Bun|import\.meta)\.env\b/.test(line.replace(/\/\/.*/, ''))))
  const wrong = readers.map((file) => file.path).filter((path) => !mayReadEnv.some((allowed) => path.startsWith(allowed)))
  expect(wrong).toEqual([])
})

test('no file reaches 300 lines', () => {
  const root = join(srcFolder, '..')
  const paths = [...new Bun.Glob('{src,test,models,kernels}/**/*.{ts,py}').scanSync({ cwd: root })]
  const long = paths.filter((path) => readFileSync(join(root, path), 'utf8').trimEnd().split('\n').length >= 300)
  expect(long).toEqual([])
})

describe('src/README.md', () => {
  test('lists exactly the files there are (bun test/helpers/write-map.ts brings it up to date)', () => {
    expect(map.map((line) => line.path).sort()).toEqual(files.filter(inMap).map((file) => file.path))
  })

  test('says something about each', () => {
    expect(map.filter((line) => line.about.length < 8).map((line) => line.path)).toEqual([])
  })
})

test('every kernel has its shader, its twin, its call, and a row in kernels/README.md', () => {
  const readme = readFileSync(join(srcFolder, '../kernels/README.md'), 'utf8')
  const paths = new Set(files.map((file) => file.path))
  const kernels = new Set([...paths].filter((path) => /^kernels\/.+\//.test(path)).map((path) => path.split('/')[1]!))
  const missing = [...kernels].flatMap((name) => [
    ...[`${name}.wgsl`, 'reference.ts', 'kernel.ts'].map((file) => `kernels/${name}/${file}`).filter((path) => !paths.has(path)),
    ...(readme.includes(`| \`${name}\` |`) ? [] : [`${name} in kernels/README.md`]),
  ])
  expect(missing).toEqual([])
})
