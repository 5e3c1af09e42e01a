// Strings whose characters lie together in memory of their own. JavaScriptCore's slices keep their parent, and sums of strings keep their
// parts until somebody reads them: a sum of sums goes over all parts again each time.

const wide = /[^\0-\xff]/

/** A copy of `text` that refers to no other string: for what is kept long, or written often. */
export function flat(text: string): string {
  const encoding = wide.test(text) ? 'utf16le' : 'latin1'
  return Buffer.from(text, encoding).toString(encoding)
}
