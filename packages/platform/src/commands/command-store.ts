import { rowsOfEach } from '../database/rows-of-each.ts';
import type { StateDatabase } from '../database/schema.ts';
import { SelsynError } from '../kernel/errors.ts';
import { COMMAND_ID_PATTERN, COMMAND_STATES, isFinished, type Command, type CommandState } from './command.ts';
import { idOfTime } from '../kernel/sortable-ids.ts';
import { COMMAND_COLUMNS, commandOfRow } from './command-row.ts';

export interface CommandQuery {
  readonly device?: string | undefined;
  /** Undefined: any. */
  readonly states?: readonly CommandState[] | undefined;
  readonly name?: string | undefined;
  /** Created at this time or later, and before that one. */
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  readonly limit: number;
  /** Of the page before. */
  readonly cursor?: string | undefined;
}

export interface CommandPage {
  /** Newest first. */
  readonly items: readonly Command[];
  /** Present when there are more. */
  readonly cursor?: string;
}

/** Reads commands, from any handle to the state. */
export class CommandStore {
  readonly #database: StateDatabase;

  constructor(database: StateDatabase) {
    this.#database = database;
  }

  /** Undefined: there is none, or it is another device's. */
  async find(device: string, id: string): Promise<Command | undefined> {
    const row = await this.#database
      .selectFrom('command')
      .select(COMMAND_COLUMNS)
      .where('id', '=', id)
      .where('device', '=', device)
      .executeTakeFirst();
    return row === undefined ? undefined : commandOfRow(row);
  }

  /** @throws SelsynError `command.not-found` */
  async get(device: string, id: string): Promise<Command> {
    const found = await this.find(device, id);
    if (found === undefined) throw noCommand(device, id);
    return found;
  }

  /**
   * O(page) whatever states and name are asked for; with a device O(its commands) at most.
   * @throws SelsynError `request.invalid` for a cursor that is none
   */
  async list(query: CommandQuery): Promise<CommandPage> {
    const { device, states, name, limit } = query;
    if (query.cursor !== undefined) checkCursor(query.cursor);
    // The newest of each state, by its index; sorted together they would all have to be read.
    const asked = states === undefined ? undefined : [...new Set(states)];
    if (asked?.length === 0) return { items: [] };
    const ofAny = name === undefined ? undefined : COMMAND_STATES;
    const apart = device === undefined ? (asked ?? ofAny)?.map((state) => [state]) : undefined;
    const lists = [];
    for (const some of apart ?? [asked]) lists.push(await this.#newest({ ...query, states: some }));
    const found = lists.length === 1 ? (lists[0] ?? []) : lists.flat().toSorted((a, b) => (a.id < b.id ? 1 : -1));
    const items = found.slice(0, limit);
    const last = items.at(-1);
    return found.length > limit && last !== undefined ? { items, cursor: last.id } : { items };
  }

  /** One more than are asked for, where there are. */
  async #newest({ device, states, name, fromMs, toMs, limit, cursor }: CommandQuery): Promise<readonly Command[]> {
    let rows = this.#database.selectFrom('command').select(COMMAND_COLUMNS).orderBy('id', 'desc');
    if (fromMs !== undefined) rows = rows.where('id', '>=', idOfTime(fromMs));
    if (toMs !== undefined) rows = rows.where('id', '<', idOfTime(toMs));
    if (cursor !== undefined) rows = rows.where('id', '<', cursor);
    if (device !== undefined) rows = rows.where('device', '=', device);
    // Those that have not ended have a deadline: they are few, and have an index of their own.
    if (device !== undefined && states?.every((state) => !isFinished({ state })) === true)
      rows = rows.where('deadline_ms', 'is not', null);
    // That of the device leads: where a function stands around a column, its own index is out of the question.
    const isLed = device !== undefined;
    if (states !== undefined)
      rows = rows.where(({ eb, fn, val }) => eb(isLed ? fn.coalesce('state', val('')) : eb.ref('state'), 'in', states));
    if (name !== undefined)
      rows = rows.where(({ eb, fn, val }) => eb(isLed ? fn.coalesce('name', val('')) : eb.ref('name'), '=', name));
    return (await rows.limit(limit + 1).execute()).map(commandOfRow);
  }

  /** The newest commands of many devices, each newest first: for those who show devices. A hundred devices a statement. */
  async newestOf(devices: readonly string[], limit: number): Promise<ReadonlyMap<string, readonly Command[]>> {
    const rows = await rowsOfEach(this.#database, devices, (device) =>
      this.#database
        .selectFrom('command')
        .select(COMMAND_COLUMNS)
        .where('device', '=', device)
        .orderBy('id', 'desc')
        .limit(limit),
    );
    const found = new Map<string, Command[]>(devices.map((device) => [device, []]));
    for (const row of rows.toSorted((a, b) => (a.id < b.id ? 1 : -1))) found.get(row.device)?.push(commandOfRow(row));
    return found;
  }
}

export function noCommand(device: string, id: string): SelsynError {
  return new SelsynError('command.not-found', `there is no command ${id} of ${device}`, { details: { device, command: id } });
}

function checkCursor(cursor: string): void {
  if (COMMAND_ID_PATTERN.test(cursor)) return;
  throw new SelsynError('request.invalid', 'the cursor is not one that an earlier answer gave', { details: { field: 'cursor' } });
}
