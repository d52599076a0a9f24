import { expect, test } from 'vitest';
import { DOER, TestCommands } from './commands.fixture.ts';

test('a command to a device that listens goes out at once, is delivered by its PUBACK and ends with its answer', async () => {
  await using t = await TestCommands.open();
  t.watched.add('d1');
  await t.listen('d1', ['devices/d1/commands/+']);
  const command = await t.send({ device: 'd1', name: 'reboot', payload: '{"delaySec":5}' });
  expect(command).toMatchObject({ state: 'sent', name: 'reboot', payload: { delaySec: 5 }, sends: 1 });
  const [message, ...others] = t.take();
  expect(others).toEqual([]);
  expect(message).toMatchObject({
    topic: `devices/d1/commands/${command.id}`,
    to: { client: 'd1' },
    properties: { responseTopic: `devices/d1/commands/${command.id}/answer` },
  });
  expect(JSON.parse(Buffer.from(message!.payload).toString())).toEqual({
    id: command.id,
    name: 'reboot',
    payload: { delaySec: 5 },
    createdAtMs: t.clock.now(),
    expiresAtMs: t.clock.now() + 86_400_000,
  });
  await t.acknowledge(message!);
  expect((await t.show(command)).state).toBe('delivered');
  await t.publish('d1', message!.properties!.responseTopic!, '{"ok":true}');
  expect(await t.show(command)).toMatchObject({ state: 'succeeded', answer: { outcome: 'succeeded', payload: { ok: true } } });
  expect(t.events.map((event) => event.kind === 'command' && event.state)).toEqual(['queued', 'sent', 'delivered', 'succeeded']);
});

test('commands for a device that is away wait, and go out in their order once it listens', async () => {
  await using t = await TestCommands.open();
  const given = [];
  for (let i = 0; i < 45; i++) given.push((await t.send({ device: 'd1', payload: String(i) })).id);
  const other = await t.send({ device: 'd2' });
  expect(t.take()).toEqual([]);
  await t.listen('d1', ['devices/d1/commands/+']);
  const out = t.take();
  expect(out.map(({ receipt }) => receipt)).toEqual(given);
  expect(out.map(({ payload }) => (JSON.parse(Buffer.from(payload).toString()) as { payload: number }).payload)).toEqual([
    ...given.keys(),
  ]);
  expect((await t.show(other)).state).toBe('queued');
  // One more while they are under way goes behind them.
  const last = await t.send({ device: 'd1' });
  expect(t.take().map(({ receipt }) => receipt)).toEqual([last.id]);
});

test('a command that is given while others still wait does not overtake them', async () => {
  await using t = await TestCommands.open();
  const given = [];
  for (let i = 0; i < 50; i++) given.push((await t.send({ device: 'd1' })).id);
  const from = { gateway: 0, client: 'd1' };
  t.commands.desk.listening({ filters: ['devices/d1/#'], clientId: 'd1', principalId: 'd1', from, resumed: false });
  given.push(...(await Promise.all(Array.from({ length: 20 }, async () => await t.send({ device: 'd1' })))).map(({ id }) => id));
  await t.settle();
  expect(t.take().map(({ receipt }) => receipt)).toEqual(given);
});

test('a device that listens anew gets again what it has not answered, and nothing that has ended', async () => {
  await using t = await TestCommands.open();
  await t.listen('d1', ['devices/d1/#']);
  const [lost, acknowledged, atIt, done] = [
    await t.send({ device: 'd1' }),
    await t.send({ device: 'd1' }),
    await t.send({ device: 'd1' }),
    await t.send({ device: 'd1' }),
  ];
  const messages = t.take();
  for (const message of messages.slice(1)) await t.acknowledge(message);
  await t.publish('d1', `devices/d1/commands/${atIt.id}/answer`, '{"status":"progress","payload":40}');
  await t.publish('d1', `devices/d1/commands/${done.id}/answer`, 'ok');
  t.commands.desk.gone({ gateway: 0, client: 'd1' });
  await t.send({ device: 'd1', name: 'later' });
  await t.listen('d1', ['devices/d1/#']);
  expect(
    t
      .take()
      .map(({ receipt }) => receipt)
      .slice(0, 3),
  ).toEqual([lost.id, acknowledged.id, atIt.id]);
  expect(await t.show(lost)).toMatchObject({ state: 'sent', sends: 2 });
  expect(await t.show(atIt)).toMatchObject({ state: 'delivered', progress: { payload: 40 } });
  expect(await t.show(done)).toMatchObject({ state: 'succeeded', sends: 1 });
});

