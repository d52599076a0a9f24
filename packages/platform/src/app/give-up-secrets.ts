import { randomBytes } from 'node:crypto';
import { openSqliteDatabase } from '../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../database/migrate.ts';
import { systemClock } from '../kernel/clock.ts';
import { abandonSecrets } from '../secrets/abandon-secrets.ts';
import { openDataFolder } from './data-folder.ts';

/**
 * Gives up what is sealed in a data folder on which no server runs.
 *
 * @returns how many secrets of devices it were
 * @throws SelsynError `data.locked` while a server runs on it
 */
export async function giveUpSecrets(data: string): Promise<number> {
  using folder = openDataFolder(data);
  await using registry = openSqliteDatabase(folder.paths.registry);
  await migrate(registry.database);
  return await abandonSecrets({ database: registry.database, clock: systemClock, random: randomBytes });
}
