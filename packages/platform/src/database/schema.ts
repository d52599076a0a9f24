import type { Kysely } from 'kysely';
import type { AccessTables } from './tables/access-tables.ts';
import type { AuditTables } from './tables/audit-tables.ts';
import type { CertificateTables } from './tables/certificate-tables.ts';
import type { CheckTables } from './tables/check-tables.ts';
import type { ForwarderTables } from './tables/forwarder-tables.ts';
import type { DecoderTables } from './tables/decoder-tables.ts';
import type { ImportTables } from './tables/import-tables.ts';
import type { PeopleTables } from './tables/people-tables.ts';
import type { PresenceTables } from './tables/presence-tables.ts';
import type { ProvisioningTables } from './tables/provisioning-tables.ts';
import type { ProvisioningTokenTables } from './tables/provisioning-token-tables.ts';
import type { RegistryTables } from './tables/registry-tables.ts';
import type { RetentionTables } from './tables/retention-tables.ts';
import type { CommandTables } from './tables/command-tables.ts';
import type { JobTables } from './tables/job-tables.ts';
import type { SecretTables } from './tables/secret-tables.ts';
import type { ShadowFleetTables } from './tables/shadow-fleet-tables.ts';
import type { ShadowSearchTables } from './tables/shadow-search-tables.ts';
import type { ShadowTables } from './tables/shadow-tables.ts';
import type { ShadowTermTables } from './tables/shadow-term-tables.ts';
import type { StateTables } from './tables/state-tables.ts';

/**
 * All tables, as the newest migration leaves them.
 *
 * Only types that every engine has: text, integers, and times as ms in a 64-bit integer. Hashes are base64url text.
 */
export interface Schema
  extends
    RegistryTables,
    ShadowTermTables,
    ImportTables,
    DecoderTables,
    AuditTables,
    CertificateTables,
    AccessTables,
    PresenceTables,
    ProvisioningTables,
    ProvisioningTokenTables,
    RetentionTables,
    PeopleTables,
    SecretTables,
    ForwarderTables,
    CheckTables {}

/** What the stores get. One connection: a transaction of one caller makes the others wait, so it must be short. */
export type Database = Kysely<Schema>;

/**
 * What devices are told and say of themselves: shadows, commands, jobs. On SQLite it is a file of its own with a writer of its own,
 * so that none waits for the other's transactions.
 */
export interface StateSchema extends StateTables, ShadowTables, ShadowFleetTables, ShadowSearchTables, CommandTables, JobTables {}

/** As {@link Database}, of the state. */
export type StateDatabase = Kysely<StateSchema>;
