// torch's Linux wheel links NVIDIA libraries (3 GB of wheels) that a machine without a GPU never calls. Small libraries with the same names,
// symbols and symbol versions take their place; every function in them aborts.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

interface Symbol {
  name: string
  /** Symbol version the library must define it under; '' when it has none. */
  version: string
}

/** Writes the stand-ins into `torch/lib` of a site-packages folder. Needs readelf, nm and gcc. Returns their names. */
export function slimTorch(sitePackages: string): string[] {
  const lib = join(sitePackages, 'torch/lib')
  const there = new Set(readdirSync(lib))
  const needed = new Set<string>()
  const symbols = new Map<string, Symbol>()
  for (const file of there) {
    if (!/^lib(torch|c10|caffe2).*\.so$/.test(file)) continue
    const path = join(lib, file)
    for (const [, name] of text(['readelf', '--dynamic', path]).matchAll(/NEEDED.*\[(.+?)\]/g)) {
      // The CUDA runtime is real (it is small and is called); the driver is loaded only when there is one.
      if (/^lib(cu|nccl|nv)/.test(name!) && !/^libcuda(rt)?\.so/.test(name!) && !there.has(name!)) needed.add(name!)
    }
    for (const line of text(['nm', '--dynamic', '--undefined-only', path]).split('\n')) {
      const [name = '', version = ''] = (line.trim().split(/\s+/).at(-1) ?? '').split(/@+/)
      if (name !== '') symbols.set(name, { name, version: symbols.get(name)?.version || version })
    }
  }
  for (const library of needed)
    writeStub(
      lib,
      library,
      [...symbols.values()].filter((symbol) => ownerOf(symbol.name, needed) === library),
    )
  return [...needed].sort()
}

/** The needed library whose stem (libcublasLt.so.13 → cublaslt) is the longest beginning of the symbol's name. */
export function ownerOf(symbol: string, libraries: Iterable<string>): string | undefined {
  const name = symbol.replace(/^p(?=nccl)/, '').toLowerCase()
  let best: string | undefined
  let longest = 0
  for (const library of libraries) {
    const stem = /^lib([A-Za-z]+)/.exec(library)![1]!.toLowerCase()
    if (name.startsWith(stem) && stem.length > longest) [best, longest] = [library, stem.length]
  }
  return best
}

function writeStub(folder: string, library: string, symbols: readonly Symbol[]): void {
  const work = mkdtempSync(join(tmpdir(), 'slim-'))
  try {
    const source = join(work, 'stub.c')
    writeFileSync(source, `#include <stdlib.h>\n${symbols.map(({ name }) => `void ${name}(void) { abort(); }`).join('\n')}\n`)
    const versions = Map.groupBy(
      symbols.filter(({ version }) => version !== ''),
      ({ version }) => version,
    )
    const script = join(work, 'versions')
    writeFileSync(
      script,
      [...versions].map(([version, own]) => `${version} { global: ${own.map(({ name }) => `${name};`).join(' ')} };\n`).join(''),
    )
    const link = versions.size === 0 ? [] : [`-Wl,--version-script=${script}`]
    text(['gcc', '-shared', '-fPIC', '-w', `-Wl,-soname,${library}`, ...link, '-o', join(folder, library), source])
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

function text(command: string[]): string {
  const result = Bun.spawnSync(command)
  if (!result.success) throw new Error(`${command.slice(0, 2).join(' ')} failed: ${result.stderr}`)
  return result.stdout.toString()
}
