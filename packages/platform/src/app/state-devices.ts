import type { StateDatabase } from '../database/schema.ts';
import { keyOf } from '../shadows/shadow-row.ts';

const AT_ONCE = 1_000;

/** All devices that have a shadow, a command or a job, in no order, some more than once. */
export async function* devicesOfState(database: StateDatabase): AsyncGenerator<readonly string[]> {
  for (let after = ''; ;) {
    const query = database.selectFrom('shadow').select('path').where('path', '>', after).orderBy('path').limit(AT_ONCE);
    const paths = (await query.execute()).map(({ path }) => path);
    const last = paths.at(-1);
    if (last === undefined) break;
    yield paths.map((path) => keyOf(path).device);
    after = last;
  }
  for (const table of ['command', 'job_execution', 'job_waiting'] as const) {
    for (let after = ''; ;) {
      const query = database
        .selectFrom(table)
        .select('device')
        .distinct()
        .where('device', '>', after)
        .orderBy('device')
        .limit(AT_ONCE);
      const devices = (await query.execute()).map(({ device }) => device);
      const last = devices.at(-1);
      if (last === undefined) break;
      yield devices;
      after = last;
    }
  }
}
