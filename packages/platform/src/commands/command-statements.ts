import type { CompiledQuery } from 'kysely';
import type { StateDatabase } from '../database/schema.ts';
import type { CommandTable } from '../database/tables/command-tables.ts';
import type { ChangingRow } from './command-row.ts';

/** Stands for what every command brings: only the names of its columns count. */
const ANY_ROW: CommandTable = {
  id: '',
  number: 0,
  device: '',
  name: '',
  payload: null,
  one_way: 0,
  state: '',
  sends: 0,
  created_at_ms: 0,
  send_until_ms: 0,
  expires_at_ms: 0,
  deadline_ms: null,
  finished_at_ms: null,
  reason: null,
  history: '',
  progress: null,
  answer: null,
  late_answer: null,
  created_by: '',
  idempotency_key: null,
  request_hash: null,
};
const ANY_CHANGE: ChangingRow = {
  state: '',
  sends: 0,
  deadline_ms: null,
  finished_at_ms: null,
  reason: null,
  history: '',
  progress: null,
  answer: null,
  late_answer: null,
};
const COLUMNS = Object.keys(ANY_ROW) as (keyof CommandTable)[];
const CHANGING = Object.keys(ANY_CHANGE) as (keyof ChangingRow)[];

/** The statements that every command needs: to put their text together costs several times what it takes to run them. */
export class CommandStatements {
  #insert: CompiledQuery | undefined;
  #update: CompiledQuery | undefined;
  #byKey: CompiledQuery<KeyRow> | undefined;

  async insert(transaction: StateDatabase, row: CommandTable): Promise<void> {
    const insert = (this.#insert ??= transaction.insertInto('command').values(withText(ANY_ROW)).compile());
    await transaction.executeQuery({ ...insert, parameters: COLUMNS.map((column) => row[column]) });
  }

  async update(transaction: StateDatabase, id: string, row: ChangingRow): Promise<void> {
    const update = (this.#update ??= transaction.updateTable('command').set(withText(ANY_CHANGE)).where('id', '=', '').compile());
    await transaction.executeQuery({ ...update, parameters: [...CHANGING.map((column) => row[column]), id] });
  }

  /** The command of a device that was created with this idempotency key. */
  async findByKey(transaction: StateDatabase, device: string, key: string): Promise<KeyRow | undefined> {
    const byKey = (this.#byKey ??= transaction
      .selectFrom('command')
      .select(['id', 'request_hash', 'payload', 'created_by'])
      .where('device', '=', '')
      .where('idempotency_key', '=', '')
      .compile());
    return (await transaction.executeQuery<KeyRow>({ ...byKey, parameters: [device, key] })).rows[0];
  }
}

export type KeyRow = Pick<CommandTable, 'id' | 'request_hash' | 'payload' | 'created_by'>;

/** Every column a parameter, whatever Kysely makes of null. */
function withText<T extends object>(row: T): T {
  return Object.fromEntries(Object.keys(row).map((column) => [column, ''])) as T;
}
