import config from './jest.config.js'

const [project] = config.projects

/** The unit tests of rotate alone, without its simulation, which runs in processes of its own. */
export default {
  ...project,
  testMatch: ['<rootDir>/__tests__/rotate/*.test.ts'],
  testPathIgnorePatterns: ['rotate/simulation', 'rotate/histories'],
}
