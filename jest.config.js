const project = {
  testEnvironment: 'node',
  roots: ['<rootDir>/__tests__'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2023' }, module: { type: 'es6' } },
    ],
  },
}

/** @type {import('jest').Config} */
export default {
  projects: [
    { ...project, displayName: 'dist', testMatch: ['**/*.test.ts'] },
    // Every scenario once more, on the source as it is: bundling has changed nothing that a test can see.
    {
      ...project,
      displayName: 'source',
      testMatch: ['**/scenarios/*.test.ts'],
      globals: { steps: 'source' },
    },
  ],
  // Inside `projects`, Jest ignores it.
  testTimeout: 120_000,
  randomize: true,
  // Most tests of whole processes wait for one, rather than for the machine.
  maxWorkers: 4,
}
