import config from './jest.config.js'

const [project] = config.projects

/** The unit tests of rotate, without its simulation (other processes) and its documents (not copied by Stryker). */
export default {
  ...project,
  testMatch: ['<rootDir>/__tests__/rotate/*.test.ts'],
  testPathIgnorePatterns: ['rotate/simulation', 'rotate/histories', 'rotate/documents'],
}
