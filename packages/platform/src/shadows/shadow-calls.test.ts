import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Actor } from '../audit/actor.ts';
import type { ShadowRules } from './shadow-hooks.ts';
import { shadowCalls, type ShadowCalls } from './shadow-calls.ts';
import { openTestShadows, type TestShadows } from './shadows.fixture.ts';

const ADA: Actor = { kind: 'user', id: 'ada', name: 'Ada' };
const T = { device: 'T', shadow: '', actor: ADA };
const RULES: ShadowRules = {
  prepare: async () => {},
  desiredFault: (_key, desired) => ('bad' in desired ? 'bad is not allowed' : undefined),
  inheritedOf: ({ shadow }) => (shadow === 'fresh' ? { interval: 60, mode: 'auto' } : undefined),
};

let shadows: TestShadows;
let calls: ShadowCalls;
beforeEach(async () => {
  shadows = await openTestShadows({ rules: RULES });
  calls = shadowCalls(shadows.domain);
});
afterEach(async () => await shadows[Symbol.asyncDispose]());

test('a change by a person is merged, kept, and written to the audit trail with what came of it', async () => {
  await calls.updateShadow({ ...T, patch: { desired: { a: 1, b: 1 } } });
  const document = await calls.updateShadow({ ...T, patch: { desired: { a: null } }, expectedVersion: 1 });
  expect(document).toMatchObject({ version: 2, desired: { b: 1 } });
  await calls.deleteShadow({ ...T, device: 'T' });
  const rows = await shadows.database.selectFrom('state_audit').select('change').orderBy('id').execute();
  expect(rows.map((row) => JSON.parse(row.change))).toMatchObject([
    { action: 'shadow.create', actor: { id: 'ada' }, object: { kind: 'device', id: 'T' }, group: '/' },
    { action: 'shadow.update', before: { version: 1 }, after: { shadow: '', version: 2, desired: { a: null } } },
    { action: 'shadow.delete', before: { version: 2 } },
  ]);
  expect(shadows.take().map((message) => message.topic)).toContain('$aws/things/T/shadow/delete/accepted');
});

test('replacing makes the sections that are given exactly so', async () => {
  await calls.updateShadow({ ...T, patch: { desired: { a: 1, b: 1 }, reported: { c: 1 } } });
  expect(await calls.replaceShadow({ ...T, state: { desired: { b: 2 } } })).toMatchObject({
    desired: { b: 2 },
    reported: { c: 1 },
  });
  expect(await calls.replaceShadow({ ...T, state: { reported: {} } })).toMatchObject({ desired: { b: 2 }, reported: undefined });
});

test('what cannot be is refused by its code', async () => {
  const refusal = async (call: Promise<unknown>) =>
    await call.then(
      () => 'done',
      (error: unknown) => error,
    );
  expect(await refusal(calls.updateShadow({ ...T, device: 'nobody', patch: {} }))).toMatchObject({ code: 'device.not-found' });
  expect(await refusal(calls.deleteShadow(T))).toMatchObject({ code: 'shadow.not-found' });
  expect(await refusal(calls.updateShadow({ ...T, patch: {}, expectedVersion: 4 }))).toMatchObject({
    code: 'shadow.conflict',
    message: 'the shadow was never there: it is not the version you expected',
    details: { device: 'T', shadow: '', version: 0 },
  });
  expect(await refusal(calls.updateShadow({ ...T, patch: { desired: { bad: 1 } } }))).toMatchObject({
    code: 'shadow.refused',
    message: 'bad is not allowed',
  });
  expect(await refusal(calls.updateShadow({ ...T, patch: { desired: { a: [null] } } }))).toMatchObject({
    code: 'shadow.invalid',
  });
  const large = { a: 'x'.repeat(9_000) };
  expect(await refusal(calls.replaceShadow({ ...T, state: { desired: large } }))).toMatchObject({ code: 'shadow.too-large' });
  expect(await shadows.store.list('T', { limit: 1 })).toEqual([]);
});

test('what is only reported is not asked the rules about what is desired', async () => {
  await calls.updateShadow({ ...T, patch: { reported: { bad: 1 } } });
  const result = await shadows.send('$aws/things/T/shadow/update', { state: { desired: { bad: 1 } } });
  expect(result).toMatchObject([{ body: { code: 400, message: 'bad is not allowed' } }]);
});

test('a shadow that is made inherits; what is inherited is desired, and the device may see it in its delta', async () => {
  const document = await calls.updateShadow({ ...T, shadow: 'fresh', patch: { desired: { mode: 'off' } } });
  expect(document).toMatchObject({ desired: { mode: 'off' }, inherited: { interval: 60, mode: 'auto' } });
  const published = shadows.take();
  expect(published[0]).toMatchObject({
    topic: '$aws/things/T/shadow/name/fresh/update/delta',
    body: { state: { interval: 60, mode: 'off' } },
  });
  expect(published[1]?.body).toMatchObject({ state: { desired: { mode: 'off' } } });
  expect(published[2]?.body).toMatchObject({ current: { state: { desired: { interval: 60, mode: 'off' } } } });
});

test("AWS's own operations are answered as AWS does, with the status", async () => {
  const aws = async (operation: 'get' | 'update' | 'delete', body = '', device = 'T') => {
    const answer = await calls.awsShadow({ device, shadow: '', operation, payload: Buffer.from(body), actor: ADA });
    return { status: answer.status, body: JSON.parse(answer.body) };
  };
  expect(await aws('get')).toMatchObject({ status: 404, body: { code: 404, message: 'No shadow exists with name: T' } });
  expect(await aws('get', '', 'nobody')).toMatchObject({ status: 404, body: { message: 'Thing not found' } });
  expect(await aws('update', '{"state":{"desired":{"a":1}},"clientToken":"t"}')).toMatchObject({
    status: 200,
    body: { state: { desired: { a: 1 } }, version: 1, clientToken: 't' },
  });
  expect(await aws('update', '{')).toMatchObject({ status: 400, body: { message: 'Invalid JSON' } });
  expect(await aws('update', '{"state":{},"version":9}')).toMatchObject({ status: 409 });
  expect(await aws('get')).toMatchObject({ status: 200, body: { state: { desired: { a: 1 }, delta: { a: 1 } }, version: 1 } });
  expect(await aws('delete')).toMatchObject({ status: 200, body: { version: 2 } });
  const topics = shadows.take().map((message) => message.topic.slice('$aws/things/T/shadow/'.length));
  expect(topics).toEqual(['update/delta', 'update/accepted', 'update/documents', 'delete/accepted']);
});
