import { expect, it } from 'vitest';
import { EVERYTHING } from '../registry/scope.ts';
import { openTestDoors } from './doors.fixture.ts';
import { TEMPLATE, TEST_ACTOR } from './provisioning.fixture.ts';
import { MAX_TOKENS_AT_ONCE } from './provisioning-tokens.ts';

const draft = { template: TEMPLATE, maxCount: 1, ratePerMinute: 60, expiresAtMs: 1_800_000_000_000 };
const ACME = { groups: ['/acme'] };
const ELSEWHERE = { groups: ['/other'] };

it('tokens are kept as hashes alone, and said once', async () => {
  await using test = await openTestDoors();
  await test.putTemplate();
  const made = await test.tokens.create({ ...draft, batch: 'march', serials: ['1', '2'] }, EVERYTHING, TEST_ACTOR);
  expect(made.map(({ serial }) => serial)).toEqual(['1', '2']);
  expect(new Set(made.map(({ token }) => token)).size).toBe(2);
  const stored = JSON.stringify(await test.pki.database.selectFrom('provisioning_token').selectAll().execute());
  const audited = JSON.stringify(await test.pki.trail.list({ limit: 9 }));
  for (const { token } of made) expect([stored, audited].some((text) => text.includes(token))).toBe(false);
  expect(await test.tokens.find(made[0]?.token ?? '')).toMatchObject({ serial: '1', batch: 'march', group: '/acme' });
  expect(await test.tokens.find(made[0]?.id ?? '')).toBeUndefined();
  expect(await test.pki.trail.list({ action: 'provisioning-token.create', limit: 9 })).toMatchObject([
    { object: { kind: 'provisioning-token', id: 'march' }, group: '/acme', after: { tokens: 2, forSerials: true } },
  ]);
});

it('they are listed page by page, the newest first, and are not there for who may not see the template', async () => {
  await using test = await openTestDoors();
  await test.putTemplate();
  const ids = (await test.tokens.create({ ...draft, tokens: 5 }, ACME, TEST_ACTOR)).map(({ id }) => id).toReversed();
  const page = async (after?: string) => (await test.tokens.list({ scope: ACME, limit: 2, after })).map(({ id }) => id);
  expect([await page(), await page(ids[1]), await page(ids[3])]).toEqual([ids.slice(0, 2), ids.slice(2, 4), ids.slice(4)]);
  expect(await test.tokens.list({ scope: ELSEWHERE, limit: 9 })).toEqual([]);
  expect(await test.tokens.list({ scope: { groups: ['/acm'] }, limit: 9 })).toEqual([]);
  const missing = { code: 'provisioning-token.not-found' };
  await expect(test.tokens.get(ids[0] ?? '', ELSEWHERE)).rejects.toMatchObject(missing);
  await expect(test.tokens.stop(ids[0] ?? '', ELSEWHERE, TEST_ACTOR)).rejects.toMatchObject(missing);
  await expect(test.tokens.list({ scope: ELSEWHERE, limit: 9, after: ids[0] })).rejects.toMatchObject(missing);
  await expect(test.tokens.create(draft, ELSEWHERE, TEST_ACTOR)).rejects.toMatchObject({ code: 'template.not-found' });
  await expect(test.tokens.stopBatch(TEMPLATE, 'x', ELSEWHERE, TEST_ACTOR)).rejects.toMatchObject({ code: 'template.not-found' });
});

it('one is stopped for good, and stopping it again says nothing new', async () => {
  await using test = await openTestDoors();
  await test.putTemplate();
  const [made] = await test.tokens.create(draft, ACME, TEST_ACTOR);
  const first = await test.tokens.stop(made?.id ?? '', ACME, TEST_ACTOR);
  test.pki.clock.advance(1_000);
  expect(await test.tokens.stop(made?.id ?? '', ACME, TEST_ACTOR)).toEqual(first);
  expect(await test.pki.trail.list({ action: 'provisioning-token.stop', limit: 9 })).toHaveLength(1);
});

it('one that is stopped or expires while somebody enrols with it is not counted', async () => {
  await using test = await openTestDoors();
  await test.putTemplate();
  const [stopped, expiring] = await test.tokens.create({ ...draft, tokens: 2 }, ACME, TEST_ACTOR);
  const reasonOf = async (id = ''): Promise<unknown> =>
    await test.tokens.count(id, test.pki.database).then(
      () => 'counted',
      (error: unknown) => (error as { refusal: { reason: string } }).refusal.reason,
    );
  await test.tokens.stop(stopped?.id ?? '', ACME, TEST_ACTOR);
  expect(await reasonOf(stopped?.id)).toBe('batch-stopped');
  test.pki.clock.advance(draft.expiresAtMs - test.pki.clock.now());
  expect(await reasonOf(expiring?.id)).toBe('batch-expired');
  expect(await reasonOf('none')).toBe('credential-invalid');
});

it.each([
  ['tokens', { tokens: 0 }],
  ['tokens', { tokens: MAX_TOKENS_AT_ONCE + 1 }],
  ['tokens', { tokens: 2, serials: ['1'] }],
  ['serials', { serials: ['1', '1'] }],
  ['serials', { serials: ['\n'] }],
  ['batch', { batch: 'a b' }],
  ['maxCount', { maxCount: 0 }],
  ['ratePerMinute', { ratePerMinute: 0.5 }],
  ['expiresAtMs', { expiresAtMs: 1 }],
])('a draft is refused for its %s: %o', async (field, change) => {
  await using test = await openTestDoors();
  await test.putTemplate();
  await expect(test.tokens.create({ ...draft, ...change }, EVERYTHING, TEST_ACTOR)).rejects.toMatchObject({
    code: 'request.invalid',
    details: { field },
  });
  expect(await test.tokens.list({ scope: EVERYTHING, limit: 9 })).toEqual([]);
});

it('a template is not removed while there are tokens that enrol by it', async () => {
  await using test = await openTestDoors();
  await test.putTemplate();
  const [made] = await test.tokens.create(draft, EVERYTHING, TEST_ACTOR);
  const { templates } = test.provisioning;
  await expect(templates.remove(TEMPLATE, EVERYTHING, TEST_ACTOR)).rejects.toMatchObject({ code: 'template.in-use' });
  await test.tokens.stop(made?.id ?? '', EVERYTHING, TEST_ACTOR);
  await templates.remove(TEMPLATE, EVERYTHING, TEST_ACTOR);
  expect(await test.tokens.find(made?.token ?? '')).toBeUndefined();
  // Another template of this name begins anew.
  await test.putTemplate();
  expect(await test.tokens.find(made?.token ?? '')).toBeUndefined();
});
