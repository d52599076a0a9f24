import type { Database } from '../database/schema.ts';
import type { Find } from './check.ts';

export interface CertificateRules {
  /** Certificates that end in less than this are found. */
  readonly expiringWithinMs: number;
  /** Certificates that have been in use for longer are found. */
  readonly maxAgeMs: number;
}

/** Read at once: some ms of the thread that also answers the API. */
const PAGE = 2_000;
const DAY_MS = 86_400_000;

/**
 * Looks once at every certificate that is active: whether it ends soon, is old, has a weak key, or is of a revoked authority. Takes
 * turns with everything else.
 * @returns how many there are
 */
export async function checkCertificates(
  database: Database,
  { expiringWithinMs, maxAgeMs, nowMs }: CertificateRules & { readonly nowMs: number },
  find: Find,
): Promise<number> {
  const revoked = await revokedAuthorities(database);
  let examined = 0;
  for (let after = ''; ;) {
    const rows = await database
      .selectFrom('certificate')
      .leftJoin('device', 'device.id', 'certificate.device_id')
      .leftJoin('device_group', 'device_group.id', 'device.group_id')
      .select([
        'certificate.id',
        'certificate.device_id',
        'certificate.purpose',
        'certificate.authority_id',
        'certificate.key_kind',
        'certificate.not_after_ms',
        'certificate.activated_at_ms',
        'certificate.created_at_ms',
        'device_group.path',
      ])
      .where('certificate.status', '=', 'active')
      .where('certificate.id', '>', after)
      .orderBy('certificate.id')
      .limit(PAGE)
      .execute();
    for (const row of rows) {
      const object = { kind: 'certificate', id: row.id } as const;
      const group = row.path ?? '/';
      const whose = row.device_id === null ? `a ${row.purpose}` : `device ${row.device_id}`;
      const leftMs = Number(row.not_after_ms) - nowMs;
      if (leftMs <= expiringWithinMs) {
        const reason = leftMs <= 0 ? `that of ${whose} has expired` : `that of ${whose} expires in ${daysOf(leftMs)} days`;
        find({ check: 'certificate-expiring', object, group, reason });
      }
      const ageMs = nowMs - Number(row.activated_at_ms ?? row.created_at_ms);
      if (ageMs > maxAgeMs)
        find({ check: 'certificate-age', object, group, reason: `that of ${whose} has been in use for ${daysOf(ageMs)} days` });
      if (isWeak(row.key_kind))
        find({ check: 'certificate-weak-key', object, group, reason: `that of ${whose} has a key of the kind ${row.key_kind}` });
      if (revoked.has(row.authority_id)) {
        const reason = `that of ${whose} is of an authority that is revoked`;
        find({ check: 'authority-revoked-in-use', object, group, reason });
      }
    }
    examined += rows.length;
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE) return examined;
    after = last.id;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** NIST SP 800-57: RSA of less than 2,048 bits is no more; of what is not known nothing good can be said. */
export function isWeak(keyKind: string): boolean {
  const bits = /^RSA-(\d+)$/.exec(keyKind)?.[1];
  return bits === undefined ? !/^P-(256|384|521)$/.test(keyKind) : Number(bits) < 2_048;
}

function daysOf(ms: number): number {
  return Math.floor(ms / DAY_MS);
}

async function revokedAuthorities(database: Database): Promise<ReadonlySet<string>> {
  const rows = await database.selectFrom('authority').select('id').where('status', '=', 'revoked').execute();
  return new Set(rows.map(({ id }) => id));
}
