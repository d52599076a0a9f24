import { LIST, listValue, timestampValue, VARCHAR, type DuckDBAppender, type DuckDBConnection } from '@duckdb/node-api';
import type { DeviceRow } from './sql-calls.ts';
import { TABLE_COLUMNS } from './table-columns.ts';

/** Makes the tables of what the registry knows. */
export class DeviceTableWriter implements Disposable {
  readonly #connection: DuckDBConnection;
  #appender: DuckDBAppender | undefined;

  constructor(connection: DuckDBConnection) {
    this.#connection = connection;
  }

  async add(rows: readonly DeviceRow[]): Promise<void> {
    if (this.#appender === undefined) {
      await this.#connection.run(`CREATE TABLE devices (${TABLE_COLUMNS.devices})`);
      this.#appender = await this.#connection.createAppender('devices');
    }
    const appender = this.#appender;
    for (const { id, name, type, group, tags, attributes, createdAtMs, updatedAtMs } of rows) {
      appender.appendVarchar(id);
      for (const text of [name, type]) {
        if (text === null) appender.appendNull();
        else appender.appendVarchar(text);
      }
      appender.appendVarchar(group);
      appender.appendList(listValue(tags), LIST(VARCHAR));
      appender.appendVarchar(attributes);
      for (const timeMs of [createdAtMs, updatedAtMs]) appender.appendTimestamp(timestampValue(BigInt(timeMs) * 1000n));
      appender.endRow();
    }
    appender.flushSync();
  }

  async finish(): Promise<void> {
    this.#appender?.closeSync();
    this.#appender = undefined;
  }

  /** A table of one column `id`. */
  async makeIds(table: string, ids: Iterable<string>): Promise<void> {
    await this.#connection.run(`CREATE TABLE ${table} (id VARCHAR)`);
    const appender = await this.#connection.createAppender(table);
    for (const id of ids) {
      appender.appendVarchar(id);
      appender.endRow();
    }
    appender.closeSync();
  }

  [Symbol.dispose](): void {
    this.#appender?.closeSync();
  }
}
