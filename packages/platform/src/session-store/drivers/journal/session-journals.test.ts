import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SelsynError } from '../../../kernel/errors.ts';
import { FakeClock } from '../../../kernel/fake-clock.ts';
import { silentLogLines } from '../../../kernel/log-lines.ts';
import type { DiskLog } from '../../../log/drivers/disk/disk-log.ts';
import { OwnerModel, actionsOf } from '../../owner-model.ts';
import type { Holder, SessionNumber, StoreChange } from '../../session-store.ts';
import { homeIn, openSessionLog } from './journal-fixtures.ts';
import { JournalSessionStore } from './journal-session-store.ts';
import { prepareSessionJournals } from './session-journals.ts';

const RUN = fileURLToPath(new URL('./migration-run.ts', import.meta.url));

let root: string;
let dir: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'selsyn-journals-'));
  dir = join(root, 'log', 'sessions');
});

afterEach(() => rmSync(root, { recursive: true }));

/** Opens the journals for so many threads, with a store and an owner for each, and closes them after `use`. */
async function withStores(
  threads: number,
  use: (stores: readonly JournalSessionStore[], owners: readonly OwnerModel[]) => Promise<void> = async () => undefined,
  openLog: (dir: string, partitions: number) => Promise<DiskLog> = openSessionLog,
): Promise<string[]> {
  await using stack = new AsyncDisposableStack();
  const path = await prepareSessionJournals({ dir, threads, homeOf: homeIn(threads), openLog, logLines: silentLogLines });
  const log = stack.use(await openSessionLog(path, threads));
  const owners = log.partitions.map(() => new OwnerModel());
  const stores = log.partitions.map((partition) =>
    stack.use(new JournalSessionStore({ log, partition, clock: new FakeClock(), logLines: silentLogLines })),
  );
  for (const [i, store] of stores.entries()) await store.open(owners[i]!);
  await use(stores, owners);
  return owners.flatMap((owner) => owner.lines()).toSorted();
}

/** Lets every owner of a thread live with what is at home there. */
async function live(stores: readonly JournalSessionStore[], owners: readonly OwnerModel[], seed: number): Promise<void> {
  const homeOf = homeIn(stores.length);
  for (const [i, owner] of owners.entries()) {
    let ticket = 0;
    for (const action of actionsOf(seed + i).take(800)) {
      const { op, a } = action;
      if (op <= 1 && homeOf(`client ${a % 8}`) !== i) continue;
      if ((op === 2 || op === 3) && homeOf(`t/${a % 5}`) !== i) continue;
      const change = owner.act(action);
      if (change !== undefined) ticket = stores[i]!.write(change);
    }
    await owner.settled(ticket);
  }
}

test('keeps everything over every change of the number of threads, and puts it where its home is', async () => {
  let before = await withStores(2, (stores, owners) => live(stores, owners, 1));
  expect(before.length).toBeGreaterThan(8);
  for (const [i, threads] of [2, 3, 1, 4, 2].entries()) {
    const homeOf = homeIn(threads);
    const changes: StoreChange[][] = [];
    const after = await withStores(threads, async (_stores, owners) => {
      for (const owner of owners) changes.push([...owner.snapshot()].flat());
      expect(owners.flatMap((owner) => owner.lines()).toSorted()).toEqual(before);
    });
    expect(after).toEqual(before);
    changes.forEach((there, thread) => {
      for (const change of there) {
        if (change.kind === 'session') expect(homeOf(change.session.clientId)).toBe(thread);
        if (change.kind === 'retained') expect(homeOf(change.topic)).toBe(thread);
      }
      const numbers = there.flatMap((change) => (change.kind === 'session' ? [change.session.number] : []));
      expect(new Set(numbers).size).toBe(numbers.length);
    });
    before = await withStores(threads, (stores, owners) => live(stores, owners, 100 * i));
    expect(readdirSync(dir)).toHaveLength(1);
  }
});

