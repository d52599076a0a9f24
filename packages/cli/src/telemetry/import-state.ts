import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { sessionFile } from '../stored-session.ts';

/** How far an import of a file has come. */
export interface ImportState {
  /** Bytes, or rows of Parquet, that the server has. */
  readonly position: number;
  readonly rows: number;
  readonly points: number;
  readonly refused: number;
}

const NOTHING: ImportState = { position: 0, rows: 0, points: 0, refused: 0 };

/** Keeps how far the import of a file to a server has come, so that the same command goes on where one was broken off. */
export class KeptImportState {
  readonly #path: string;
  /** A file that was changed is another one. */
  readonly #facts: string;

  /** @throws the error of the operating system for a file that there is not */
  constructor(url: string, file: string, environment: NodeJS.ProcessEnv) {
    const { size, mtimeMs } = statSync(file);
    const name = createHash('sha256')
      .update(`${url}\0${resolve(file)}`)
      .digest('hex')
      .slice(0, 32);
    this.#path = join(dirname(sessionFile(environment)), 'imports', `${name}.json`);
    this.#facts = `${size} ${mtimeMs}`;
  }

  read(): ImportState {
    try {
      const kept = JSON.parse(readFileSync(this.#path, 'utf8')) as ImportState & { readonly facts: string };
      if (kept.facts !== this.#facts) return NOTHING;
      const { position, rows, points, refused } = kept;
      return [position, rows, points, refused].every(Number.isSafeInteger) ? { position, rows, points, refused } : NOTHING;
    } catch {
      // None was broken off, or what is there is none of ours: from the beginning.
      return NOTHING;
    }
  }

  write(state: ImportState): void {
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
    const fresh = `${this.#path}.${process.pid}`;
    writeFileSync(fresh, JSON.stringify({ facts: this.#facts, ...state }));
    renameSync(fresh, this.#path);
  }

  forget(): void {
    rmSync(this.#path, { force: true });
  }
}
