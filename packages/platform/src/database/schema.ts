import type { Kysely } from 'kysely';
import type { AccessTables } from './tables/access-tables.ts';
import type { AuditTables } from './tables/audit-tables.ts';
import type { CertificateTables } from './tables/certificate-tables.ts';
import type { CheckTables } from './tables/check-tables.ts';
import type { ImportTables } from './tables/import-tables.ts';
import type { PeopleTables } from './tables/people-tables.ts';
import type { ProvisioningTables } from './tables/provisioning-tables.ts';
import type { ProvisioningTokenTables } from './tables/provisioning-token-tables.ts';
import type { RegistryTables } from './tables/registry-tables.ts';
import type { SecretTables } from './tables/secret-tables.ts';

/**
 * All tables, as the newest migration leaves them.
 *
 * Only types that every engine has: text, integers, and times as ms in a 64-bit integer. Hashes are base64url text.
 */
export interface Schema
  extends
    RegistryTables,
    ImportTables,
    AuditTables,
    CertificateTables,
    AccessTables,
    ProvisioningTables,
    ProvisioningTokenTables,
    PeopleTables,
    SecretTables,
    CheckTables {}

/** What the stores get. One connection: a transaction of one caller makes the others wait, so it must be short. */
export type Database = Kysely<Schema>;