test('after a crash everything is there, ids and numbers go on, and the device gets what was lost', async () => {
  await using t = await TestCommands.open();
  await t.listen('d1', ['devices/d1/#']);
  const before = await t.send({ device: 'd1' });
  await t.crash();
  const after = await t.send({ device: 'd1' });
  expect(after.id > before.id && after.number > before.number).toBe(true);
  expect(t.take()).toEqual([]);
  await t.listen('d1', ['devices/d1/#']);
  expect(t.take().map(({ receipt }) => receipt)).toEqual([before.id, after.id]);
});

test('what was not answered in time expires, also over a restart, and nobody is sent it any more', async () => {
  await using t = await TestCommands.open();
  await t.listen('d1', ['devices/d1/#']);
  const sent = await t.send({ device: 'd1', expiresAtMs: t.clock.now() + 10_000 });
  const queued = await t.send({ device: 'away', expiresAtMs: t.clock.now() + 5_000 });
  const later = await t.send({ device: 'away', expiresAtMs: t.clock.now() + 200_000 });
  await t.pass(4_999);
  expect((await t.show(queued)).state).toBe('queued');
  await t.pass(21);
  expect(await t.show(queued)).toMatchObject({ state: 'expired', reason: 'the device did not come for it in time' });
  await t.crash();
  await t.pass(4_980);
  expect(await t.show(sent)).toMatchObject({ state: 'expired', reason: 'the device did not answer in time' });
  expect((await t.show(later)).state).toBe('queued');
  await t.pass(60_000);
  await t.pass(60_000);
  await t.pass(69_979);
  expect((await t.show(later)).state).toBe('queued');
  await t.pass(40);
  expect((await t.show(later)).state).toBe('expired');
  t.take();
  await t.listen('away', ['devices/away/#']);
  expect(t.take()).toEqual([]);
});

test('a thousand that are due at once all expire', async () => {
  await using t = await TestCommands.open();
  const expiresAtMs = t.clock.now() + 1_000;
  await Promise.all(Array.from({ length: 1_100 }, async (_, i) => await t.send({ device: `d${i % 50}`, expiresAtMs })));
  await t.pass(1_000);
  const { items } = await t.store.list({ states: ['expired'], limit: 2_000 });
  expect(items.length).toBe(1_100);
  expect(t.commands.domain.counters.expired).toBe(1_100);
});

test('an answer that comes too late is kept and is no success; a double one changes nothing', async () => {
  await using t = await TestCommands.open();
  await t.listen('d1', ['devices/d1/#']);
  const late = await t.send({ device: 'd1', expiresAtMs: t.clock.now() + 1_000 });
  await t.pass(1_000);
  await t.publish('d1', `devices/d1/commands/${late.id}/answer`, '"done"');
  expect(await t.show(late)).toMatchObject({ state: 'expired', lateAnswer: { payload: 'done' } });
  expect((await t.show(late)).answer).toBeUndefined();
  const twice = await t.send({ device: 'd1' });
  await t.publish('d1', `devices/d1/commands/${twice.id}/answer`, '{"status":"failed","reason":"jammed"}');
  await t.publish('d1', `devices/d1/commands/${twice.id}/answer`, '"done"');
  expect(await t.show(twice)).toMatchObject({ state: 'failed', reason: 'jammed', answer: { outcome: 'failed' } });
});

test('a device cannot answer for another, nor a command that it was not sent', async () => {
  await using t = await TestCommands.open();
  await t.listen('d1', ['devices/d1/#', 'v1/devices/me/rpc/request/+']);
  const theirs = await t.send({ device: 'd1' });
  await t.publish('d2', `devices/d2/commands/${theirs.id}/answer`, 'done');
  await t.publish('d2', `v1/devices/me/rpc/response/${theirs.number}`, 'done');
  await t.publish('d2', `$aws/commands/things/d2/executions/${theirs.id}/response/json`, '{"status":"SUCCEEDED"}');
  expect((await t.show(theirs)).state).toBe('sent');
  const queued = await t.send({ device: 'd2' });
  await t.publish('d2', `devices/d2/commands/${queued.id}/answer`, 'done');
  expect(await t.show(queued)).toMatchObject({ state: 'queued' });
  expect(t.commands.domain.counters.refusedAnswers).toBe(4);
});

