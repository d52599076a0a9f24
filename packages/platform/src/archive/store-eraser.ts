import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SeriesReader } from '../telemetry/series-reader.ts';
import type { StoreEraser } from './erasures.ts';

/** What an erasure needs of the telemetry store: the processor forgets, the catalog tells how far it is. */
export class CatalogStoreEraser implements StoreEraser {
  readonly #telemetryDir: string;
  readonly #forget: (device: string) => Promise<void>;

  constructor(options: { readonly telemetryDir: string; readonly forget: (device: string) => Promise<void> }) {
    this.#telemetryDir = options.telemetryDir;
    this.#forget = options.forget;
  }

  seriesOf(device: string): readonly number[] {
    using reader = new SeriesReader(this.#telemetryDir);
    return [...reader.ofDevices([device])].map(({ id }) => id);
  }

  async forget(device: string): Promise<void> {
    await this.#forget(device);
  }

  waiting(series: readonly number[]): readonly number[] {
    if (series.length === 0) return [];
    const db = new DatabaseSync(join(this.#telemetryDir, 'catalog.db'), { readOnly: true });
    try {
      db.exec('PRAGMA busy_timeout = 1000');
      // Of a device that is not forgotten yet they still stand in `series`.
      const query = `SELECT value FROM json_each(?) WHERE value IN (SELECT series FROM forgotten_series) OR value IN (SELECT id FROM series)`;
      return db
        .prepare(query)
        .all(JSON.stringify(series))
        .map((row) => Number(row['value']));
    } finally {
      db.close();
    }
  }
}
