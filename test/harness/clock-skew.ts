import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** A wall clock for a server process, which a test steps while it runs: all its threads see it within 50 ms. */
export class ClockSkew implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'selsyn-skew-'));

  constructor() {
    this.step(0);
    writeFileSync(this.#path('skew.mjs'), SCRIPT);
  }

  /** For `StartOptions.nodeOptions`. */
  get nodeOptions(): readonly string[] {
    return ['--import', pathToFileURL(this.#path('skew.mjs')).href];
  }

  /** From now on the clock is ahead of the machine's by so much. */
  step(aheadMs: number): void {
    writeFileSync(this.#path('ahead'), String(aheadMs));
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true });
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }
}

const SCRIPT = `
import { readFileSync } from 'node:fs';
const file = new URL('./ahead', import.meta.url);
const now = Date.now;
let aheadMs = 0;
const read = () => {
  try {
    aheadMs = Number(readFileSync(file, 'utf8')) || aheadMs;
  } catch {
    // The test is over.
  }
};
read();
setInterval(read, 50).unref();
Date.now = () => now() + aheadMs;
`;
