import config from './jest.config.js'

const [project] = config.projects

/** The unit tests alone: mutants are in src, and the tests of whole processes run the committed bundles. */
export default {
  ...project,
  testMatch: ['<rootDir>/__tests__/*.test.ts'],
  testPathIgnorePatterns: [
    'killed-processes',
    'many-processes',
    'dist',
    'documents',
    'recipes',
    'scale',
    'simulation',
    'workflows',
  ],
}
