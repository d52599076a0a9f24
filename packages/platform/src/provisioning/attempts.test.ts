import { expect, it } from 'vitest';
import { silentLogLines } from '../kernel/log-lines.ts';
import { openTestCertificates, type TestCertificates } from '../pki/certificate-service.fixture.ts';
import { EVERYTHING } from '../registry/scope.ts';
import { AttemptTrace, traceLine } from './attempt-trace.ts';
import { Attempts, type AttemptDraft } from './attempts.ts';

const draft = (change: Partial<AttemptDraft> = {}): AttemptDraft => ({
  door: 'claim',
  outcome: 'refused',
  steps: ['a', 'refused'],
  ...change,
});
const open = (pki: TestCertificates, bounds: { maxKept?: number; maxAgeMs?: number } = {}) =>
  new Attempts({ database: pki.database, clock: pki.clock, logLines: silentLogLines, ...bounds });
const all = { scope: EVERYTHING, limit: 10_000 };

it('refusals are written a little later, many at once, and are in every list at once', async () => {
  await using pki = await openTestCertificates();
  await using attempts = open(pki);
  for (let i = 0; i < 300; i++) attempts.note(draft({ serial: String(i) }));
  expect(await pki.database.selectFrom('enrolment_attempt').selectAll().execute()).toEqual([]);
  expect((await attempts.list({ ...all, limit: 2 })).map(({ serial }) => serial)).toEqual(['299', '298']);
  attempts.note(draft({ serial: 'later' }));
  pki.clock.advance(250);
  await attempts.flush();
  expect(await pki.database.selectFrom('enrolment_attempt').select('id').where('serial', '=', 'later').execute()).toHaveLength(1);
});

it('what waits is bounded: a flood of refusals fills no memory', async () => {
  await using pki = await openTestCertificates();
  await using attempts = open(pki);
  for (let i = 0; i < 6_000; i++) attempts.note(draft());
  expect(await attempts.list(all)).toHaveLength(5_000);
});

it('the newest are kept, and none that is too old', async () => {
  await using pki = await openTestCertificates();
  await using attempts = open(pki, { maxKept: 3, maxAgeMs: 1_000 });
  for (const serial of ['1', '2', '3', '4', '5']) attempts.note(draft({ serial }));
  await attempts.flush();
  await attempts.clean();
  expect((await attempts.list(all)).map(({ serial }) => serial)).toEqual(['5', '4', '3']);
  pki.clock.advance(1_001);
  attempts.note(draft({ serial: '6' }));
  await attempts.flush();
  await attempts.clean();
  expect((await attempts.list(all)).map(({ serial }) => serial)).toEqual(['6']);
});

it('they are found by what they are about, and seen only by who sees their group', async () => {
  await using pki = await openTestCertificates();
  await using attempts = open(pki);
  attempts.note(draft({ serial: 's1', deviceId: 'd1', template: 't1', claimBatch: 'b1', group: '/acme/x' }));
  attempts.note(draft({ serial: 's2', deviceId: 'd2', template: 't2', claimBatch: 'b2', group: '/acmeto', outcome: 'enrolled' }));
  for (const query of [
    { serial: 's1' },
    { deviceId: 'd1' },
    { template: 't1' },
    { claimBatch: 'b1' },
    { outcome: 'refused' as const },
    { scope: { groups: ['/acme'] } },
  ])
    expect((await attempts.list({ ...all, ...query })).map(({ serial }) => serial)).toEqual(['s1']);
  expect(await attempts.list({ ...all, scope: { groups: [] } })).toEqual([]);
});

it('a trace is bounded in steps and length, and has no characters that move a cursor', () => {
  const trace = new AttemptTrace(['begin']);
  for (let i = 0; i < 100; i++) trace.step(`\u001b[31m${'x'.repeat(1_000)}`);
  expect(trace.steps).toHaveLength(32);
  expect(trace.steps.every((step) => step.length <= 240 && !step.includes('\u001b'))).toBe(true);
  expect(traceLine(['CSR accepted', 'refused'])).toBe('CSR accepted · refused');
});
