// datetime.strftime in the C locale and local time, for templates that print today's date.

const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const months = 'January February March April May June July August September October November December'.split(' ')

const two = (value: number) => String(value).padStart(2, '0')
const hour12 = (date: Date) => date.getHours() % 12 || 12
const yearDay = (date: Date) =>
  Math.round((Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) - Date.UTC(date.getFullYear(), 0, 1)) / 86_400_000) + 1

const fields: Record<string, (date: Date) => string> = {
  a: (d) => days[d.getDay()]!.slice(0, 3),
  A: (d) => days[d.getDay()]!,
  b: (d) => months[d.getMonth()]!.slice(0, 3),
  B: (d) => months[d.getMonth()]!,
  d: (d) => two(d.getDate()),
  e: (d) => String(d.getDate()).padStart(2, ' '),
  H: (d) => two(d.getHours()),
  I: (d) => two(hour12(d)),
  j: (d) => String(yearDay(d)).padStart(3, '0'),
  m: (d) => two(d.getMonth() + 1),
  M: (d) => two(d.getMinutes()),
  p: (d) => (d.getHours() < 12 ? 'AM' : 'PM'),
  S: (d) => two(d.getSeconds()),
  f: (d) => String(d.getMilliseconds() * 1000).padStart(6, '0'),
  u: (d) => String(d.getDay() || 7),
  w: (d) => String(d.getDay()),
  y: (d) => two(d.getFullYear() % 100),
  Y: (d) => String(d.getFullYear()),
  F: (d) => `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`,
  T: (d) => `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`,
  D: (d) => `${two(d.getMonth() + 1)}/${two(d.getDate())}/${two(d.getFullYear() % 100)}`,
  R: (d) => `${two(d.getHours())}:${two(d.getMinutes())}`,
  z: () => '',
  Z: () => '',
  n: () => '\n',
  t: () => '\t',
  '%': () => '%',
}

/** `%-d` and the like drop the leading zero; an unknown field stays as written. */
export function strftime(format: string, date: Date): string {
  return format.replace(/%(-?)([a-zA-Z%])/g, (whole, dash: string, field: string) => {
    const text = fields[field]?.(date)
    if (text === undefined) return whole
    return dash ? text.replace(/^[0 ]+(?=.)/, '') : text
  })
}
