// Shaders are imported as text: `import code from './name.wgsl' with { type: 'text' }`.
declare module '*.wgsl' {
  const code: string
  export default code
}
