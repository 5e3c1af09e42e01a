// Built by build.test.ts into an executable.
import { openTower } from '../../src/engine/vision/onnx/runtime.ts'

const tower = await openTower({ tower: process.argv[2]!, device: 'cpu', threads: 1 })
const { channels, temporal, patch, merge } = tower.facts
const pixels = new Float32Array(merge * merge * channels * temporal * patch * patch).fill(0.5)
const row = await tower.run(pixels, { frames: 1, height: merge, width: merge })
console.log(tower.runtime, row.length, row.every(Number.isFinite))
