import type { Database } from '../../database/schema.ts';
import { readDevices } from '../../registry/device-rows.ts';
import type { Batch } from '../../state/batch.ts';
import type { Executions } from '../executions.ts';
import { hasWindows } from './enlist.ts';
import { notifiedOf, type JobCounts } from './job-counts.ts';
import { timeZoneOf, type WindowCalendar } from './maintenance-windows.ts';
import { dueAt, nextDueMs, paceAt, rateOf, untilNextIncrease, type RolloutPace } from './rollout-rate.ts';
import type { StoredJob } from './stored-job.ts';
import { dropWaiting, nextReadyMs, putWaiting, readReady, REMINDER, type Waiting } from './waiting-list.ts';

/** Rates are kept by many small steps, but not by one for each device. */
const LEAST_PAUSE_MS = 200;
const REMIND_LATER_MS = 60_000;

export interface GivingOut {
  readonly batch: Batch;
  readonly executions: Executions;
  readonly calendar: WindowCalendar;
  /** To be read. */
  readonly registry: Database;
}

export interface GivenOut {
  readonly waiting: number;
  readonly pace: RolloutPace | undefined;
  /** When there is more to do; undefined: nobody waits. */
  readonly nextAtMs: number | undefined;
}

/**
 * Gives those that wait for it their execution: as many as the rate allows now, and at most `limit`; of a job with maintenance windows
 * only where one is open in the time zone of the device, which is reminded when the next one opens, if it has not begun by then.
 */
export async function giveOut(job: StoredJob, counts: JobCounts, limit: number, context: GivingOut): Promise<GivenOut> {
  const { batch } = context;
  const { nowMs, transaction } = batch;
  const { rollout } = job.config;
  let { waiting, pace } = job.progress;
  const rate = rateOf(rollout, { notified: notifiedOf(counts), succeeded: counts.SUCCEEDED });
  let most = limit;
  if (rate === undefined) pace = undefined;
  else {
    pace = paceAt(pace, rate, nowMs);
    most = Math.min(limit, dueAt(pace, nowMs), untilNextIncrease(rollout, notifiedOf(counts)));
  }
  // Those whose windows are closed do not count: a slow rate would go through them one by one.
  const ready = most === 0 ? [] : await readReady(transaction, job.number, nowMs, hasWindows(job) ? limit : most);
  const sorted = await sortOut(job, ready, context);
  const { opened, late } = within(most, sorted.opened, nowMs);
  if (sorted.moved.length > 0 || late.length > 0) await putWaiting(transaction, job.number, [...sorted.moved, ...late]);
  await tell(job, opened, context);
  waiting -= opened.filter(({ attempt }) => attempt !== REMINDER).length;
  if (pace !== undefined) pace = { ...pace, granted: pace.granted + opened.length };
  const nextReady = await nextReadyMs(transaction, job.number);
  if (nextReady === undefined) return { waiting, pace, nextAtMs: undefined };
  if (nextReady > nowMs || pace === undefined) return { waiting, pace, nextAtMs: Math.max(nextReady, nowMs) };
  const due = dueAt(pace, nowMs) > 0 ? nowMs : Math.max(nextDueMs(pace), nowMs + LEAST_PAUSE_MS);
  return { waiting, pace, nextAtMs: due };
}

/**
 * As many as the rate allows, first those that have no execution yet: devices that never do theirs, and are reminded of it each time,
 * would otherwise keep all others from it. They stand back for a while.
 */
function within<W extends Waiting>(
  most: number,
  open: readonly W[],
  nowMs: number,
): { readonly opened: readonly W[]; readonly late: readonly Waiting[] } {
  const isReminder = ({ attempt }: Waiting): boolean => attempt === REMINDER;
  const inOrder = [...open.filter((each) => !isReminder(each)), ...open.filter(isReminder)];
  const late = inOrder.slice(most).filter(isReminder);
  return {
    opened: inOrder.slice(0, most),
    late: late.map(({ device, attempt }) => ({ device, attempt, readyAtMs: nowMs + REMIND_LATER_MS })),
  };
}

/** Who gets theirs now, and who waits for a window. Devices that are no more are neither. */
async function sortOut(
  job: StoredJob,
  ready: readonly Waiting[],
  { batch, calendar, registry }: GivingOut,
): Promise<{ readonly opened: readonly (Waiting & { readonly remindAtMs?: number })[]; readonly moved: readonly Waiting[] }> {
  if (!hasWindows(job) || ready.length === 0) return { opened: ready, moved: [] };
  const { schedule } = job.config;
  const stored = await readDevices(registry, { ids: ready.map(({ device }) => device) });
  const attributes = new Map(stored.map(({ device }) => [device.id as string, device.attributes]));
  const opened: (Waiting & { readonly remindAtMs?: number })[] = [];
  const moved: Waiting[] = [];
  for (const waiting of ready) {
    const zone = timeZoneOf(schedule, attributes.get(waiting.device) ?? {});
    const state = calendar.stateAt(schedule?.maintenanceWindows, zone ?? 'UTC', batch.nowMs);
    if (!state.open) moved.push({ ...waiting, readyAtMs: state.untilMs });
    else {
      const next = calendar.stateAt(schedule?.maintenanceWindows, zone ?? 'UTC', state.untilMs);
      opened.push({ ...waiting, remindAtMs: next.open ? state.untilMs : next.untilMs });
    }
  }
  return { opened, moved };
}

async function tell(
  job: StoredJob,
  opened: readonly (Waiting & { readonly remindAtMs?: number })[],
  { batch, executions }: GivingOut,
): Promise<void> {
  if (opened.length === 0) return;
  const devices = opened.map(({ device }) => device);
  const reminded = opened.filter(({ attempt }) => attempt === REMINDER).map(({ device }) => device);
  const added = opened.filter(({ attempt }) => attempt !== REMINDER);
  await dropWaiting(batch.transaction, job.number, devices);
  const queued = new Set(reminded.length === 0 ? [] : await executions.remind(job.number, reminded, batch));
  if (added.length > 0) await executions.add(job.number, added, batch, { again: true });
  const again = opened.flatMap(({ device, attempt, remindAtMs }): Waiting[] => {
    if (remindAtMs === undefined || (attempt === REMINDER && !queued.has(device))) return [];
    return [{ device, readyAtMs: remindAtMs, attempt: REMINDER }];
  });
  await putWaiting(batch.transaction, job.number, again);
}
