// Our own vision encoder: where its tower lies and runs, and what it takes.
import { choice, integer, text } from '../setting.ts'

const ours = { commands: ['serve', 'worker'] as const }

export const visionSettings = {
  visionTower: text(
    'vision',
    '--vision-tower',
    'DYN_VISION_TOWER',
    undefined,
    "The tower that export-vision wrote; vision.onnx in the model's folder unless told otherwise",
    ours,
  ),
  visionDevice: choice(
    'vision',
    '--vision-device',
    'DYN_VISION_DEVICE',
    ['auto', 'cpu', 'webgpu'],
    'auto',
    'Where the tower runs; auto: WebGPU where there is a GPU, else the CPU',
    ours,
  ),
  visionThreads: integer('vision', '--vision-threads', 'DYN_VISION_THREADS', 0, 'Cores for a picture on the CPU; 0: all', {
    ...ours,
    min: 0,
  }),
  visionDtype: choice(
    'vision',
    '--vision-dtype',
    'DYN_VISION_DTYPE',
    ['auto', 'float32', 'bfloat16', 'float16'],
    'auto',
    "Type of the rows, computed in float32 and rounded once; auto: --dtype, else the language model's",
    ours,
  ),
  visionBackend: choice(
    'vision',
    '--vision-backend',
    'DYN_VISION_BACKEND',
    ['pil', 'tv_u8', 'tv_f32'],
    'tv_u8',
    "Whose resizing is followed: Pillow's, torchvision's on the CPU, torchvision's on a GPU",
    ours,
  ),
  visionMaxPatches: integer(
    'vision',
    '--vision-max-patches',
    'DYN_VISION_MAX_PATCHES',
    undefined,
    "Patches of the largest picture or clip that is encoded; absent: every picture that the model's processor allows, or what memory allows where SGLang's encoder runs on a CPU",
    { ...ours, min: 4 },
  ),
}
