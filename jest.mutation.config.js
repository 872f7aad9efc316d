import config from './jest.config.js'

/** The unit tests alone: mutants are in src, and the tests of whole processes run the committed bundles. */
export default {
  ...config,
  testMatch: ['<rootDir>/__tests__/*.test.ts'],
  testPathIgnorePatterns: [
    'killed-processes',
    'many-processes',
    'bundle',
    'documents',
    'recipes',
    'scale',
    'simulation',
  ],
  randomize: false,
}
