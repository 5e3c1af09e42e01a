// Seeded random weights for the tiny diffusion models, layer by layer in the words of PyTorch.
import { normal } from '../random.ts'
import { safetensors, type Tensor } from '../safetensors.ts'

/** Adds layers to one weights file. `name` is a module's path, as `encoder.conv_in`. */
export interface Layers {
  /** [outputs, inputs] and a bias of zeros unless there is none. */
  linear(name: string, outputs: number, inputs: number, bias?: boolean): void
  /** `kernel`: its size along each axis. */
  conv(name: string, outputs: number, inputs: number, kernel: number[]): void
  /** LayerNorm or GroupNorm; without a bias RMSNorm. */
  norm(name: string, size: number, bias?: boolean): void
  embedding(name: string, rows: number, size: number): void
  /** A parameter that is no layer. */
  table(name: string, shape: number[]): void
  /** Wan's RMSNorm over channels: `gamma` of ones. */
  gamma(name: string, shape: number[]): void
}

/**
 * One safetensors file. Matrices and kernels come from N(0, 1/inputs), so that what goes through a layer keeps its size and the pictures of the random
 * model have contrast.
 */
export function weights(seed: number, build: (layers: Layers) => void): Uint8Array {
  const tensors: Tensor[] = []
  const next = normal(seed, 1)
  const add = (name: string, shape: number[], value: () => number) => {
    const size = shape.reduce((product, side) => product * side, 1)
    tensors.push({ name, shape, values: Float32Array.from({ length: size }, value) })
  }
  const zero = () => 0
  const one = () => 1
  const random = (inputs: number) => () => next() / Math.sqrt(inputs)
  build({
    linear(name, outputs, inputs, bias = true) {
      add(`${name}.weight`, [outputs, inputs], random(inputs))
      if (bias) add(`${name}.bias`, [outputs], zero)
    },
    conv(name, outputs, inputs, kernel) {
      const fan = kernel.reduce((product, side) => product * side, inputs)
      add(`${name}.weight`, [outputs, inputs, ...kernel], random(fan))
      add(`${name}.bias`, [outputs], zero)
    },
    norm(name, size, bias = true) {
      add(`${name}.weight`, [size], one)
      if (bias) add(`${name}.bias`, [size], zero)
    },
    embedding: (name, rows, size) => add(`${name}.weight`, [rows, size], random(1)),
    table: (name, shape) => add(name, shape, random(shape.at(-1)!)),
    gamma: (name, shape) => add(`${name}.gamma`, shape, one),
  })
  return safetensors(tensors)
}
