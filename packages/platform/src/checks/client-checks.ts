import type { Database } from '../database/schema.ts';
import type { Find } from './check.ts';

/** What the gateways know, as the checks need it. */
export interface ClientFacts {
  /** Of every connection whose client showed a certificate. */
  credentialUses(): Promise<
    readonly {
      readonly credentialId: string;
      readonly principalId: string;
      readonly clientId: string;
      readonly remoteAddress: string;
    }[]
  >;
  /** Clients whose connections were taken over so often or more, no longer than a day ago. */
  takenOver(
    atLeast: number,
  ): Promise<readonly { readonly clientId: string; readonly principalId: string; readonly count: number }[]>;
}

/** A device on a bad network takes over its own connection some times a day. */
const TAKEOVERS_OF_A_CONFLICT = 10;
/** SQLite binds more. */
const IDS_PER_QUERY = 500;
const NAMED = 3;

/** Looks at who is connected now. @returns how many connections showed a certificate */
export async function checkClients(database: Database, clients: ClientFacts, find: Find): Promise<number> {
  const uses = await clients.credentialUses();
  const byCredential = Map.groupBy(uses, ({ credentialId }) => credentialId);
  const groupOf = await groupsOf(database, [...new Set(uses.map(({ principalId }) => principalId))]);
  for (const [credentialId, [first, ...others]] of byCredential) {
    // Units of a batch share their claim: that is what it is for.
    if (first === undefined || others.length === 0 || first.principalId.startsWith('claim/')) continue;
    const names = [first, ...others].slice(0, NAMED).map(({ clientId, remoteAddress }) => `${clientId} from ${remoteAddress}`);
    const reason = `that of device ${first.principalId} is used by ${others.length + 1} clients at once: ${names.join(', ')}`;
    const group = groupOf.get(first.principalId) ?? '/';
    find({ check: 'certificate-shared', object: { kind: 'certificate', id: credentialId }, group, reason });
  }
  for (const credentialId of await revokedAmong(database, [...byCredential.keys()])) {
    const [use] = byCredential.get(credentialId) ?? [];
    const reason = `client ${use?.clientId ?? ''} is connected with it`;
    const group = groupOf.get(use?.principalId ?? '') ?? '/';
    find({ check: 'certificate-revoked-connected', object: { kind: 'certificate', id: credentialId }, group, reason });
  }
  const fought = await clients.takenOver(TAKEOVERS_OF_A_CONFLICT);
  const groups = await groupsOf(database, [...new Set(fought.map(({ principalId }) => principalId))]);
  for (const { clientId, principalId, count } of fought) {
    const reason = `its connections, as device ${principalId}, were taken over ${count} times by others with the same client id`;
    find({
      check: 'client-id-conflict',
      object: { kind: 'client', id: clientId },
      group: groups.get(principalId) ?? '/',
      reason,
    });
  }
  return uses.length;
}

async function groupsOf(database: Database, devices: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const groups = new Map<string, string>();
  for (let start = 0; start < devices.length; start += IDS_PER_QUERY) {
    const rows = await database
      .selectFrom('device')
      .innerJoin('device_group', 'device_group.id', 'device.group_id')
      .select(['device.id', 'device_group.path'])
      .where('device.id', 'in', devices.slice(start, start + IDS_PER_QUERY))
      .execute();
    for (const { id, path } of rows) groups.set(id, path);
  }
  return groups;
}

async function revokedAmong(database: Database, ids: readonly string[]): Promise<readonly string[]> {
  const revoked: string[] = [];
  for (let start = 0; start < ids.length; start += IDS_PER_QUERY) {
    const rows = await database
      .selectFrom('certificate')
      .select('id')
      .where('id', 'in', ids.slice(start, start + IDS_PER_QUERY))
      .where('status', '!=', 'active')
      .execute();
    revoked.push(...rows.map(({ id }) => id));
  }
  return revoked;
}
