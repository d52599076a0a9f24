import { X509Certificate } from 'node:crypto';
import type { Database } from '../database/schema.ts';
import { isWeak } from './certificate-checks.ts';
import type { Find } from './check.ts';

const DAY_MS = 86_400_000;

/** Looks at the authorities that are trusted. @returns how many there are */
export async function checkAuthorities(
  database: Database,
  { expiringWithinMs, nowMs }: { readonly expiringWithinMs: number; readonly nowMs: number },
  find: Find,
): Promise<number> {
  const rows = await database.selectFrom('authority').selectAll().where('status', '=', 'active').execute();
  for (const row of rows) {
    const object = { kind: 'authority', id: row.id } as const;
    const leftMs = Number(row.not_after_ms) - nowMs;
    if (leftMs <= expiringWithinMs) {
      const when = leftMs <= 0 ? 'has expired' : `expires in ${Math.floor(leftMs / DAY_MS)} days`;
      find({ check: 'authority-expiring', object, group: '/', reason: `${row.subject} ${when}` });
    }
    const kind = keyKindOf(row.der);
    if (isWeak(kind))
      find({ check: 'authority-weak-key', object, group: '/', reason: `${row.subject} has a key of the kind ${kind}` });
  }
  return rows.length;
}

function keyKindOf(der: Uint8Array): string {
  const { asymmetricKeyType, asymmetricKeyDetails } = new X509Certificate(der).publicKey;
  if (asymmetricKeyType === 'rsa') return `RSA-${asymmetricKeyDetails?.modulusLength ?? 0}`;
  switch (asymmetricKeyDetails?.namedCurve) {
    case 'prime256v1':
      return 'P-256';
    case 'secp384r1':
      return 'P-384';
    case 'secp521r1':
      return 'P-521';
    default:
      return asymmetricKeyDetails?.namedCurve ?? asymmetricKeyType ?? 'unknown';
  }
}