test('AWS firmware gets the payload on its topics, and hears whether its answer was taken', async () => {
  await using t = await TestCommands.open();
  const base = '$aws/commands/things/d1/executions';
  await t.listen('d1', [`${base}/+/request/json`, 'devices/d1/#']);
  const command = await t.send({ device: 'd1', name: 'open', payload: '{"door":1}' });
  const [message] = t.take();
  expect([message!.topic, Buffer.from(message!.payload).toString()]).toEqual([
    `${base}/${command.id}/request/json`,
    '{"door":1}',
  ]);
  const said: unknown[] = [];
  for (const payload of [
    '{"status":"IN_PROGRESS"}',
    '{"status":"SUCCEEDED","result":{"ok":{"b":true}}}',
    '{"status":"FAILED"}',
    'x',
  ]) {
    await t.publish('d1', `${base}/${command.id}/response/json`, payload);
    const [answer] = t.take();
    expect(answer!.to).toEqual({ gateway: 0, client: 'd1' });
    said.push([answer!.topic.slice(base.length), JSON.parse(Buffer.from(answer!.payload).toString())]);
  }
  const { id } = command;
  expect(said).toEqual([
    [`/${id}/response/accepted/json`, { executionId: id }],
    [`/${id}/response/accepted/json`, { executionId: id }],
    [`/${id}/response/accepted/json`, { executionId: id }],
    [`/${id}/response/rejected/json`, { error: 'InvalidRequest', errorMessage: 'the payload is not JSON', executionId: id }],
  ]);
  expect(await t.show(command)).toMatchObject({ state: 'succeeded', answer: { payload: { ok: { b: true } } } });
});

test('ThingsBoard firmware gets a method and params with a number, and answers by that', async () => {
  await using t = await TestCommands.open();
  await t.listen('d1', ['v1/devices/me/rpc/request/+']);
  const command = await t.send({ device: 'd1', name: 'setValue', payload: '7' });
  const [message] = t.take();
  expect([message!.topic, Buffer.from(message!.payload).toString()]).toEqual([
    `v1/devices/me/rpc/request/${command.number}`,
    '{"method":"setValue","params":7}',
  ]);
  await t.publish('any-client', `v1/devices/me/rpc/response/${command.number}`, '{"value":7}', 'd1');
  expect(await t.show(command)).toMatchObject({ state: 'succeeded', answer: { payload: { value: 7 } } });
});

test('a device has so many open commands, and no more', async () => {
  await using t = await TestCommands.open();
  const all = await Promise.allSettled(Array.from({ length: 103 }, async () => await t.send({ device: 'd1' })));
  const refused = all.filter((each) => each.status === 'rejected');
  expect(refused.length).toBe(3);
  expect(refused[0]!.reason).toMatchObject({ code: 'command.queue-full', details: { device: 'd1', limit: 100 } });
  const { items } = await t.store.list({ device: 'd1', limit: 200 });
  await t.commands.calls.cancelCommand({ device: 'd1', id: items[0]!.id, doer: DOER });
  expect((await t.send({ device: 'd1' })).state).toBe('queued');
  expect((await t.send({ device: 'd2' })).state).toBe('queued');
});

test('the same idempotency key gives one command, of one device, for one request, also after a restart', async () => {
  await using t = await TestCommands.open();
  const draft = { device: 'd1', payload: '{"a":1}', idempotencyKey: 'k1' };
  const both = await Promise.all([t.send(draft), t.send(draft)]);
  expect(both[0].id).toBe(both[1].id);
  await t.crash();
  const again = await t.commands.calls.sendCommand({ draft: { name: 'go', ...draft }, doer: DOER, waitMs: 0 });
  expect([again.isNew, again.command.id, again.command.payload]).toEqual([false, both[0].id, { a: 1 }]);
  await expect(t.send({ ...draft, payload: '{"a":2}' })).rejects.toMatchObject({
    code: 'command.key-used',
    details: { command: both[0].id },
  });
  expect((await t.send({ ...draft, device: 'd2' })).id).not.toBe(both[0].id);
  expect((await t.store.list({ device: 'd1', limit: 10 })).items.length).toBe(1);
});

test('a request that says when it expires by the time of asking is the same one when it is asked again', async () => {
  await using t = await TestCommands.open();
  const ask = async (expiresAsked: string) =>
    await t.send({ device: 'd1', idempotencyKey: 'k1', expiresAtMs: t.clock.now() + 60_000, expiresAsked });
  const first = await ask('now+1m');
  t.clock.advance(5);
  expect(await ask('now+1m')).toMatchObject({ id: first.id, expiresAtMs: first.expiresAtMs });
  await expect(ask('now+60s')).rejects.toMatchObject({ code: 'command.key-used' });
});

