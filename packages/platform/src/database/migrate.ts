import type { Kysely } from 'kysely';
import { Migrator, type Migration } from 'kysely/migration';
import { isSelsynError, SelsynError } from '../kernel/errors.ts';
import { devices } from './migrations/0001-devices.ts';
import { deviceTokens } from './migrations/0002-device-tokens.ts';
import { apiKeys } from './migrations/0003-api-keys.ts';
import { scram } from './migrations/0004-scram.ts';
import { auditTrail } from './migrations/0005-audit-trail.ts';
import { registry } from './migrations/0006-registry.ts';
import { certificates } from './migrations/0007-certificates.ts';
import { policies } from './migrations/0008-policies.ts';
import { provisioning } from './migrations/0009-provisioning.ts';
import { people } from './migrations/0010-people.ts';
import { imports } from './migrations/0011-imports.ts';
import { secrets } from './migrations/0012-secrets.ts';
import { checks } from './migrations/0013-checks.ts';
import { provisioningTokens } from './migrations/0014-provisioning-tokens.ts';
import { deviceChanges } from './migrations/0015-device-changes.ts';
import { accessKeys } from './migrations/0016-access-keys.ts';
import { presence } from './migrations/0017-presence.ts';
import { deviceTypeChanges } from './migrations/0018-device-type-changes.ts';
import { commandTopics } from './migrations/0019-command-topics.ts';
import { shadowTerms } from './migrations/0020-shadow-terms.ts';
import { retention } from './migrations/0021-retention.ts';
import { decoders } from './migrations/0022-decoders.ts';
import { forwarders } from './migrations/0023-forwarders.ts';
import { sparkplugTopics } from './migrations/0024-sparkplug-topics.ts';

/** In the order of their names. What was released is never changed or taken away: a new one is added. */
export const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001-devices': devices,
  '0002-device-tokens': deviceTokens,
  '0003-api-keys': apiKeys,
  '0004-scram': scram,
  '0005-audit-trail': auditTrail,
  '0006-registry': registry,
  '0007-certificates': certificates,
  '0008-policies': policies,
  '0009-provisioning': provisioning,
  '0010-people': people,
  '0011-imports': imports,
  '0012-secrets': secrets,
  '0013-checks': checks,
  '0014-provisioning-tokens': provisioningTokens,
  '0015-device-changes': deviceChanges,
  '0016-access-keys': accessKeys,
  '0017-presence': presence,
  '0018-device-type-changes': deviceTypeChanges,
  '0019-command-topics': commandTopics,
  '0020-shadow-terms': shadowTerms,
  '0021-retention': retention,
  '0022-decoders': decoders,
  '0023-forwarders': forwarders,
  '0024-sparkplug-topics': sparkplugTopics,
};

/**
 * Brings the database to the newest schema in one transaction; each step is recorded with its name.
 *
 * @param path as an error names it.
 * @returns the names of the steps that were taken now, none when it was up to date.
 * @throws SelsynError `data.corrupt` when the database was made by a newer program, `internal` when a step fails.
 */
export async function migrate<S>(
  database: Kysely<S>,
  migrations: Readonly<Record<string, Migration>> = MIGRATIONS,
  path = 'the database',
): Promise<readonly string[]> {
  const migrator = new Migrator({ db: database, provider: { getMigrations: async () => ({ ...migrations }) } });
  const { error, results } = await migrator.migrateToLatest();
  if (error !== undefined) {
    if (isSelsynError(error)) throw error;
    const failed = results?.find((result) => result.status === 'Error')?.migrationName;
    if (failed === undefined) {
      throw new SelsynError('data.corrupt', `${path} was made by a newer version of this program, or its steps were changed`, {
        cause: error,
      });
    }
    throw new SelsynError('internal', `the database could not be brought up to date: step ${failed} failed`, {
      cause: error,
      details: { step: failed },
    });
  }
  return (results ?? []).map((result) => result.migrationName);
}
