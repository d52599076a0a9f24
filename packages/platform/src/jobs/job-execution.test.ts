import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  codeOf,
  dueAtMs,
  ended,
  isTerminal,
  pendingOrder,
  queuedExecution,
  reported,
  statusOf,
  STATUSES,
  withStepTimer,
  type ExecutionReport,
  type JobExecution,
} from './job-execution.ts';

const KEY = { job: 1, device: 'a', number: 1 };
const START: ExecutionReport = { status: 'IN_PROGRESS', details: undefined, stepTimeoutMs: undefined };

const anyReport: fc.Arbitrary<ExecutionReport> = fc.record({
  status: fc.constantFrom('IN_PROGRESS', 'SUCCEEDED', 'FAILED', 'REJECTED'),
  details: fc.option(fc.dictionary(fc.string(), fc.string(), { maxKeys: 2 }), { nil: undefined }),
  stepTimeoutMs: fc.oneof(fc.constant(undefined), fc.constant(null), fc.integer({ min: 1, max: 1000 })),
});

type Move = { readonly report: ExecutionReport } | { readonly end: 'TIMED_OUT' | 'CANCELED' | 'REMOVED' };
const anyMove: fc.Arbitrary<Move> = fc.oneof(
  { weight: 4, arbitrary: anyReport.map((report) => ({ report })) },
  { weight: 1, arbitrary: fc.constantFrom('TIMED_OUT', 'CANCELED', 'REMOVED').map((end) => ({ end })) },
);

function move(execution: JobExecution, wanted: Move, nowMs: number): JobExecution | undefined {
  return 'report' in wanted ? reported(execution, wanted.report, 500, nowMs) : ended(execution, wanted.end, nowMs);
}

describe('an execution', () => {
  test('takes the next version by each change, stays once terminal, and has deadlines only while in progress', () => {
    fc.assert(
      fc.property(fc.array(anyMove), (moves) => {
        let execution = queuedExecution(KEY, 0, 1000);
        let nowMs = 1000;
        for (const wanted of moves) {
          nowMs += 10;
          const next = move(execution, wanted, nowMs);
          if (isTerminal(execution.status)) {
            expect(next).toBeUndefined();
            continue;
          }
          if (next === undefined) throw new Error('a change was not taken');
          expect(next.version).toBe(execution.version + 1);
          expect(next.updatedAtMs).toBe(nowMs);
          expect(next.queuedAtMs).toBe(1000);
          if (next.status !== 'IN_PROGRESS') expect(dueAtMs(next)).toBeUndefined();
          if (execution.startedAtMs !== undefined) expect(next.startedAtMs).toBe(execution.startedAtMs);
          execution = next;
        }
      }),
    );
  });

  test('keeps the deadline of the job from its start, and moves that of the step', () => {
    const started = reported(queuedExecution(KEY, 0, 0), { ...START, stepTimeoutMs: 100 }, 1000, 10);
    expect(started).toMatchObject({ deadlineMs: 1010, stepDeadlineMs: 110, startedAtMs: 10 });
    const progressed = reported(started!, { ...START, stepTimeoutMs: 300 }, 1000, 50);
    expect(progressed).toMatchObject({ deadlineMs: 1010, stepDeadlineMs: 350, startedAtMs: 10 });
    expect(dueAtMs(progressed!)).toBe(350);
    const untouched = reported(progressed!, START, 1000, 60);
    expect(untouched).toMatchObject({ stepDeadlineMs: 350 });
    const cleared = reported(untouched!, { ...START, stepTimeoutMs: null }, 1000, 70);
    expect(dueAtMs(cleared!)).toBe(1010);
    expect(withStepTimer(cleared!, 5, 80)).toEqual({ ...cleared, stepDeadlineMs: 85 });
  });

  test('keeps its details where a report has none, and replaces them where it has', () => {
    const first = reported(queuedExecution(KEY, 0, 0), { ...START, details: { a: '1', b: '2' } }, undefined, 1);
    expect(reported(first!, START, undefined, 2)?.details).toEqual({ a: '1', b: '2' });
    expect(reported(first!, { ...START, details: { c: '3' } }, undefined, 2)?.details).toEqual({ c: '3' });
    expect(ended(first!, 'CANCELED', 2)?.details).toEqual({ a: '1', b: '2' });
  });

  test('comes before those that are queued while in progress, else in the order of queueing', () => {
    const queued = (job: number, atMs: number) => queuedExecution({ ...KEY, job }, 0, atMs);
    const [early, late, alsoLate] = [queued(3, 10), queued(1, 20), queued(2, 20)];
    const running = reported(queued(4, 30), START, undefined, 40)!;
    expect([late, alsoLate, running, early].sort(pendingOrder)).toEqual([running, early, late, alsoLate]);
  });

  test('has a status that goes to a code and back', () => {
    expect(STATUSES.map((status) => statusOf(codeOf(status)))).toEqual(STATUSES);
  });
});
