// Provisional, until scripts/build knows more than one bundle: builds dist/rotate.
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import nodeResolve from '@rollup/plugin-node-resolve'
import { rollup } from 'rollup'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
const PACKAGES = ['@actions/core', '@actions/github', '@noble/ciphers', '@noble/hashes']
const isOurs = (id) =>
  id.startsWith('.') ||
  id.startsWith('/') ||
  PACKAGES.some((name) => id === name || id.startsWith(`${name}/`))
const rolled = await rollup({
  input: { 'rotate/index': 'build/rotate.js', 'rotate/post/index': 'build/rotate-post.js' },
  plugins: [nodeResolve({ resolveOnly: PACKAGES })],
  external: (id) => !isOurs(id),
  treeshake: {
    moduleSideEffects: (id) => /rotate(-post)?\.js$/.test(id),
    propertyReadSideEffects: false,
  },
  onLog: () => {},
})
const { output } = await rolled.generate({
  format: 'cjs',
  entryFileNames: '[name].js',
  chunkFileNames: 'rotate/common/index.js',
  minifyInternalExports: false,
  hoistTransitiveImports: false,
})
for (const { fileName, code } of output) {
  const path = join('dist', fileName)
  mkdirSync(dirname(path), { recursive: true })
  const biome = [
    'node_modules/@biomejs/biome/bin/biome',
    'format',
    '--indent-style=tab',
    '--stdin-file-path=bundle.js',
  ]
  writeFileSync(path, execFileSync('node', biome, { input: code, encoding: 'utf8', maxBuffer: 2 ** 28 }))
}
