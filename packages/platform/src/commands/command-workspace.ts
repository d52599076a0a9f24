import type { StateDatabase } from '../database/schema.ts';
import type { CommandTable } from '../database/tables/command-tables.ts';
import { chunksOf } from '../registry/statement-chunks.ts';
import { isFinished, type CommandRecord } from './command.ts';
import { changingOf, RECORD_COLUMNS, recordOfRow, type RecordRow } from './command-row.ts';
import type { CommandStatements } from './command-statements.ts';

/** What the works of a batch are about. */
export interface WorkspaceNeeds {
  readonly ids: Iterable<string>;
  readonly numbers: Iterable<number>;
  /** Devices of which all that is not finished is needed. */
  readonly devices: Iterable<string>;
}

/** What a new command has besides its record. */
export interface NewCommand {
  readonly record: CommandRecord;
  readonly payload: string | null;
  readonly createdBy: string;
  readonly idempotencyKey: string | null;
  readonly requestHash: string | null;
}

/**
 * The commands that one batch is about: read in few statements, changed in memory, written in the end. Works see what those before
 * them did.
 */
export class CommandWorkspace {
  readonly #transaction: StateDatabase;
  readonly #statements: CommandStatements;
  readonly #records = new Map<string, CommandRecord>();
  readonly #byNumber = new Map<number, string>();
  /** Device → ids, oldest first; also of those that have finished in this batch. */
  readonly #open = new Map<string, string[]>();
  readonly #new = new Map<string, NewCommand>();
  readonly #changed = new Set<string>();

  private constructor(transaction: StateDatabase, statements: CommandStatements) {
    this.#transaction = transaction;
    this.#statements = statements;
  }

  static async load(transaction: StateDatabase, statements: CommandStatements, needs: WorkspaceNeeds): Promise<CommandWorkspace> {
    const workspace = new CommandWorkspace(transaction, statements);
    await workspace.#loadIds([...needs.ids]);
    await workspace.#loadNumbers([...needs.numbers]);
    await workspace.#loadOpen([...new Set(needs.devices)]);
    return workspace;
  }

  get(id: string): CommandRecord | undefined {
    return this.#records.get(id);
  }

  ofNumber(number: number): CommandRecord | undefined {
    const id = this.#byNumber.get(number);
    return id === undefined ? undefined : this.#records.get(id);
  }

  /** Oldest first; only of devices that were asked for. */
  openOf(device: string): readonly CommandRecord[] {
    const records = (this.#open.get(device) ?? []).map((id) => this.#records.get(id));
    return records.filter((record): record is CommandRecord => record !== undefined && !isFinished(record));
  }

  add(command: NewCommand): void {
    const { record } = command;
    this.#new.set(record.id, command);
    this.#keep(record);
    const open = this.#open.get(record.device);
    if (open === undefined) this.#open.set(record.device, [record.id]);
    else open.push(record.id);
  }

  change(record: CommandRecord): void {
    this.#records.set(record.id, record);
    if (!this.#new.has(record.id)) this.#changed.add(record.id);
  }

  /** Of commands that there are. */
  async payloadsOf(ids: readonly string[]): Promise<ReadonlyMap<string, string | null>> {
    const payloads = new Map<string, string | null>();
    const stored: string[] = [];
    for (const id of ids) {
      const known = this.#new.get(id);
      if (known === undefined) stored.push(id);
      else payloads.set(id, known.payload);
    }
    for (const some of chunksOf(stored)) {
      const rows = await this.#transaction.selectFrom('command').select(['id', 'payload']).where('id', 'in', some).execute();
      for (const { id, payload } of rows) payloads.set(id, payload);
    }
    return payloads;
  }

  async write(): Promise<void> {
    for (const command of this.#new.values()) {
      const record = this.#records.get(command.record.id) ?? command.record;
      await this.#statements.insert(this.#transaction, rowOf({ ...command, record }));
    }
    for (const id of this.#changed) {
      const record = this.#records.get(id);
      if (record !== undefined) await this.#statements.update(this.#transaction, id, changingOf(record));
    }
  }

  async #loadIds(ids: readonly string[]): Promise<void> {
    for (const some of chunksOf(ids)) this.#keepAll(await this.#select().where('id', 'in', some).execute());
  }

  async #loadNumbers(numbers: readonly number[]): Promise<void> {
    for (const some of chunksOf(numbers)) this.#keepAll(await this.#select().where('number', 'in', some).execute());
  }

  async #loadOpen(devices: readonly string[]): Promise<void> {
    for (const device of devices) this.#open.set(device, []);
    for (const some of chunksOf(devices)) {
      const rows = await this.#select().where('device', 'in', some).where('deadline_ms', 'is not', null).orderBy('id').execute();
      this.#keepAll(rows);
      for (const { device, id } of rows) this.#open.get(device)?.push(id);
    }
  }

  #select() {
    return this.#transaction.selectFrom('command').select(RECORD_COLUMNS);
  }

  #keepAll(rows: readonly RecordRow[]): void {
    for (const row of rows) if (!this.#records.has(row.id)) this.#keep(recordOfRow(row));
  }

  #keep(record: CommandRecord): void {
    this.#records.set(record.id, record);
    this.#byNumber.set(record.number, record.id);
  }
}

function rowOf({ record, payload, createdBy, idempotencyKey, requestHash }: NewCommand): CommandTable {
  return {
    id: record.id,
    number: record.number,
    device: record.device,
    name: record.name,
    payload,
    one_way: record.oneWay ? 1 : 0,
    created_at_ms: record.createdAtMs,
    send_until_ms: record.sendUntilMs,
    expires_at_ms: record.expiresAtMs,
    created_by: createdBy,
    idempotency_key: idempotencyKey,
    request_hash: requestHash,
    ...changingOf(record),
  };
}
