// The three actions as a job downloads them: the archive of the repository, extracted, with nothing around it.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { archiveOfWorkTree, extract } from '../support/release-archive.ts'
import { withAudit } from './with-audit.ts'
import { withJob } from './with-job.ts'
import { withRotation } from './with-rotation.ts'

describe('from the extracted archive of a release,', () => {
  const folder = mkdtempSync(join(tmpdir(), 'release-'))
  beforeAll(() => extract(archiveOfWorkTree(), folder))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('the main step creates a key, and the post step revokes it', () =>
    withJob({ job: { action: join(folder, 'action.yml') } }, async ({ emulator, job, inputs }) => {
      expect(job.entries.main.startsWith(folder)).toBe(true)
      const main = await job.main(inputs)
      expect(main).toMatchObject({ outcome: 'success', stderr: '' })
      expect(emulator.account.live()).toHaveLength(1)
      expect(await job.post()).toMatchObject({ outcome: 'success', stderr: '' })
      expect(emulator.account.live()).toEqual([])
    }))

  test('audit reads the list', async () => {
    const bundles = { main: join(folder, 'dist/audit/index.js'), post: '' }
    await withAudit({ job: { action: join(folder, 'audit/action.yml'), bundles } }, async ({ audit }) => {
      const step = await audit()
      expect(step).toMatchObject({ outcome: 'success', stderr: '', outputs: { ok: 'false' } })
    })
  })

  test('rotate replaces the key in its secret, and its post step runs', () =>
    withRotation({}, async ({ job, inputs, key }) => {
      const old = key()
      const one = job({ action: join(folder, 'rotate/action.yml') })
      expect(one.entries.post.startsWith(folder)).toBe(true)
      expect(await one.main(inputs())).toMatchObject({ outcome: 'success', stderr: '' })
      expect(key()).not.toBe(old)
      expect(await one.post()).toMatchObject({ outcome: 'success', stderr: '' })
    }))
})
