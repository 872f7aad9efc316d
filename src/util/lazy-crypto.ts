/**
 * Replaces Node's `crypto` in the bundles (scripts/build.ts): `@actions/core` imports it when it starts, which takes
 * 3 ms, but needs it only to write to a command file.
 */
export const randomUUID = () => process.getBuiltinModule('node:crypto').randomUUID()