test('a cancelled command is not sent, one that has ended cannot be cancelled, and all of it is in the audit trail', async () => {
  await using t = await TestCommands.open();
  const command = await t.send({ device: 'd1' });
  const cancel = async (device: string, id: string) => await t.commands.calls.cancelCommand({ device, id, doer: DOER });
  await expect(cancel('d2', command.id)).rejects.toMatchObject({ code: 'command.not-found' });
  expect((await cancel('d1', command.id)).state).toBe('cancelled');
  expect((await cancel('d1', command.id)).state).toBe('cancelled');
  await t.listen('d1', ['devices/d1/#']);
  expect(t.take()).toEqual([]);
  const done = await t.send({ device: 'd1', oneWay: true });
  await t.acknowledge(t.take()[0]!);
  expect((await t.show(done)).state).toBe('succeeded');
  await expect(cancel('d1', done.id)).rejects.toMatchObject({ code: 'command.finished', details: { state: 'succeeded' } });
  const audit = await t.open.database.selectFrom('state_audit').select('change').orderBy('id').execute();
  const changes = audit.map(({ change }) => JSON.parse(change) as { action: string; actor: { name: string } });
  expect(changes.map(({ action }) => action)).toEqual(['command.send', 'command.cancel', 'command.send']);
  expect(changes.every(({ actor }) => actor.name === 'ann')).toBe(true);
});

test('whoever waits hears the end as soon as it comes, or how far it is when the time is over', async () => {
  await using t = await TestCommands.open();
  await t.listen('d1', ['devices/d1/#']);
  const waiting = t.send({ device: 'd1' }, 5_000);
  await t.settle();
  const [message] = t.take();
  await t.publish('d1', message!.properties!.responseTopic!, '42');
  expect(await waiting).toMatchObject({ state: 'succeeded', answer: { payload: 42 } });
  const inVain = t.send({ device: 'd1' }, 5_000);
  await t.settle();
  await t.pass(5_000);
  const command = await inVain;
  expect(command.state).toBe('sent');
  const again = t.commands.calls.awaitCommand({ device: 'd1', id: command.id, waitMs: 5_000 });
  await t.settle();
  await t.commands.calls.cancelCommand({ device: 'd1', id: command.id, doer: DOER });
  expect(await again).toMatchObject({ state: 'cancelled' });
  await expect(t.commands.calls.awaitCommand({ device: 'd2', id: command.id, waitMs: 5_000 })).rejects.toMatchObject({
    code: 'command.not-found',
  });
});

test('a command that somebody waits for is not sent to a device that comes later, but an answer that comes later counts', async () => {
  await using t = await TestCommands.open();
  const queued = await t.send({ device: 'd1', sendWithinMs: 2_000 });
  await t.pass(2_000);
  expect((await t.show(queued)).state).toBe('expired');
  await t.listen('d1', ['devices/d1/#']);
  expect(t.take()).toEqual([]);
  const sent = await t.send({ device: 'd1', sendWithinMs: 2_000 });
  await t.pass(10_000);
  await t.listen('d1', ['devices/d1/#']);
  expect(await t.show(sent)).toMatchObject({ state: 'sent', sends: 1 });
  await t.publish('d1', `devices/d1/commands/${sent.id}/answer`, 'at last');
  expect((await t.show(sent)).state).toBe('succeeded');
});

test('a list is newest first, page by page, by state, name and time', async () => {
  await using t = await TestCommands.open();
  const ids: string[] = [];
  for (let i = 0; i < 7; i++) {
    ids.unshift((await t.send({ device: `d${i % 2}`, name: i < 4 ? 'early' : 'late' })).id);
    t.clock.advance(1_000);
  }
  const list = async (query: object) => (await t.store.list({ limit: 100, ...query })).items.map(({ id }) => id);
  expect(await list({})).toEqual(ids);
  const first = await t.store.list({ limit: 3 });
  const second = await t.store.list({ limit: 10, cursor: first.cursor });
  expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(ids);
  expect(second.cursor).toBeUndefined();
  expect(await list({ device: 'd1' })).toEqual([ids[1], ids[3], ids[5]]);
  expect(await list({ name: 'late' })).toEqual(ids.slice(0, 3));
  const startMs = t.clock.now() - 7_000;
  expect(await list({ fromMs: startMs + 2_000, toMs: startMs + 4_000 })).toEqual(ids.slice(3, 5));
  await t.commands.calls.cancelCommand({ device: 'd0', id: ids[0]!, doer: DOER });
  expect(await list({ states: ['cancelled'] })).toEqual([ids[0]]);
  expect(await list({ states: ['queued', 'cancelled'], device: 'd0' })).toEqual([ids[0], ids[2], ids[4], ids[6]]);
  await expect(t.store.list({ limit: 1, cursor: 'x' })).rejects.toMatchObject({ code: 'request.invalid' });
});

