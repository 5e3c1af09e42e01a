// Colour factors of latents: rgb (in [-1, 1]) is close to latents × factors + bias.
// The numbers are those of stable-diffusion.cpp (MIT, latent-preview.h), which its authors fitted from scratch on pictures and clips of their own.
// They belong to latents as the denoiser has them (normalised), so nothing is scaled back here.

export interface Factors {
  /** For each channel: what one unit adds to R, G and B. */
  factors: readonly (readonly [number, number, number])[]
  bias: readonly [number, number, number]
}

export const factorsOf = {
  flux: {
    factors: [
      [-0.041168, 0.019917, 0.097253],
      [0.028096, 0.02673, 0.129576],
      [0.065618, -0.06795, -0.014651],
      [-0.012998, -0.014762, 0.081251],
      [0.078567, 0.059296, -0.024687],
      [-0.015987, -0.003697, 0.005012],
      [0.033605, 0.138999, 0.068517],
      [-0.02445, -0.063567, -0.030101],
      [-0.040194, -0.01671, 0.127185],
      [0.112681, 0.088764, -0.04194],
      [-0.023498, 0.093664, 0.025543],
      [0.082899, 0.04832, 0.007491],
      [0.075712, 0.074139, 0.081965],
      [-0.143501, 0.018263, -0.136138],
      [-0.025767, -0.082035, -0.040023],
      [-0.111849, -0.055589, -0.032361],
    ],
    bias: [0.0246, -0.006937, -0.008089],
  },
  wan21: {
    factors: [
      [0.015123, -0.148418, 0.479828],
      [0.003652, -0.01068, -0.037142],
      [0.212264, 0.063033, 0.016779],
      [0.232999, 0.406476, 0.220125],
      [-0.051864, -0.082384, -0.069396],
      [0.085005, -0.161492, 0.010689],
      [-0.245369, -0.506846, -0.11701],
      [-0.151145, 0.017721, 0.007207],
      [-0.293239, -0.207936, -0.421135],
      [-0.187721, 0.050783, 0.177649],
      [-0.013067, 0.265964, 0.166578],
      [0.028327, 0.109329, 0.108642],
      [-0.205343, 0.043991, 0.148914],
      [0.014307, -0.048647, -0.007219],
      [0.21715, 0.053074, 0.319923],
      [0.155357, 0.083156, 0.06478],
    ],
    bias: [-0.27027, -0.234976, -0.456853],
  },
} as const satisfies Record<string, Factors>

export type LatentFamily = keyof typeof factorsOf
