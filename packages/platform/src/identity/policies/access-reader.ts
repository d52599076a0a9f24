import { PreparedLookup } from '../../database/prepared-lookup.ts';
import type { Database } from '../../database/schema.ts';
import { lineageOf } from '../../registry/group-path.ts';
import type { AccessFacts } from './access-facts.ts';
import { CompiledPolicies, type NamedPolicy } from './compiled-policies.ts';
import { readPolicyDocument, type PolicyTarget } from './policy-store.ts';

/** A policy and why a device has it. */
export interface AttachedPolicy extends NamedPolicy {
  readonly by: PolicyTarget;
}

/** All policies, and where those stand that are attached to many devices at once, as of one version. */
interface Known {
  readonly version: number;
  readonly policies: ReadonlyMap<string, NamedPolicy>;
  /** By `{kind} {id}` of groups and types. */
  readonly attached: ReadonlyMap<string, readonly string[]>;
  /** Whether any device or credential has one of its own. */
  readonly hasSingles: boolean;
  /** By the names of the policies. */
  readonly compiled: Map<string, CompiledPolicies>;
}

/** Sets of policies that are kept compiled; there are as many as kinds of devices. */
const MAX_COMPILED = 1_000;
const NONE: readonly string[] = [];

/**
 * Finds the policies of a device in the database as last committed.
 *
 * What is kept of them is used only while the version in the database is that at which it was read, so it is never stale.
 */
export class AccessReader {
  readonly #database: Database;
  readonly #version: PreparedLookup<{ readonly version: number }>;
  #known: Known | undefined;

  /** @param database may be a read-only connection of this thread. */
  constructor(database: Database) {
    this.#database = database;
    this.#version = new PreparedLookup(database, () =>
      database.selectFrom('access_version').select('version').where('id', '=', 1),
    );
  }

  /** Compiled, shared by all devices that have the same ones. */
  async policiesOf(facts: AccessFacts, credentialId: string | undefined): Promise<CompiledPolicies> {
    const known = await this.#read();
    const names = [...new Set((await this.#namesOf(known, facts, credentialId)).map(({ name }) => name))];
    const key = names.join(' ');
    let compiled = known.compiled.get(key);
    if (compiled === undefined) {
      if (known.compiled.size >= MAX_COMPILED) known.compiled.clear();
      compiled = new CompiledPolicies(names.flatMap((name) => known.policies.get(name) ?? []));
      known.compiled.set(key, compiled);
    }
    return compiled;
  }

  /** One for each way in which the device has it, the widest first. */
  async attachedTo(facts: AccessFacts, credentialId: string | undefined): Promise<readonly AttachedPolicy[]> {
    const known = await this.#read();
    return (await this.#namesOf(known, facts, credentialId)).flatMap(({ name, by }) => {
      const policy = known.policies.get(name);
      return policy === undefined ? [] : [{ ...policy, by }];
    });
  }

  async #namesOf(
    known: Known,
    { group, type, deviceId }: AccessFacts,
    credentialId: string | undefined,
  ): Promise<readonly { readonly name: string; readonly by: PolicyTarget }[]> {
    const shared: PolicyTarget[] = lineageOf(group).map((id) => ({ kind: 'group', id }));
    if (type !== undefined) shared.push({ kind: 'type', id: type });
    const found = shared.flatMap((by) => (known.attached.get(keyOf(by)) ?? NONE).map((name) => ({ name, by })));
    if (!known.hasSingles) return found;
    const rows = await this.#database
      .selectFrom('policy_attachment')
      .selectAll()
      .where((builder) =>
        builder.or([
          builder.and([builder('target_kind', '=', 'device'), builder('target_id', '=', deviceId)]),
          builder.and([builder('target_kind', '=', 'credential'), builder('target_id', '=', credentialId ?? '')]),
        ]),
      )
      .orderBy('target_kind', 'desc')
      .orderBy('policy_name')
      .execute();
    const singles = rows.map((row) => ({
      name: row.policy_name,
      by: { kind: row.target_kind as PolicyTarget['kind'], id: row.target_id },
    }));
    return [...found, ...singles];
  }

  async #read(): Promise<Known> {
    const [row] = await this.#version.find('');
    const version = Number(row?.version ?? 0);
    if (this.#known?.version === version) return this.#known;
    const rows = await this.#database.selectFrom('policy').select(['name', 'document']).execute();
    const attachments = await this.#database
      .selectFrom('policy_attachment')
      .selectAll()
      .where('target_kind', 'in', ['group', 'type'])
      .orderBy('policy_name')
      .execute();
    const single = await this.#database
      .selectFrom('policy_attachment')
      .select('policy_name')
      .where('target_kind', 'in', ['device', 'credential'])
      .limit(1)
      .executeTakeFirst();
    const attached = new Map<string, string[]>();
    for (const { target_kind: kind, target_id: id, policy_name: name } of attachments) {
      const key = keyOf({ kind: kind as PolicyTarget['kind'], id });
      attached.set(key, [...(attached.get(key) ?? []), name]);
    }
    const policies = new Map(rows.map(({ name, document }) => [name, { name, document: readPolicyDocument(name, document) }]));
    // Read before the rest: if that has changed meanwhile, the next question reads it again.
    this.#known = { version, policies, attached, hasSingles: single !== undefined, compiled: new Map() };
    return this.#known;
  }
}

function keyOf({ kind, id }: PolicyTarget): string {
  return `${kind} ${id}`;
}
