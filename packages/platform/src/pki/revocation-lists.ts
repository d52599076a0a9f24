import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import { encodeRevoked } from './crl.ts';
import type { CertificateId, RevocationReason, Signing } from './signing.ts';

/** A signed CRL as it is served. */
export interface RevocationList {
  readonly der: Uint8Array;
  readonly number: number;
  readonly thisUpdateMs: number;
  /** After it the list is not to be believed any more. */
  readonly nextUpdateMs: number;
  /** When a new one is made at the latest: copies are good until then. */
  readonly refreshAtMs: number;
}

export interface RevocationListsDependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly signing: Pick<Signing, 'makeCrl'>;
}

interface Kept {
  list: RevocationList | undefined;
  /** Grows with each revocation. */
  version: number;
  /** That of which `list` was made. */
  listVersion: number;
  making: Promise<RevocationList> | undefined;
  /** Not before this is the next one made (monotonic). */
  notBeforeMs: number;
}

/** Long enough for third parties to outlast a weekend without this server. */
const LIFE_MS = 4 * 86_400_000;
/** A new one is made once a day, whether something was revoked or not. */
const REFRESH_MS = 86_400_000;
/** An entry goes only after a list has still had it beyond the end of its certificate (RFC 5280, section 3.3). */
const KEEP_BEYOND_END_MS = LIFE_MS;
/** Clocks of others may be late. */
const BACKDATED_MS = 300_000;
const ROWS_PER_PAGE = 1_000;
/** A list that takes long to make is made for a sixth of the time at most. */
const REST_FACTOR = 5;
const MAX_REST_MS = 5_000;

/**
 * The lists of what authorities of this server have revoked (CRL, RFC 5280, section 5), made when they are asked for and kept until
 * something is revoked: an answer always has everything that was committed before the question. Certificates that have ended are left
 * out. Memory: the list itself, some 40 bytes an entry, once.
 */
export class RevocationLists {
  readonly #dependencies: RevocationListsDependencies;
  readonly #kept = new Map<CertificateId, Kept>();

  constructor(dependencies: RevocationListsDependencies) {
    this.#dependencies = dependencies;
  }

  /** The lists of these authorities are out of date; before or after the commit. */
  changed(authorityIds: Iterable<CertificateId>): void {
    for (const id of authorityIds) this.#keptOf(id).version += 1;
  }

  /** @throws SelsynError `authority.not-found` for one that is none of this server, `signer.unavailable`, `signer.busy` */
  async get(authorityId: CertificateId): Promise<RevocationList> {
    const { clock } = this.#dependencies;
    const kept = this.#kept.get(authorityId) ?? (await this.#open(authorityId));
    for (;;) {
      const { list } = kept;
      if (list !== undefined && kept.listVersion === kept.version && clock.now() < list.refreshAtMs) return list;
      // One that is under way may have read what was there before the last revocation: then it is not the answer.
      const { version } = kept;
      kept.making ??= this.#make(authorityId, kept).finally(() => (kept.making = undefined));
      const made = await kept.making;
      if (kept.listVersion >= version) return made;
    }
  }

  async #open(authorityId: CertificateId): Promise<Kept> {
    const row = await this.#dependencies.database
      .selectFrom('authority')
      .select('kind')
      .where('id', '=', authorityId)
      .executeTakeFirst();
    if (row?.kind !== 'own') throw noAuthority(authorityId);
    return this.#keptOf(authorityId);
  }

  #keptOf(authorityId: CertificateId): Kept {
    let kept = this.#kept.get(authorityId);
    if (kept === undefined) {
      kept = { list: undefined, version: 0, listVersion: -1, making: undefined, notBeforeMs: Number.NEGATIVE_INFINITY };
      this.#kept.set(authorityId, kept);
    }
    return kept;
  }

  async #make(authorityId: CertificateId, kept: Kept): Promise<RevocationList> {
    const { clock, signing } = this.#dependencies;
    const restMs = kept.notBeforeMs - clock.monotonicMs();
    if (restMs > 0) await new Promise<void>((resolve) => void clock.after(restMs, resolve));
    const startedMs = clock.monotonicMs();
    const { version } = kept;
    const nowMs = clock.now();
    const number = await this.#nextNumber(authorityId);
    const revoked = await this.#read(authorityId, nowMs);
    const nextUpdateMs = nowMs + LIFE_MS;
    const der = await signing.makeCrl({ authorityId, number, thisUpdateMs: nowMs - BACKDATED_MS, nextUpdateMs, revoked });
    const list = { der, number, thisUpdateMs: nowMs, nextUpdateMs, refreshAtMs: nowMs + REFRESH_MS };
    kept.list = list;
    kept.listVersion = version;
    const endedMs = clock.monotonicMs();
    kept.notBeforeMs = endedMs + Math.min((endedMs - startedMs) * REST_FACTOR, MAX_REST_MS);
    return list;
  }

  /** Numbers grow also over restarts (RFC 5280, section 5.2.3). */
  async #nextNumber(authorityId: CertificateId): Promise<number> {
    const row = await this.#dependencies.database
      .updateTable('authority')
      .set((builder) => ({ crl_number: builder('crl_number', '+', 1) }))
      .where('id', '=', authorityId)
      .where('kind', '=', 'own')
      .returning('crl_number')
      .executeTakeFirst();
    if (row === undefined) throw noAuthority(authorityId);
    return Number(row.crl_number);
  }

  async #read(authorityId: CertificateId, nowMs: number): Promise<readonly Uint8Array[]> {
    const pieces: Uint8Array[] = [];
    for (let last = { revokedAtMs: 0, id: '' }; ;) {
      const { revokedAtMs, id: lastId } = last;
      const rows = await this.#dependencies.database
        .selectFrom('certificate')
        .select(['id', 'serial', 'revoked_at_ms', 'revocation_reason', 'not_after_ms'])
        .where('authority_id', '=', authorityId)
        .where('revoked_at_ms', '>=', revokedAtMs)
        .where((builder) => builder.or([builder('revoked_at_ms', '>', revokedAtMs), builder('id', '>', lastId)]))
        .orderBy('revoked_at_ms')
        .orderBy('id')
        .limit(ROWS_PER_PAGE)
        .execute();
      const entries = rows
        .filter(({ not_after_ms: endsMs }) => Number(endsMs) + KEEP_BEYOND_END_MS > nowMs)
        .map(({ serial, revoked_at_ms: atMs, revocation_reason: reason }) => ({
          serial,
          revokedAtMs: Number(atMs),
          reason: (reason ?? 'unspecified') as RevocationReason,
        }));
      if (entries.length > 0) pieces.push(encodeRevoked(entries));
      const end = rows.at(-1);
      if (end === undefined || rows.length < ROWS_PER_PAGE) return pieces;
      last = { revokedAtMs: Number(end.revoked_at_ms), id: end.id };
      // Others have their turn between pages.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

function noAuthority(id: CertificateId): SelsynError {
  return new SelsynError('authority.not-found', `there is no authority ${id} of this server`, { details: { id } });
}
