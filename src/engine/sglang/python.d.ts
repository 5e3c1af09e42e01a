// Python files are imported as text (bridge-files.ts).
declare module '*.py' {
  const text: string
  export default text
}
