// Run by tower.test.ts in a process of its own: the most memory that a picture took, in MB. Words: tower, height and width in patches.
import { readFileSync } from 'node:fs'
import { openTower } from '../../../../src/engine/vision/onnx/runtime.ts'

const [path, height, width] = [process.argv[2]!, Number(process.argv[3]), Number(process.argv[4])]
const tower = await openTower({ tower: path, device: 'cpu', threads: 1 })
const { channels, temporal, patch } = tower.facts
const rows = await tower.run(new Float32Array(height * width * channels * temporal * patch * patch).fill(0.5), { frames: 1, height, width })
if (!rows.every(Number.isFinite)) throw new Error('not a number')
console.log(Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]) / 1024)
