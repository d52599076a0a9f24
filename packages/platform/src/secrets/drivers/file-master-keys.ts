import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { SelsynError, systemCode } from '../../kernel/errors.ts';
import type { RandomBytes } from '../../kernel/secret.ts';
import { DATA_KEY_BYTES, type MasterKey } from '../master-key.ts';
import { openValue, sealValue, type SealContext } from '../sealed-value.ts';

/*
 * The file, mode 0600:
 *
 *   # comment
 *   id SP key LF        ; the current one first; others only while a rotation is under way
 *
 *   id  = 16HEXDIG      ; the first 8 bytes of SHA-256("selsyn master key" | key)
 *   key = 43base64url   ; 32 random bytes
 */

const HEADER =
  '# Selsyn master key: whoever has it can read the secrets in the database. Keep a copy, apart from the backups of the database.\n';
const LINE = /^([0-9a-f]{16}) ([A-Za-z0-9_-]{43})$/;

/** Master keys in a file. */
export class FileMasterKeys {
  readonly path: string;
  readonly #random: RandomBytes;

  constructor(options: { readonly path: string; readonly random: RandomBytes }) {
    this.path = options.path;
    this.#random = options.random;
  }

  exists(): boolean {
    return existsSync(this.path);
  }

  /**
   * The current one first.
   * @throws SelsynError `secrets.master-key-missing`, `secrets.wrong-master-key` when the file is damaged or open to everybody
   */
  read(): readonly MasterKey[] {
    return this.#lines().map(({ id, bytes }) => this.#keyOf(id, bytes));
  }

  /** Makes the file with a first key. @throws SelsynError `data.unwritable`, also when it is there */
  make(): MasterKey {
    if (this.exists()) throw new SelsynError('data.unwritable', `${this.path} is there already`);
    return this.add();
  }

  /** Puts a new key before those that are there; they stay until `keepOnly`. */
  add(): MasterKey {
    const bytes = Buffer.from(this.#random(DATA_KEY_BYTES));
    const id = idOf(bytes);
    this.#write([{ id, bytes }, ...(this.exists() ? this.#lines() : [])]);
    return this.#keyOf(id, bytes);
  }

  /** Takes all other keys out of the file. */
  keepOnly(id: string): void {
    const lines = this.#lines();
    const kept = lines.filter((line) => line.id === id);
    if (kept.length === lines.length) return;
    if (kept.length === 0) throw new SelsynError('internal', `the master key ${id} is not in ${this.path}`);
    this.#write(kept);
  }

  #keyOf(id: string, bytes: Buffer): MasterKey {
    const random = this.#random;
    const place = (name: string): SealContext => ({ purpose: 'data-key', owner: 'selsyn', name });
    return {
      id: `file:${id}`,
      wrap: async (dataKey, name) => sealValue(dataKey, { id, bytes }, place(name), random),
      unwrap: async (wrapped, name) => {
        try {
          return openValue(wrapped, { id, bytes }, place(name));
        } catch (error) {
          throw new SelsynError('secrets.wrong-master-key', `the master key ${id} does not open the data key ${name}`, {
            cause: error,
          });
        }
      },
    };
  }

  #lines(): readonly { readonly id: string; readonly bytes: Buffer }[] {
    let text: string;
    try {
      // Mounted secrets often let the group read.
      if ((statSync(this.path).mode & 0o007) !== 0) {
        throw new SelsynError(
          'secrets.wrong-master-key',
          `the master key ${this.path} may be read by everybody on this machine: chmod 600 it`,
        );
      }
      text = readFileSync(this.path, 'utf8');
    } catch (error) {
      if (error instanceof SelsynError) throw error;
      throw new SelsynError(
        'secrets.master-key-missing',
        `the master key ${this.path} cannot be read (${systemCode(error) ?? String(error)})`,
        {
          cause: error,
          details: { path: this.path },
        },
      );
    }
    const lines = text
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '' && !line.startsWith('#'));
    const keys = lines.map((line) => {
      const [, id, key] = LINE.exec(line) ?? [];
      const bytes = Buffer.from(key ?? '', 'base64url');
      if (id === undefined || bytes.length !== DATA_KEY_BYTES || idOf(bytes) !== id) {
        throw new SelsynError('secrets.wrong-master-key', `the master key ${this.path} is damaged: put back your copy of it`);
      }
      return { id, bytes };
    });
    if (keys.length === 0)
      throw new SelsynError('secrets.wrong-master-key', `the master key ${this.path} is empty: put back your copy of it`);
    return keys;
  }

  /** By a new name, so that there is always one whole file. */
  #write(keys: readonly { readonly id: string; readonly bytes: Buffer }[]): void {
    const unfinished = `${this.path}.new`;
    try {
      mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
      const file = openSync(unfinished, 'w', 0o600);
      try {
        chmodSync(unfinished, 0o600);
        writeSync(file, HEADER + keys.map(({ id, bytes }) => `${id} ${bytes.toString('base64url')}\n`).join(''));
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(unfinished, this.path);
      const folder = openSync(dirname(this.path), 'r');
      try {
        fsyncSync(folder);
      } finally {
        closeSync(folder);
      }
    } catch (error) {
      throw new SelsynError(
        'data.unwritable',
        `the master key ${this.path} cannot be written (${systemCode(error) ?? String(error)})`,
        {
          cause: error,
        },
      );
    }
  }
}

function idOf(key: Uint8Array): string {
  return createHash('sha256').update('selsyn master key').update(key).digest('hex').slice(0, 16);
}
