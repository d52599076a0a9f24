import { readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import type { DeviceId } from '../../../kernel/device-id.ts';
import { silentLogLines as silentLines } from '../../../kernel/log-lines.ts';
import { RecordSource, type Offset } from '../../../log/log.ts';
import { type Action, OwnerModel, actionsOf } from '../../owner-model.ts';
import { sessionStoreContract } from '../../session-store.contract.ts';
import type { SessionStore, StoreChange } from '../../session-store.ts';
import { FIRST, JournalFolder } from './journal-fixtures.ts';
import { JournalSessionStore } from './journal-session-store.ts';
import { JournalWriter } from './journal-writer.ts';

for (const [name, sync, snapshotAfterBytes] of [
  ['a journal that is cut all the time', 'always', 400],
  ['a journal that is never cut, synced at intervals', 'interval', Infinity],
] as const) {
  sessionStoreContract(name, async (options) => {
    const folder = new JournalFolder({ snapshotAfterBytes }, { sync });
    return {
      store: await folder.store(options?.isTight === true ? { maxPendingBytes: 100_000 } : {}),
      crash: () => folder.crash(),
      [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
    };
  });
}

/** Lets an owner do what the actions say, some in each commit. Returns the last ticket. */
async function live(store: SessionStore, owner: OwnerModel, actions: Iterable<Action>): Promise<number> {
  let ticket = 0;
  let count = 0;
  for (const action of actions) {
    const change = owner.act(action);
    if (change !== undefined) ticket = store.write(change);
    if (++count % 50 === 0) await owner.settled(ticket);
  }
  await owner.settled(ticket);
  return ticket;
}

test('keeps no more than a few times what there is, however much happens', async () => {
  await using folder = new JournalFolder({ snapshotAfterBytes: 20_000 });
  const owner = new OwnerModel();
  const store = await folder.store();
  await store.open(owner);
  await live(store, owner, actionsOf(1).take(10_000));
  expect(folder.sizeBytes).toBeLessThan(120_000);
  expect((await folder.crashedModel()).text()).toBe(owner.text());
});

test('keeps a message whose first holder acknowledges it while a snapshot is on its way to the second', async () => {
  await using folder = new JournalFolder();
  const log = await folder.log();
  const writer = new JournalWriter(await log.openAppender(FIRST, silent));
  const model = new OwnerModel();
  const [first, second] = [0, 1].map((a) => model.act({ op: 0, a, b: 1, c: 1 }));
  const message = model.act({ op: 12, a: 0, b: 1, c: 1 });
  if (first === undefined || second === undefined || message?.kind !== 'message') throw new Error('not what was meant');
  const [one, other] = message.holders;
  writer.change(first);
  writer.change(second);
  writer.change(message);
  writer.mark('begin', 0 as Offset);
  writer.ofSnapshot(first);
  writer.ofSnapshot({ ...message, holders: [one!] });
  writer.change({ kind: 'settled', session: one!.session, packetId: one!.packetId });
  writer.ofSnapshot(second);
  writer.ofSnapshot({ kind: 'held', message: message.message.number, holders: [other!] });
  writer.mark('end', 0 as Offset);
  await folder.close();
  model.restore({ kind: 'settled', session: one!.session, packetId: one!.packetId });
  expect((await folder.crashedModel()).text()).toBe(model.text());
});

test('takes no part of a snapshot that was not completed for the truth', async () => {
  await using folder = new JournalFolder();
  const owner = new OwnerModel();
  const store = await folder.store();
  await store.open(owner);
  await live(store, owner, actionsOf(2).take(300));
  await folder.close();
  const log = await folder.log();
  const writer = new JournalWriter(await log.openAppender(FIRST, silent));
  const slice = owner.snapshot().next().value as readonly StoreChange[]; // it has sessions
  writer.mark('begin', 5 as Offset);
  // The rest of the slice, of a session that is to have nothing any more, was torn off.
  writer.ofSnapshot(slice[0]!);
  writer.mark('end', 4 as Offset);
  await folder.close();
  expect((await folder.crashedModel()).text()).toBe(owner.text());
});

test('takes a snapshot without saturating itself, while changes go on', async () => {
  await using folder = new JournalFolder({ snapshotAfterBytes: 6_000_000 });
  const owner = new OwnerModel();
  const store = await folder.store({ maxPendingBytes: 1_500_000, segmentBytes: 1_000_000 });
  await store.open(owner);
  let ticket = 0;
  for (let i = 0; i < 700; i += 1) {
    ticket = store.write(owner.retain(`t/${i % 400}`, String(i).padEnd(10_000)));
    if (i % 10 === 0) await owner.settled(ticket);
    expect(store.saturated).toBe(false);
  }
  for (let i = 0; i < 300; i += 1) {
    ticket = store.write(owner.retain(`u/${i % 10}`, String(i).padEnd(1000)));
    await owner.settled(ticket);
    expect(store.saturated).toBe(false);
  }
  await folder.close();
  // 700 × 10 kB went in; 400 × 10 kB are left.
  expect(folder.sizeBytes).toBeLessThan(6_500_000);
  expect((await folder.crashedModel()).text()).toBe(owner.text());
});

test('counts the history of an earlier start', async () => {
  await using folder = new JournalFolder({ snapshotAfterBytes: 30_000 });
  const start = async (text: string): Promise<void> => {
    const owner = new OwnerModel();
    const store = await folder.store();
    await store.open(owner);
    await owner.settled(store.write(owner.retain('t', text.padEnd(2000))));
  };
  for (let i = 0; i < 15; i += 1) {
    await start(String(i));
    await folder.close();
  }
  expect(folder.sizeBytes).toBeGreaterThan(30_000);
  await start('last');
  await vi.waitFor(() => expect(folder.sizeBytes).toBeLessThan(10_000), { timeout: 120_000 });
  expect((await folder.crashedModel()).retained('t')?.trim()).toBe('last');
});

test('comes back with a prefix of what was written wherever the end of the file is torn off', async () => {
  await using folder = new JournalFolder({ snapshotAfterBytes: 600 });
  const owner = new OwnerModel();
  const store = await folder.store({ segmentBytes: 1_000_000 });
  await store.open(owner);
  const texts = new Set([owner.text()]);
  for (const action of actionsOf(3).take(120)) {
    const change = owner.act(action);
    if (change === undefined) continue;
    texts.add(owner.text());
    await owner.settled(store.write(change));
  }
  await folder.close();
  const path = segmentOf(folder);
  const whole = readFileSync(path);
  const last = [...texts].at(-1);
  expect((await folder.crashedModel()).text()).toBe(last);
  await folder.close();
  for (let cut = 1; cut < Math.min(2500, whole.length - 64); cut += 1 + (cut % 61)) {
    writeFileSync(segmentOf(folder), whole);
    truncateSync(segmentOf(folder), whole.length - cut);
    const log = await folder.log();
    const model = new OwnerModel();
    const reopened = new JournalSessionStore({ log, partition: FIRST, clock: folder.clock, logLines: silentLines });
    await reopened.open(model);
    expect(texts).toContain(model.text());
    await reopened[Symbol.asyncDispose]();
    await folder.close();
  }
});

test('says where a record is that it does not understand', async () => {
  await using folder = new JournalFolder();
  const log = await folder.log();
  const appender = await log.openAppender(FIRST, silent);
  new JournalWriter(appender).change({ kind: 'retained-removed', topic: 't' });
  appender.add(new RecordSource('d' as DeviceId, ''), Uint8Array.of(99, 1, 2), 0, 3);
  await folder.close();
  const store = await folder.store();
  await expect(store.open(new OwnerModel())).rejects.toMatchObject({
    code: 'data.corrupt',
    details: { partition: 0, offset: 1 },
  });
  // The partition is free again.
  await expect(store.open(new OwnerModel())).rejects.toMatchObject({ code: 'data.corrupt' });
});

test('lets one store at a time have a partition', async () => {
  await using folder = new JournalFolder();
  const log = await folder.log();
  const options = { log, partition: FIRST, clock: folder.clock, logLines: silentLines };
  await using first = new JournalSessionStore(options);
  await first.open(new OwnerModel());
  await expect(new JournalSessionStore(options).open(new OwnerModel())).rejects.toMatchObject({ code: 'log.failed' });
});

const silent = { onDurable: () => undefined, onRejected: () => undefined, onDrained: () => undefined };

function segmentOf(folder: JournalFolder): string {
  const names = readdirSync(join(folder.dir, '0')).filter((name) => name.endsWith('.log'));
  return join(folder.dir, '0', names.toSorted().at(-1)!);
}
