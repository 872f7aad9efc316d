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
    // A whole job once more, on the source: bundling changes nothing that a test can see.
    {
      ...project,
      displayName: 'source',
      testMatch: ['**/scenarios/job.test.ts'],
      globals: { steps: 'source' },
    },
  ],
  // Inside `projects`, Jest ignores it.
  testTimeout: 120_000,
  randomize: true,
  // Many tests wait for a process rather than for a processor.
  maxWorkers: 4,
}
