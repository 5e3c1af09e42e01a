// Unicode classes as HF tokenizers has them (Unicode 16 in its regex engine), written for JavaScript's `v` flag. JavaScriptCore's tables
// are newer: what they added since is taken out here. test/tokenizer/unicode.test.ts compares every code point with the native ones.

/** Code points that JavaScriptCore knows and the native tables do not (Unicode 17). */
const newer =
  '88f c5c cdc 1acf-1add 1ae0-1aeb 20c1 2b96 a7ce-a7cf a7d2 a7d4 a7f1 fbc3-fbd2 fd90-fd91 fdc8-fdce 10940-10959 10ec5-10ec7 10ed0-10ed8 ' +
  '10efa-10efb 11b60-11b67 11db0-11ddb 11de0-11de9 16ea0-16eb8 16ebb-16ed3 16ff2-16ff6 187f8-187ff 18d09-18d1e 18d80-18df2 1ccfa-1ccfc ' +
  '1ceba-1ced0 1cee0-1cef0 1e6c0-1e6de 1e6e0-1e6f5 1e6fe-1e6ff 1f6d8 1f777-1f77a 1f8d0-1f8d8 1fa54-1fa57 1fa8a 1fa8e 1fac8 1facd 1faea ' +
  '1faef 1fbfa 2b73a-2b73f 2cea2-2cead 323b0-33479'

/** Code points whose composition or order the native NFC (older tables) does not know, and what such compositions begin with. */
const nfcNewer =
  '7fd 897-89f 8ca-8d3 9fe c3c d3b-d3c eba 1715 1abf-1add 1ae0-1aeb 1df6-1dfa a82c 105c9 105d2 105da 105e4 10d24-10d27 ' +
  '10d69-10d6d 10eab-10eac 10efa-10efb 10efd-10eff 10f46-10f50 10f82-10f85 11070 1133b 11382-11385 1138b 1138e 11390-11391 113c2 ' +
  '113c5 113c7-113c8 113ce-113d0 1145e 11839-1183a 11935 11938 1193d-1193e 11943 119e0 11a34 11a47 11a99 11d42 11d44-11d45 11d97 ' +
  '11f41-11f42 1611e 16121-16129 1612f 16d63 16d67-16d6a 16ff0-16ff1 1e08f 1e130-1e136 1e2ae 1e2ec-1e2ef 1e4ec-1e4ef 1e5ee-1e5ef ' +
  '1e6e3 1e6e6 1e6ee-1e6ef 1e6f5'

const ranges = (list: string) => list.replace(/[0-9a-f]+/g, (hex) => `\\u{${hex}}`).replaceAll(' ', '')

/** White space as Rust and Oniguruma have it: with U+0085, without U+FEFF. */
export const space = '[\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]'

/** The class for one general category, to stand alone or inside another class of a `v` pattern. */
export function category(name: string): string {
  const without = name === 'Lo' ? `[${ranges(newer)}\\u0295]` : `[${ranges(newer)}]`
  const known = `[\\p{${name}}--${without}]`
  return name === 'Ll' ? `[${known}\\u0295]` : known // U+0295 moved from Ll to Lo
}

const beyondNfc = new RegExp(`([${ranges(nfcNewer)}])`, 'v')
const maybeUnstable = /[^\0-\u02ff]/

/** NFC as the native normalizer gives it: to its tables the newer code points are strangers that nothing joins or passes. */
export function nfc(text: string): string {
  if (!maybeUnstable.test(text)) return text // everything below U+0300 is its own NFC
  if (!beyondNfc.test(text)) return text.normalize('NFC')
  return text
    .split(beyondNfc)
    .map((part) => part.normalize('NFC'))
    .join('')
}
