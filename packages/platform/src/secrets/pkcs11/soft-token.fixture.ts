/** For tests: a PKCS#11 token in software, SoftHSM2, in a folder of its own. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MODULES = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
];

/** The module, or why there is none here. In CI there must be one. */
export function findSoftHsm(): { readonly module: string } | { readonly missing: string } {
  const module = MODULES.find((path) => existsSync(path));
  if (module !== undefined) return { module };
  if (process.env['CI'] !== undefined) throw new Error('softhsm2 is not installed');
  return { missing: 'softhsm2 is not installed' };
}

/** One token with a label and a PIN. The module reads where tokens are from the environment: one of these at a time. */
export class SoftToken implements Disposable {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'selsyn-token-'));
  readonly module: string;
  readonly label = 'selsyn test';
  readonly pin = '0123456';

  constructor(module: string) {
    this.module = module;
    mkdirSync(this.#tokens);
    writeFileSync(this.config, `directories.tokendir = ${this.#tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`);
    process.env['SOFTHSM2_CONF'] = this.config;
    this.run('softhsm2-util', '--init-token', '--free', '--label', this.label, '--pin', this.pin, '--so-pin', '76543210');
  }

  get config(): string {
    return join(this.dir, 'softhsm2.conf');
  }

  run(program: string, ...args: readonly string[]): string {
    return execFileSync(program, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, SOFTHSM2_CONF: this.config },
    });
  }

  /** As pulling it out of its socket. */
  takeOut(): void {
    for (const name of readdirSync(this.#tokens)) renameSync(join(this.#tokens, name), join(this.dir, `out-${name}`));
  }

  putBack(): void {
    for (const name of readdirSync(this.dir)) {
      if (name.startsWith('out-')) renameSync(join(this.dir, name), join(this.#tokens, name.slice(4)));
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true });
  }

  get #tokens(): string {
    return join(this.dir, 'tokens');
  }
}