test('what has ended is kept for a while, and only so much of it', async () => {
  await using t = await TestCommands.open({ keepMs: 3_600_000, keepFinished: 5 });
  await t.listen('d1', ['devices/d1/#']);
  const open = await t.send({ device: 'away', expiresAtMs: t.clock.now() + 86_400_000 });
  for (let i = 0; i < 8; i++) {
    const { id } = await t.send({ device: 'd1' });
    await t.publish('d1', `devices/d1/commands/${id}/answer`, 'ok');
    t.clock.advance(10);
  }
  await t.pass(60_000);
  const kept = await t.store.list({ limit: 100 });
  expect(kept.items.length).toBe(6);
  await t.crash();
  // Those of before the restart count.
  await t.commands.calls.cancelCommand({ device: 'd1', id: (await t.send({ device: 'd1' })).id, doer: DOER });
  await t.pass(60_000);
  expect((await t.store.list({ limit: 100 })).items.length).toBe(6);
  await t.pass(3_300_000);
  expect((await t.store.list({ limit: 100 })).items.length).toBe(6);
  await t.pass(360_000);
  expect((await t.store.list({ limit: 100 })).items.map(({ id }) => id)).toEqual([open.id]);
});

test('of a removed device everything goes, and of one that has its id since nothing', async () => {
  await using t = await TestCommands.open();
  for (let i = 0; i < 60; i++) await t.send({ device: 'd1', expiresAtMs: t.clock.now() + 60_000 });
  const removedMs = t.clock.now();
  const other = await t.send({ device: 'd2' });
  t.clock.advance(5);
  const since = await t.send({ device: 'd1' });
  await t.writer.run(
    {
      name: 'registry',
      apply: async (_works: readonly null[], batch) => {
        const change = { sequence: 1, device: 'd1', kind: 'removed', atMs: removedMs } as const;
        await t.commands.follower.registryChanged([change, { ...change, device: 'never-commanded' }], batch);
        return [null];
      },
    },
    null,
  );
  await t.settle();
  expect((await t.store.list({ limit: 100 })).items.map(({ id }) => id)).toEqual([since.id, other.id]);
  expect(await t.open.database.selectFrom('command_purge').selectAll().execute()).toEqual([]);
});

test.each([
  [{ name: 'a b' }, 'request.invalid'],
  [{ payload: JSON.stringify('x'.repeat(32_768)) }, 'request.too-large'],
  [{ idempotencyKey: 'a b' }, 'request.invalid'],
  [{ expiresAtMs: 1 }, 'request.invalid'],
  [{ expiresAtMs: 1e15 }, 'request.invalid'],
  [{ sendWithinMs: 0 }, 'request.invalid'],
])('%.60j is refused, whatever door it comes by', async (draft, code) => {
  await using t = await TestCommands.open();
  await expect(t.send({ device: 'd1', ...draft })).rejects.toMatchObject({ code });
  expect((await t.store.list({ limit: 1 })).items).toEqual([]);
});

test('the newest commands of many devices are found together', async () => {
  await using t = await TestCommands.open();
  const ids = new Map<string, string[]>();
  for (let i = 0; i < 260; i++) {
    const device = `d${i % 130}`;
    ids.set(device, [(await t.send({ device })).id, ...(ids.get(device) ?? [])]);
  }
  const asked = [...ids.keys(), 'nothing'];
  const found = await t.store.newestOf(asked, 2);
  expect(asked.map((device) => found.get(device)?.map(({ id }) => id))).toEqual(asked.map((device) => ids.get(device) ?? []));
  expect([...(await t.store.newestOf(['d5'], 1)).values()].flat().map(({ id }) => id)).toEqual(ids.get('d5')!.slice(0, 1));
});
