import { createHash } from 'node:crypto';
import { systemActor, type Actor } from '../audit/actor.ts';
import type { AuditTrail } from '../audit/audit-trail.ts';
import type { Database, Schema } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { RandomBytes } from '../kernel/secret.ts';
import { ROOT_GROUP } from '../registry/group-path.ts';
import type { GrantStore, RoleAt } from './grant-store.ts';
import type { RoleStore } from './role-store.ts';
import { MAX_DISPLAY_NAME_LENGTH, nameOf, USER_NAME } from './user.ts';
import { holderOf, insertUser, newRow, shown } from './users.ts';

type Row = Schema['user_account'];

/** Somebody whom the identity provider vouches for. */
export interface OidcPerson {
  readonly issuer: string;
  /** What never changes with the provider: the only thing that a user is found by. */
  readonly subject: string;
  /** What the user would like to be called. */
  readonly preferredName: string;
  readonly displayName: string | undefined;
  /** By the rules for the claims. */
  readonly roles: readonly RoleAt[];
}

const ID_BYTES = 12;
const ACTOR: Actor = systemActor('oidc');

/**
 * The users whom the identity provider brings: made at the first sign-in, their roles from there brought up to date at each.
 *
 * A user is never found by name or address of mail: else whoever can choose those at the provider could become somebody else.
 */
export class OidcUsers {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #random: RandomBytes;
  readonly #audit: AuditTrail;
  readonly #grants: GrantStore;
  readonly #roles: RoleStore;

  constructor(dependencies: {
    readonly database: Database;
    readonly clock: Clock;
    readonly random: RandomBytes;
    readonly audit: AuditTrail;
    readonly grants: GrantStore;
    readonly roles: RoleStore;
  }) {
    this.#database = dependencies.database;
    this.#clock = dependencies.clock;
    this.#random = dependencies.random;
    this.#audit = dependencies.audit;
    this.#grants = dependencies.grants;
    this.#roles = dependencies.roles;
  }

  /** @throws SelsynError `access.denied` when no rule gives this person a role, and nobody here did; `sign-in.failed` when disabled */
  async admit(person: OidcPerson): Promise<Row> {
    const admitted = await this.#database.transaction().execute(async (transaction) => {
      const known = await transaction
        .selectFrom('user_account')
        .selectAll()
        .where('oidc_issuer', '=', person.issuer)
        .where('oidc_subject', '=', person.subject)
        .executeTakeFirst();
      if (known !== undefined && known.disabled !== 0) {
        throw new SelsynError('sign-in.failed', 'this account may not sign in');
      }
      const roles = await this.#existing(transaction, person.roles);
      if (known === undefined && roles.length === 0) return undefined;
      const user = known ?? (await this.#add(transaction, { ...person, roles }));
      const left = await this.#syncRoles(transaction, user, roles);
      return left === 0 ? undefined : user;
    });
    // Not thrown in the transaction: the roles that are gone stay gone.
    if (admitted === undefined) {
      throw new SelsynError(
        'access.denied',
        `the identity provider knows ${person.preferredName}, but nobody gave them a role here`,
      );
    }
    return admitted;
  }

  /** A rule may name a role that nobody has made. */
  async #existing(transaction: Database, roles: readonly RoleAt[]): Promise<readonly RoleAt[]> {
    const found = await Promise.all(roles.map(async ({ role }) => (await this.#roles.find(role, transaction)) !== undefined));
    return roles.filter((_, at) => found[at]);
  }

  async #add(transaction: Database, person: OidcPerson): Promise<Row> {
    const groups = new Set(person.roles.map(({ group }) => group));
    const [only] = groups;
    const row = newRow({
      id: Buffer.from(this.#random(ID_BYTES)).toString('base64url'),
      name: await freeName(transaction, person),
      displayName: person.displayName?.slice(0, MAX_DISPLAY_NAME_LENGTH),
      group: groups.size === 1 && only !== undefined ? only : ROOT_GROUP,
      hash: null,
      oidc: { issuer: person.issuer, subject: person.subject },
      nowMs: this.#clock.now(),
    });
    await insertUser(transaction, row);
    const object = { kind: 'user', id: row.name };
    await this.#audit.record(
      [{ actor: ACTOR, action: 'user.create', object, group: row.group_path, after: { ...shown(row), issuer: person.issuer } }],
      transaction,
    );
    return row;
  }

  /** @returns how many grants the user has then, those of others included. */
  async #syncRoles(transaction: Database, user: Row, roles: readonly RoleAt[]): Promise<number> {
    const holder = holderOf(user);
    const by = { source: 'oidc', actor: ACTOR } as const;
    const present = (await this.#grants.of(transaction, holder)).filter((grant) => grant.source === 'oidc');
    for (const grant of present) {
      if (!roles.some((role) => role.role === grant.role && role.group === grant.group)) {
        await this.#grants.take(transaction, holder, grant, by);
      }
    }
    for (const role of roles) await this.#grants.give(transaction, holder, role, by);
    return (await this.#grants.of(transaction, holder)).length;
  }
}

/** The preferred name as a user name; with a few letters that are this person's alone where somebody has it already. */
async function freeName(transaction: Database, { preferredName, issuer, subject }: OidcPerson): Promise<string> {
  const wished = nameOf(preferredName)
    .replaceAll(/[^\p{L}\p{N}._@+-]+/gu, '-')
    .replace(/^[^\p{L}\p{N}]+/u, '')
    .slice(0, 100);
  const mark = createHash('sha256').update(`${issuer}\n${subject}`).digest('hex').slice(0, 10);
  const base = USER_NAME.test(wished) ? wished : `user-${mark}`;
  const taken = await transaction.selectFrom('user_account').select('id').where('name', '=', base).executeTakeFirst();
  return taken === undefined ? base : `${base}-${mark}`;
}
