// Bundled by build.test.ts.
import { Tokenizer } from 'tokenizers'

console.log(typeof Tokenizer)
