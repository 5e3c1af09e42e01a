// Files that are embedded as text (`with { type: 'text' }`).
declare module '*.jinja' {
  const text: string
  export default text
}
