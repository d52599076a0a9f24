import type { SqlAnswer, SqlQueries, SqlRequest } from './sql-query.ts';

const STATISTICS = {
  hotPoints: 1,
  storedPoints: 2,
  rollupRows: 0,
  archiveFiles: 0,
  archiveRows: 0,
  archiveBytes: 0,
  archivedHours: 0,
  waitedMs: 0,
  elapsedMs: 3,
};

/** Answers with one row, and keeps what it was asked. */
export class FakeSql implements SqlQueries {
  readonly requests: SqlRequest[] = [];
  failure: unknown;
  /** Answers that were not disposed of. */
  open = 0;

  async run(request: SqlRequest): Promise<SqlAnswer> {
    this.requests.push(request);
    if (this.failure !== undefined) throw this.failure;
    const data = Buffer.from(request.format === 'json' ? '[[1]]' : 'n\n1\n');
    this.open++;
    return {
      format: request.format,
      columns: [{ name: 'n', type: 'INTEGER' }],
      rows: 1,
      limited: request.maxRows === 1,
      bytes: data.length,
      statistics: STATISTICS,
      // oxlint-disable-next-line typescript/require-await -- as the real one
      read: async function* () {
        yield data;
      },
      [Symbol.dispose]: () => void this.open--,
    };
  }
}
