import type { Database } from '../database/schema.ts';
import { isSelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { DataKeys } from './data-keys.ts';
import { SEALED_ROWS, type SealedRow, type SealedRows } from './sealed-rows.ts';
import { keyIdOf } from './sealed-value.ts';
import { contextOf as placeOfServerSecret } from './server-secrets.ts';

export interface ResealingProgress {
  readonly done: number;
  /** As counted when it began. */
  readonly total: number;
  /** Left as they are: changed by somebody, or in the wrong place. */
  readonly unreadable: number;
}

/** A page takes few ms; others come in between. */
const ROWS_A_PAGE = 100;

/**
 * Brings everything that is sealed with an older key under the current one, in the background.
 *
 * Each value is written only if it is still the one that was read, so whoever sets it meanwhile is not overwritten. Broken off at
 * any point it can begin again: what is done names the current key.
 */
export class Resealing implements AsyncDisposable {
  readonly #database: Database;
  readonly #keys: DataKeys;
  readonly #logLines: Pick<LogLines, 'info' | 'error'>;
  #running: Promise<void> | undefined;
  #isAgain = false;
  #isStopped = false;
  #progress: ResealingProgress | undefined;

  constructor(dependencies: {
    readonly database: Database;
    readonly keys: DataKeys;
    readonly logLines: Pick<LogLines, 'info' | 'error'>;
  }) {
    this.#database = dependencies.database;
    this.#keys = dependencies.keys;
    this.#logLines = dependencies.logLines;
  }

  /** Undefined: nothing is under way. */
  get progress(): ResealingProgress | undefined {
    return this.#progress;
  }

  /** Begins, or once more when what is under way is done. */
  start(): void {
    if (this.#isStopped) return;
    if (this.#running !== undefined) {
      this.#isAgain = true;
      return;
    }
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      if (!this.#isAgain) return;
      this.#isAgain = false;
      this.start();
    });
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    await this.settled();
  }

  async #run(): Promise<void> {
    try {
      const total = await this.#count();
      this.#progress = { done: 0, total, unreadable: 0 };
      await this.#serverSecrets();
      for (const rows of SEALED_ROWS) await this.#all(rows);
      if (this.#isStopped) return;
      const { done, unreadable } = this.#progress;
      if (total > 0) this.#logLines.info({ done, unreadable }, 'sealed values were brought under the current key');
      await this.#forgetUnused();
    } catch (error) {
      // They stay readable under their key; the next start of the server goes on.
      this.#logLines.error({ err: error }, 'sealed values could not be brought under the current key');
    } finally {
      this.#progress = undefined;
    }
  }

  async #count(): Promise<number> {
    let count = 0;
    for (const rows of SEALED_ROWS) count += await rows.count(this.#database, this.#keys.currentId);
    return count;
  }

  async #serverSecrets(): Promise<void> {
    const rows = await this.#database.selectFrom('server_secret').select(['name', 'sealed']).execute();
    for (const { name, sealed } of rows) {
      if (sealed === null || keyIdOf(sealed) === this.#keys.currentId) continue;
      const anew = this.#keys.seal(this.#keys.open(sealed, placeOfServerSecret(name)), placeOfServerSecret(name));
      await this.#database
        .updateTable('server_secret')
        .set({ sealed: anew.sealed })
        .where('name', '=', name)
        .where('sealed', '=', sealed)
        .execute();
    }
  }

  async #all(rows: SealedRows): Promise<void> {
    let after: readonly string[] | undefined = [];
    while (after !== undefined && !this.#isStopped) {
      after = await this.#page(rows, after);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** @returns where the next page begins; undefined: that was the last */
  async #page(rows: SealedRows, after: readonly string[]): Promise<readonly string[] | undefined> {
    return await this.#database.transaction().execute(async (transaction) => {
      const page = await rows.page(transaction, this.#keys.currentId, after, ROWS_A_PAGE);
      for (const row of page) await this.#reseal(transaction, rows, row);
      return page.length < ROWS_A_PAGE ? undefined : page.at(-1)?.at;
    });
  }

  async #reseal(transaction: Database, rows: SealedRows, row: SealedRow): Promise<void> {
    const { done, total, unreadable } = this.#progress ?? { done: 0, total: 0, unreadable: 0 };
    const { place, sealed } = row;
    try {
      await rows.replace(transaction, row, this.#keys.seal(this.#keys.open(sealed, place), place));
      this.#progress = { done: done + 1, total, unreadable };
    } catch (error) {
      if (!isSelsynError(error, 'secrets.unreadable')) throw error;
      this.#logLines.error(
        { what: rows.what, owner: place.owner, secret: place.name },
        'a sealed value was changed, or belongs to another place',
      );
      this.#progress = { done, total, unreadable: unreadable + 1 };
    }
  }

  async #forgetUnused(): Promise<void> {
    for (const { id, retiredAtMs } of this.#keys.list()) {
      if (retiredAtMs === undefined) continue;
      await this.#database.transaction().execute(async (transaction) => {
        if (await this.#isUsed(transaction, id)) return;
        await this.#keys.forget(id, transaction);
      });
    }
  }

  async #isUsed(transaction: Database, id: string): Promise<boolean> {
    for (const rows of SEALED_ROWS) if (await rows.uses(transaction, id)) return true;
    const rows = await transaction.selectFrom('server_secret').select('sealed').execute();
    return rows.some(({ sealed }) => sealed !== null && keyIdOf(sealed) === id);
  }
}
