import config from './jest.config.js'

const [project] = config.projects

/** The unit tests alone: mutants are in src, and the tests of whole processes run the committed bundles. */
export default {
  ...project,
  testMatch: ['<rootDir>/__tests__/*/*.test.ts'],
  testPathIgnorePatterns: [
    '__tests__/processes',
    '__tests__/repository',
    '__tests__/rotate',
    '__tests__/scenarios',
    '__tests__/support',
    'simulation/scale',
    'simulation/simulation',
  ],
}
