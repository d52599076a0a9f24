import fc from 'fast-check';
import { expect, test } from 'vitest';
import { COMMAND_STATES, isFinished, type CommandRecord } from './command.ts';
import { recordOfDraft } from './command-creation.ts';
import { answered, cancelled, deadlineOf, delivered, expired, progressed, sent } from './command-lifecycle.ts';

const record = (more: Partial<CommandRecord> = {}): CommandRecord => ({
  ...recordOfDraft({ device: 'd', name: 'n', sendWithinMs: 50, expiresAtMs: 1_100 }, 'id', 1, 1_000),
  ...more,
});

const step = fc.record({
  what: fc.constantFrom('sent', 'delivered', 'progressed', 'succeeded', 'failed', 'expired', 'cancelled'),
  // The clock may be set back.
  passMs: fc.integer({ min: -20, max: 60 }),
});

function apply(before: CommandRecord, what: string, nowMs: number): CommandRecord {
  switch (what) {
    case 'sent':
      return sent(before, nowMs);
    case 'delivered':
      return delivered(before, nowMs);
    case 'progressed':
      return progressed(before, { atMs: nowMs }).record;
    case 'expired':
      return expired(before, nowMs);
    case 'cancelled':
      return cancelled(before, nowMs);
    default:
      return answered(before, { outcome: what as 'succeeded' | 'failed', atMs: nowMs }).record;
  }
}

test('whatever comes in whatever order: states go one way, the last is for ever, and each has its time', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), fc.boolean(), (steps, oneWay) => {
      let now = 1_000;
      let current = record({ oneWay });
      for (const { what, passMs } of steps) {
        now += passMs;
        const before = current;
        current = apply(before, what, now);
        if (isFinished(before)) {
          expect([current.state, current.finishedAtMs, current.reason]).toEqual([
            before.state,
            before.finishedAtMs,
            before.reason,
          ]);
          expect(current.history).toEqual(before.history);
        }
        expect(current.history.slice(0, before.history.length)).toEqual(before.history);
        expect(current.history.at(-1)?.state).toBe(current.state);
        const times = current.history.map(({ atMs }) => atMs);
        expect(times).toEqual(times.toSorted((a, b) => a - b));
        const order = current.history.map(({ state }) => COMMAND_STATES.indexOf(state));
        expect(order).toEqual([...new Set(order)].toSorted((a, b) => a - b));
        expect(deadlineOf(current) === undefined).toBe(isFinished(current));
        expect(current.finishedAtMs !== undefined).toBe(isFinished(current));
        if (current.sends === 0) expect(['queued', 'expired', 'cancelled']).toContain(current.state);
        if (before.answer !== undefined) expect(current.answer).toBe(before.answer);
        if (before.lateAnswer !== undefined) expect(current.lateAnswer).toBe(before.lateAnswer);
      }
    }),
  );
});

test('it expires unsent when nobody waits any more, and unanswered when its time is over', () => {
  expect(expired(record(), 1_049).state).toBe('queued');
  expect(expired(record(), 1_050)).toMatchObject({ state: 'expired', reason: 'the device did not come for it in time' });
  expect(sent(record(), 1_050).state).toBe('queued');
  const out = sent(record(), 1_049);
  expect(out).toMatchObject({ state: 'sent', sends: 1 });
  expect(sent(out, 1_050)).toBe(out);
  expect(expired(out, 1_099)).toBe(out);
  expect(expired(delivered(out, 1_060), 1_100)).toMatchObject({ state: 'expired', reason: 'the device did not answer in time' });
});

test('an answer at the last moment is taken, one after it is kept as late, and a second one changes nothing', () => {
  const out = sent(record(), 1_010);
  const taken = answered(out, { outcome: 'failed', reason: 'no', atMs: 1_099 });
  expect(taken).toMatchObject({ outcome: 'taken', record: { state: 'failed', reason: 'no' } });
  expect(taken.record.history.map(({ state }) => state)).toEqual(['queued', 'sent', 'delivered', 'failed']);
  expect(answered(taken.record, { outcome: 'succeeded', atMs: 1_099 })).toEqual({ record: taken.record, outcome: 'repeated' });
  // It is late although nobody has noticed yet that the time is over.
  const late = answered(out, { outcome: 'succeeded', payload: 1, atMs: 1_100 });
  expect(late).toMatchObject({ outcome: 'late', record: { state: 'expired', lateAnswer: { payload: 1 } } });
  expect(late.record.answer).toBeUndefined();
  expect(answered(late.record, { outcome: 'succeeded', payload: 2, atMs: 1_101 })).toEqual({
    record: late.record,
    outcome: 'repeated',
  });
  const called = answered(cancelled(out, 1_020), { outcome: 'succeeded', atMs: 1_021 });
  expect(called).toMatchObject({ outcome: 'late', record: { state: 'cancelled' } });
});

test('what was not sent cannot be answered', () => {
  for (const before of [record(), cancelled(record(), 1_001), expired(record(), 1_050)]) {
    expect(answered(before, { outcome: 'succeeded', atMs: 1_060 })).toMatchObject({ outcome: 'not-sent' });
    expect(progressed(before, { atMs: 1_060 }).outcome).toBe('not-sent');
  }
});

test('progress delivers, and does not outlive the end', () => {
  const out = sent(record(), 1_010);
  const at = progressed(out, { payload: 10, atMs: 1_020 });
  expect(at).toMatchObject({ outcome: 'taken', record: { state: 'delivered', progress: { payload: 10 } } });
  expect(progressed(at.record, { payload: 20, atMs: 1_100 })).toMatchObject({
    outcome: 'late',
    record: { state: 'expired', progress: { payload: 10 } },
  });
});

test('a one-way command has succeeded once the device has it; what it says all the same is kept', () => {
  const done = delivered(sent(record({ oneWay: true }), 1_010), 1_020);
  expect(done.history.map(({ state }) => state)).toEqual(['queued', 'sent', 'delivered', 'succeeded']);
  expect(answered(done, { outcome: 'failed', atMs: 1_030 })).toMatchObject({
    outcome: 'taken',
    record: { state: 'succeeded', answer: { outcome: 'failed' } },
  });
});
