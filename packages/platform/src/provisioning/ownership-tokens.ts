import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { hashSecret, newSecret, type RandomBytes } from '../kernel/secret.ts';
import { parseSteps } from './attempts.ts';
import { RefusedError, refusal } from './refusal.ts';

/** As AWS has it; an unused certificate is deleted then. */
export const OWNERSHIP_LIFE_MS = 3_600_000;

export interface OwnershipDraft {
  readonly certificateId: string;
  /** See `askerOf`. */
  readonly asker: string;
  readonly claimBatch?: string | undefined;
  readonly clientId: string;
  readonly remoteAddress: string;
  readonly steps: readonly string[];
}

/** What a token stands for. */
export interface Ownership {
  readonly tokenHash: string;
  readonly certificateId: string;
  readonly steps: readonly string[];
}

/** A certificate that nobody came for. */
export interface Unclaimed extends OwnershipDraft {
  readonly createdAtMs: number;
}

const ROWS_PER_STATEMENT = 100;

/** The one that a token is bound to beside its certificate: a certificate, or a device that connected without one. */
export function askerOf(request: { readonly certificateId: string | undefined; readonly deviceId?: string | undefined }): string {
  return request.certificateId ?? `device:${request.deviceId ?? ''}`;
}

/**
 * Tokens by which a certificate that was handed out is claimed: random, kept as a hash, for an hour, for the one certificate, for the
 * one who asked for it, once.
 */
export class OwnershipTokens {
  readonly #clock: Clock;
  readonly #random: RandomBytes;

  constructor(dependencies: { readonly clock: Clock; readonly random: RandomBytes }) {
    this.#clock = dependencies.clock;
    this.#random = dependencies.random;
  }

  /** One token for each, in their order. */
  async issue(drafts: readonly OwnershipDraft[], transaction: Database): Promise<readonly string[]> {
    const tokens = drafts.map(() => newSecret(this.#random));
    const createdAtMs = this.#clock.now();
    const rows = drafts.map((draft, index) => ({
      token_hash: hashSecret(tokens[index] ?? ''),
      certificate_id: draft.certificateId,
      asker: draft.asker,
      claim_batch: draft.claimBatch ?? null,
      client_id: draft.clientId,
      remote_address: draft.remoteAddress,
      steps: JSON.stringify(draft.steps),
      created_at_ms: createdAtMs,
      used_at_ms: null,
    }));
    for (let start = 0; start < rows.length; start += ROWS_PER_STATEMENT) {
      await transaction
        .insertInto('certificate_ownership')
        .values(rows.slice(start, start + ROWS_PER_STATEMENT))
        .execute();
    }
    return tokens;
  }

  /**
   * What a token stands for, while it is good.
   * @throws RefusedError; the device is told the same of a token that there is not, that is another's, or that is used.
   */
  async look(token: string, asker: string, database: Database): Promise<Ownership> {
    const tokenHash = hashSecret(token);
    const row = await database
      .selectFrom('certificate_ownership')
      .selectAll()
      .where('token_hash', '=', tokenHash)
      .executeTakeFirst();
    if (row === undefined) throw refused('ownership token is not known');
    if (row.asker !== asker) throw refused('ownership token was given to another');
    if (row.used_at_ms !== null) throw refused('ownership token was used before');
    if (Number(row.created_at_ms) + OWNERSHIP_LIFE_MS <= this.#clock.now()) throw refused('ownership token has expired');
    return { tokenHash, certificateId: row.certificate_id, steps: parseSteps(row.steps) };
  }

  /** @throws RefusedError where somebody was faster. */
  async use({ tokenHash }: Ownership, transaction: Database): Promise<void> {
    const nowMs = this.#clock.now();
    const used = await transaction
      .updateTable('certificate_ownership')
      .set({ used_at_ms: nowMs })
      .where('token_hash', '=', tokenHash)
      .where('used_at_ms', 'is', null)
      .where('created_at_ms', '>', nowMs - OWNERSHIP_LIFE_MS)
      .executeTakeFirst();
    if (used.numUpdatedRows === 0n) throw refused('ownership token was used meanwhile, or has expired');
  }

  /** Forgets a bounded number of those whose time is over. @returns those of them that nobody used */
  async forgetExpired(
    transaction: Database,
    limit: number,
  ): Promise<{ readonly forgotten: number; readonly unclaimed: readonly Unclaimed[] }> {
    const rows = await transaction
      .selectFrom('certificate_ownership')
      .selectAll()
      .where('created_at_ms', '<=', this.#clock.now() - OWNERSHIP_LIFE_MS)
      .orderBy('created_at_ms')
      .limit(limit)
      .execute();
    if (rows.length === 0) return { forgotten: 0, unclaimed: [] };
    await transaction
      .deleteFrom('certificate_ownership')
      .where(
        'token_hash',
        'in',
        rows.map((row) => row.token_hash),
      )
      .execute();
    const unclaimed = rows
      .filter((row) => row.used_at_ms === null)
      .map((row) => ({
        certificateId: row.certificate_id,
        asker: row.asker,
        ...(row.claim_batch !== null && { claimBatch: row.claim_batch }),
        clientId: row.client_id,
        remoteAddress: row.remote_address,
        steps: parseSteps(row.steps),
        createdAtMs: Number(row.created_at_ms),
      }));
    return { forgotten: rows.length, unclaimed };
  }
}

function refused(why: string): RefusedError {
  return new RefusedError(refusal('token-invalid', why));
}
