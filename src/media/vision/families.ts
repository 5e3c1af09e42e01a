// Families of vision models that pictures are prepared for: a new one is a file in families/ and a line here.

import { gemma3Family } from './families/gemma3.ts'
import { internVlFamily } from './families/internvl.ts'
import { llama4Family } from './families/llama4.ts'
import { llavaFamilies } from './families/llava.ts'
import { qwenFamilies } from './families/qwen.ts'
import type { Family } from './family.ts'

export const families: readonly Family[] = [...qwenFamilies, ...llavaFamilies, gemma3Family, internVlFamily, llama4Family]

export function familyOf(modelType: string): Family | undefined {
  return families.find((family) => family.modelTypes.includes(modelType))
}