test('keeps one message of two sessions one where they stay together, whatever their orders', async () => {
  await withStores(2, async ([store], [owner]) => {
    const session = (number: number): StoreChange => {
      const described = { clientId: `c${number * 2}`, namespace: '', principalId: '', version: 5, expirySec: 1 } as const;
      const about = { ...described, number: number as SessionNumber, offlineSinceMs: undefined, will: undefined };
      return { kind: 'session', session: about, fresh: true };
    };
    const holder = (number: number, packetId: number): Holder => {
      const options = { qos: 1, retain: false, identifiers: undefined, share: undefined } as const;
      return { session: number as SessionNumber, packetId, ...options };
    };
    const message = (number: number, ...holders: Holder[]): StoreChange => {
      return { kind: 'message', message: { number, packet: new Uint8Array([number]), expiresAtMs: Infinity }, holders };
    };
    const first = message(11, holder(1, 1));
    const changes = [session(1), session(2), first, message(12, holder(1, 2), holder(2, 1))];
    for (const change of changes) store!.write(change);
    await owner!.settled(store!.write({ kind: 'held', message: 11, holders: [holder(2, 2)] }));
  });
  await withStores(1, async (_stores, [owner]) => {
    const given = [...owner!.snapshot()].flat().map((change) => {
      if (change.kind === 'message') return `message ${change.message.packet[0]}`;
      return change.kind;
    });
    expect(given).toEqual(['session', 'message 11', 'message 12', 'session', 'held', 'held']);
  });
});

test('gives no thread a mark of another: those there may not have its message', async () => {
  await withStores(2, async ([store], [owner]) => {
    const mark = { origin: 'ns\0p', session: 1 as SessionNumber, packetId: 5 };
    await owner!.settled(store!.write({ kind: 'marked', mark, group: '' }));
  });
  const marks = async (threads: number): Promise<number> => {
    let count = 0;
    await withStores(threads, async (_stores, owners) => {
      count = owners.flatMap((owner) => [...owner.snapshot()].flat()).filter(({ kind }) => kind === 'marked').length;
    });
    return count;
  };
  expect(await marks(2)).toBe(1);
  expect(await marks(3)).toBe(0);
});

test('begins again when the folder for another number of threads was not finished', async () => {
  const before = await withStores(3, (stores, owners) => live(stores, owners, 7));
  // The old one is opened, and the one that was to be filled is not.
  let left = 1;
  const failing = async (path: string, partitions: number): Promise<DiskLog> => {
    if (left-- === 0) throw new SelsynError('log.full', 'no space');
    return await openSessionLog(path, partitions);
  };
  await expect(withStores(2, undefined, failing)).rejects.toMatchObject({ code: 'log.full' });
  mkdirSync(join(dir, 'new'), { recursive: true });
  writeFileSync(join(dir, 'new', 'identity'), 'half');
  expect(await withStores(2)).toEqual(before);
  expect(await withStores(3)).toEqual(before);
});

test('takes the newest when the one before it was not removed yet', async () => {
  await withStores(2, (stores, owners) => live(stores, owners, 3));
  const [first] = readdirSync(dir);
  const kept = join(root, 'kept');
  cpSync(join(dir, first!), kept, { recursive: true });
  const before = await withStores(3, (stores, owners) => live(stores, owners, 4));
  renameSync(kept, join(dir, first!));
  // Back to the number of the old one: it is the newest that counts.
  expect(await withStores(2)).toEqual(before);
});

test('loses nothing when it is killed at any moment of a redistribution', async () => {
  const before = await withStores(2, (stores, owners) => live(stores, owners, 11));
  let finished = 0;
  for (let run = 0; run < 8; run += 1) {
    const child = spawn(process.execPath, [RUN, dir, String(1 + (run % 4))], { stdio: ['ignore', 'pipe', 'inherit'] });
    const closed = once(child, 'close');
    await Promise.race([once(child.stdout, 'data'), closed]);
    setTimeout(() => child.kill('SIGKILL'), Math.random() * 40);
    const [code] = (await closed) as [number | null];
    if (code === 0) finished += 1;
  }
  expect(finished).toBeLessThan(8);
  expect(await withStores(3)).toEqual(before);
});

test('says what is wrong with its place', async () => {
  mkdirSync(join(root, 'log'));
  writeFileSync(dir, '');
  await expect(withStores(1)).rejects.toMatchObject({ code: 'data.unwritable' });
});
