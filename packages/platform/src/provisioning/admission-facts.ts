import type { Database } from '../database/schema.ts';
import type { AdmissionFacts } from './admission.ts';

export interface Wanted {
  readonly template: string;
  readonly serial: string;
  readonly deviceId: string;
}

/** What the database says of each, in their order: six statements, however many they are. */
export async function readAdmissionFacts(database: Database, wanted: readonly Wanted[]): Promise<readonly AdmissionFacts[]> {
  const serials = [...new Set(wanted.map(({ serial }) => serial))];
  const templates = [...new Set(wanted.map(({ template }) => template))];
  const ids = [...new Set(wanted.map(({ deviceId }) => deviceId))];
  const entries = await database
    .selectFrom('manifest_entry')
    .select(['template', 'serial', 'batch', 'key_hash', 'proof_hash', 'used_at_ms'])
    .where('template', 'in', templates)
    .where('serial', 'in', serials)
    .execute();
  const quarantined = await database
    .selectFrom('enrolment_quarantine')
    .select(['template', 'serial', 'status'])
    .where('template', 'in', templates)
    .where('serial', 'in', serials)
    .execute();
  const devices = await database
    .selectFrom('device')
    .innerJoin('device_group', 'device_group.id', 'device.group_id')
    .select(['device.id', 'device_group.path'])
    .where('device.id', 'in', ids)
    .execute();
  const certified = await database
    .selectFrom('certificate')
    .select('device_id')
    .where('device_id', 'in', ids)
    .where('status', '<>', 'pending')
    .execute();
  const tokens = await database.selectFrom('device_token').select('device_id').where('device_id', 'in', ids).execute();

  const entryOf = new Map(entries.map((entry) => [keyOf(entry), entry]));
  const quarantineOf = new Map(quarantined.map((row) => [keyOf(row), row.status as NonNullable<AdmissionFacts['quarantine']>]));
  const groupOf = new Map(devices.map(({ id, path }) => [id, path]));
  const withCredential = new Set([...certified, ...tokens].map((row) => row.device_id));
  return wanted.map((each): AdmissionFacts => {
    const entry = entryOf.get(keyOf(each));
    return {
      entry:
        entry === undefined
          ? undefined
          : { batch: entry.batch, keyHash: entry.key_hash, proofHash: entry.proof_hash, isUsed: entry.used_at_ms !== null },
      quarantine: quarantineOf.get(keyOf(each)),
      deviceGroup: groupOf.get(each.deviceId),
      hasCredential: withCredential.has(each.deviceId),
    };
  });
}

/** The name of a template has no line break. */
function keyOf({ template, serial }: { readonly template: string; readonly serial: string }): string {
  return `${template}\n${serial}`;
}
