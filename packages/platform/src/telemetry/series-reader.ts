import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { SelsynError } from '../kernel/errors.ts';
import type { SeriesRow } from './catalog.ts';

const PAGE_ROWS = 10_000;
const BUSY_TIMEOUT_MS = 250;

// Both are answered by the index of (device, metric) alone, in its order: that of code units.
const AFTER = 'SELECT device, metric, id FROM series WHERE (device, metric) > (?, ?) ORDER BY device, metric LIMIT ?';
const OF_DEVICE = 'SELECT device, metric, id FROM series WHERE device = ? ORDER BY metric';

/**
 * Lists the series that may have chunks, from catalog.db, in any process and beside its writer. Series that are only in
 * memory are not there yet (hotScan tells them). No read transaction is open between two pages.
 */
export class SeriesReader implements Disposable {
  readonly #database: DatabaseSync;
  readonly #after: StatementSync;
  readonly #ofDevice: StatementSync;

  /** @throws SelsynError `telemetry.store-failed` */
  constructor(telemetryDir: string) {
    try {
      this.#database = new DatabaseSync(join(telemetryDir, 'catalog.db'), { readOnly: true });
    } catch (cause) {
      throw new SelsynError('telemetry.store-failed', 'the catalog of the series could not be opened', {
        cause,
        retryable: true,
      });
    }
    this.#database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    this.#after = this.#prepare(AFTER);
    this.#ofDevice = this.#prepare(OF_DEVICE);
  }

  /** All of them, by device and metric. */
  *all(): Generator<SeriesRow> {
    for (let device = '', metric = ''; ;) {
      const page = this.#rows(this.#after, device, metric, PAGE_ROWS);
      yield* page;
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE_ROWS) return;
      ({ device, metric } = last);
    }
  }

  /** Those of these devices: by device, in the order given, and metric. */
  *ofDevices(devices: Iterable<string>): Generator<SeriesRow> {
    for (const device of devices) yield* this.ofDevice(device);
  }

  /** Those of one device, by metric. @throws SelsynError `telemetry.store-failed` */
  ofDevice(device: string): SeriesRow[] {
    try {
      return this.#rows(this.#ofDevice, device);
    } catch (cause) {
      throw new SelsynError('telemetry.store-failed', 'the catalog of the series could not be read', { cause, retryable: true });
    }
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  #prepare(sql: string): StatementSync {
    const statement = this.#database.prepare(sql);
    statement.setReturnArrays(true);
    return statement;
  }

  #rows(statement: StatementSync, ...values: (string | number)[]): SeriesRow[] {
    const rows = statement.all(...values) as unknown as [string, string, number][];
    return rows.map(([device, metric, id]) => ({ device, metric, id }));
  }
}
