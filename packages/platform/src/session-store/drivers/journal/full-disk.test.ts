import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { OwnerModel, actionsOf } from '../../owner-model.ts';
import { JournalFolder } from './journal-fixtures.ts';

const VOLUME_BYTES = 4 * 1024 * 1024;

/** A small volume; undefined, with the reason printed, where none can be mounted. */
function mount(): (Disposable & { readonly path: string }) | undefined {
  const path = mkdtempSync(join(tmpdir(), 'selsyn-volume-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${VOLUME_BYTES}`, 'tmpfs', path], { stdio: 'pipe' });
  } catch (error) {
    rmSync(path, { recursive: true });
    const mustWork = process.env['CI'] !== undefined && process.platform === 'linux' && process.getuid?.() === 0;
    if (mustWork) throw error;
    process.stderr.write(`skipped: a tmpfs cannot be mounted here: ${String(error)}\n`);
    return undefined;
  }
  return {
    path,
    [Symbol.dispose]: () => {
      execFileSync('umount', ['-l', path]);
      rmSync(path, { recursive: true });
    },
  };
}

test('rejects what a full volume has no room for, and agrees with its owner again when there is room', async (context) => {
  using volume = mount();
  if (volume === undefined) return context.skip('a tmpfs cannot be mounted here');
  await using folder = new JournalFolder({}, {}, volume.path);
  const { dir } = folder;
  const { path } = volume;
  const owner = new OwnerModel();
  const store = await folder.store({ segmentBytes: 200_000 });
  await store.open(owner);
  let ticket = 0;
  const actions = actionsOf(1);
  const live = async (count: number): Promise<void> => {
    for (const action of actions.take(count)) {
      const change = owner.act(action);
      if (change !== undefined) ticket = store.write(change);
    }
    await owner.settled(ticket);
  };
  await live(200);
  expect(owner.events.at(-1)).toEqual({ durable: ticket });
  // The log lays its space down ahead: fill all that is left, and use up what it has.
  expect(() => writeFileSync(join(path, 'ballast'), Buffer.alloc(VOLUME_BYTES))).toThrow(/ENOSPC/);
  const isRejected = (): boolean => owner.events.some((event) => 'rejected' in event);
  for (let i = 0; i < 3000 && !isRejected(); i += 1)
    await owner.settled((ticket = store.write(owner.retain('t', 'x'.repeat(2000)))));
  expect(isRejected()).toBe(true);
  await owner.settled((ticket = store.write(owner.retain('after', 'x'.repeat(50_000)))));
  expect(owner.events.at(-1)).toMatchObject({ rejected: ticket, error: { code: 'log.full', retryable: true } });
  // Tries that fail do no harm, and are reported to nobody.
  const told = owner.events.length;
  for (let i = 0; i < 5; i += 1) {
    folder.clock.advance(60_000);
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(owner.events.length).toBe(told);

  unlinkSync(join(path, 'ballast'));
  const text = owner.text();
  const agrees = async (): Promise<void> => {
    folder.clock.advance(60_000);
    expect((await folder.crashedModel(dir)).text()).toBe(text);
  };
  await vi.waitFor(agrees, { timeout: 120_000, interval: 20 });
  expect(owner.events.length).toBe(told);
});
