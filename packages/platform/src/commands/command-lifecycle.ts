import { isFinished, type CommandAnswer, type CommandProgress, type CommandRecord, type CommandState } from './command.ts';

/**
 * How a command goes from state to state: pure, and the only place where that is decided. Each function gives the record as it is
 * afterwards, or the same record where nothing changes. What is finished stays as it is, but for the first late answer.
 */

/** When it must be looked at again; undefined: never, it is finished. */
export function deadlineOf(record: CommandRecord): number | undefined {
  if (isFinished(record)) return undefined;
  return record.state === 'queued' ? record.sendUntilMs : record.expiresAtMs;
}

export function maySend(record: CommandRecord, nowMs: number): boolean {
  return !isFinished(record) && nowMs < record.sendUntilMs;
}

/** It goes out, for the first time or once more. */
export function sent(record: CommandRecord, nowMs: number): CommandRecord {
  if (!maySend(record, nowMs)) return record;
  const again = { ...record, sends: record.sends + 1 };
  return record.state === 'queued' ? enter(again, 'sent', nowMs) : again;
}

/** The device's client has acknowledged the message. */
export function delivered(record: CommandRecord, nowMs: number): CommandRecord {
  if (record.state !== 'sent') return record;
  const after = enter(record, 'delivered', nowMs);
  return record.oneWay ? finish(after, 'succeeded', nowMs) : after;
}

/**
 * What a word of the device came to. `taken`: it counts. `repeated`: the command has its answer, which stays. `late`: the command had
 * ended without one. `not-sent`: it cannot be about this command.
 */
export type AnswerOutcome = 'taken' | 'repeated' | 'late' | 'not-sent';

export interface Answered {
  readonly record: CommandRecord;
  readonly outcome: AnswerOutcome;
}

/** The device is at it. */
export function progressed(record: CommandRecord, progress: CommandProgress): Answered {
  const known = expired(record, progress.atMs);
  if (known.sends === 0) return { record: known, outcome: 'not-sent' };
  if (isFinished(known)) return { record: known, outcome: known.answer === undefined ? 'late' : 'repeated' };
  return { record: { ...delivered(known, progress.atMs), progress }, outcome: 'taken' };
}

export function answered(record: CommandRecord, answer: CommandAnswer): Answered {
  const known = expired(record, answer.atMs);
  if (known.sends === 0) return { record: known, outcome: 'not-sent' };
  if (known.answer !== undefined) return { record: known, outcome: 'repeated' };
  // Of one-way commands nobody waits for an answer; one that comes is kept.
  if (known.state === 'succeeded') return { record: { ...known, answer }, outcome: 'taken' };
  if (isFinished(known)) {
    if (known.lateAnswer !== undefined) return { record: known, outcome: 'repeated' };
    return { record: { ...known, lateAnswer: answer }, outcome: 'late' };
  }
  const there = known.state === 'sent' ? enter(known, 'delivered', answer.atMs) : known;
  const { outcome, reason } = answer;
  return { record: { ...finish(there, outcome, answer.atMs, reason), answer }, outcome: 'taken' };
}

export function expired(record: CommandRecord, nowMs: number): CommandRecord {
  const deadlineMs = deadlineOf(record);
  if (deadlineMs === undefined || nowMs < deadlineMs) return record;
  const reason = record.state === 'queued' ? 'the device did not come for it in time' : 'the device did not answer in time';
  return finish(record, 'expired', nowMs, reason);
}

export function cancelled(record: CommandRecord, nowMs: number): CommandRecord {
  return isFinished(record) ? record : finish(record, 'cancelled', nowMs);
}

function finish(record: CommandRecord, state: CommandState, atMs: number, reason?: string): CommandRecord {
  return { ...enter(record, state, atMs), finishedAtMs: atMs, ...(reason !== undefined && { reason }) };
}

/** A clock that was set back does not put states out of order. */
function enter(record: CommandRecord, state: CommandState, atMs: number): CommandRecord {
  const last = record.history.at(-1)?.atMs ?? atMs;
  return { ...record, state, history: [...record.history, { state, atMs: Math.max(last, atMs) }] };
}
