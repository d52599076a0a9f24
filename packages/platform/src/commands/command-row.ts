import type { CommandTable } from '../database/tables/command-tables.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { Command, CommandAnswer, CommandProgress, CommandRecord, CommandState, StateTime } from './command.ts';
import { deadlineOf } from './command-lifecycle.ts';

/** All columns but the payload and what is known of its creation, which no change needs. */
export const RECORD_COLUMNS = [
  'id',
  'number',
  'device',
  'name',
  'one_way',
  'state',
  'sends',
  'created_at_ms',
  'send_until_ms',
  'expires_at_ms',
  'finished_at_ms',
  'reason',
  'history',
  'progress',
  'answer',
  'late_answer',
] as const satisfies readonly (keyof CommandTable)[];

export const COMMAND_COLUMNS = [...RECORD_COLUMNS, 'payload', 'created_by'] as const satisfies readonly (keyof CommandTable)[];

export type RecordRow = Pick<CommandTable, (typeof RECORD_COLUMNS)[number]>;
export type CommandRow = Pick<CommandTable, (typeof COMMAND_COLUMNS)[number]>;
/** What changes in the life of a command. */
export type ChangingRow = Pick<
  CommandTable,
  'state' | 'sends' | 'deadline_ms' | 'finished_at_ms' | 'reason' | 'history' | 'progress' | 'answer' | 'late_answer'
>;

export function recordOfRow(row: RecordRow): CommandRecord {
  return {
    id: row.id,
    number: Number(row.number),
    device: row.device,
    name: row.name,
    oneWay: Number(row.one_way) === 1,
    state: row.state as CommandState,
    sends: Number(row.sends),
    createdAtMs: Number(row.created_at_ms),
    sendUntilMs: Number(row.send_until_ms),
    expiresAtMs: Number(row.expires_at_ms),
    history: historyOf(row),
    ...(row.finished_at_ms !== null && { finishedAtMs: Number(row.finished_at_ms) }),
    ...(row.reason !== null && { reason: row.reason }),
    ...(row.progress !== null && { progress: parse(row, row.progress) as CommandProgress }),
    ...(row.answer !== null && { answer: parse(row, row.answer) as CommandAnswer }),
    ...(row.late_answer !== null && { lateAnswer: parse(row, row.late_answer) as CommandAnswer }),
  };
}

export function commandOfRow(row: CommandRow): Command {
  return commandOf(recordOfRow(row), row);
}

export function commandOf(record: CommandRecord, row: Pick<CommandTable, 'id' | 'payload' | 'created_by'>): Command {
  return {
    ...record,
    ...(row.payload !== null && { payload: parse(row, row.payload) }),
    createdBy: parse(row, row.created_by) as Command['createdBy'],
  };
}

export function changingOf(record: CommandRecord): ChangingRow {
  return {
    state: record.state,
    sends: record.sends,
    deadline_ms: deadlineOf(record) ?? null,
    finished_at_ms: record.finishedAtMs ?? null,
    reason: record.reason ?? null,
    history: JSON.stringify(record.history.map(({ state, atMs }) => [state, atMs])),
    progress: textOf(record.progress),
    answer: textOf(record.answer),
    late_answer: textOf(record.lateAnswer),
  };
}

/** `[["queued",1700000000000],["sent",1700000000001]]` */
function historyOf(row: RecordRow): readonly StateTime[] {
  return (parse(row, row.history) as readonly (readonly [CommandState, number])[]).map(([state, atMs]) => ({ state, atMs }));
}

function textOf(value: object | undefined): string | null {
  return value === undefined ? null : JSON.stringify(value);
}

function parse({ id }: { readonly id: string }, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SelsynError('data.corrupt', `the command ${id} is not as it was written`, { cause: error });
  }
}
