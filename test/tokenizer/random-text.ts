// Random texts that hit what tokenizers disagree about: borders of words, white space, digits, contractions, marks, specials, broken UTF-16.
import { uniform } from '../../models/random.ts'

const words =
  "the story of a small model answer Hello WORLD don't we've IT'S I'll x camelCase HTTPServer naïve Straße İstanbul ſ'ſ ǅ ʕ über".split(' ')
const cjk = '日本語の文章です。中文测试，你好！한국어 조선말 ー々〆 ㌀ ９８７'
const marks = ['\u0301', '\u0323', '\u3099', '\u200d', '\ufe0f', '\u0958', 'क्षि', 'ไทย', 'مَرحبا', 'שָׁלוֹם', '\u1100\u1161\u11a8']
const symbols = '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~«»—…€£™°²½Ⅷ①'
const spaces = [
  ' ',
  '  ',
  '\n',
  '\n\n',
  '\r\n',
  '\t',
  ' \n ',
  '\u00a0',
  '\u3000',
  '\u2028',
  '\u0085',
  '\ufeff',
  '\u200b',
  '   \n\n  ',
  '\u000b',
]
const emoji = ['😀', '👩‍👩‍👧', '🇫🇷', '❤️', '🧑🏽‍🚀', '𝔘𝔫𝔦', '𠮷']
const odd = ['\0', '\x1b', '\ud800', '\udc00', '\uffff', '\ufffd', '▁', '▁▁', '<0x41>', '\u{10ffff}']
const specials = [
  '<|im_start|>',
  '<|im_end|>',
  '<think>',
  '</think>',
  '<s>',
  '</s>',
  '<unk>',
  '<|im_',
  '<mask>',
  '[X]',
  '<|im_start|>user',
  'é~',
  'e\u0301~',
  '日本',
]

export type RandomText = (parts: number) => string

/** A generator of texts of about `parts` pieces. */
export function randomText(seed: number): RandomText {
  const next = uniform(seed)
  const below = (n: number) => Math.floor(next() * n)
  const pick = <T>(list: ArrayLike<T>): T => list[below(list.length)]!
  const makers: (() => string)[] = [
    () => pick(words),
    () => ` ${pick(words)}`,
    () => ` ${pick(words)}`,
    () => pick(cjk),
    () => pick(marks),
    () => pick(symbols),
    () => pick(spaces),
    () => pick(emoji),
    () => pick(odd),
    () => pick(specials),
    () => String(below(10 ** (1 + below(9)))),
    () => pick(symbols).repeat(1 + below(6)),
    () => ' '.repeat(1 + below(9)),
    () => String.fromCodePoint(below(0x250)),
    () => String.fromCodePoint(0x250 + below(0xd000)),
    () => String.fromCodePoint(0xe000 + below(0x12000)),
  ]
  return (parts) => {
    // A text favours some kinds, so that runs of one kind come up as well.
    const favoured = [pick(makers), pick(makers)]
    let text = ''
    for (let i = 0; i < parts; i++) text += (next() < 0.4 ? pick(favoured) : pick(makers))()
    return text
  }
}
