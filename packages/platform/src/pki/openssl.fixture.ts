/** For tests: what openssl makes of things, and makes. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder in which openssl runs. */
export class OpenSsl implements Disposable {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'selsyn-openssl-'));

  path(name: string): string {
    return join(this.dir, name);
  }

  write(name: string, content: string | Uint8Array): string {
    writeFileSync(this.path(name), content);
    return this.path(name);
  }

  /** What it prints, errors after the rest; it may fail. */
  run(...args: readonly string[]): string {
    const { stdout, stderr } = spawnSync('openssl', args, { cwd: this.dir, encoding: 'utf8', maxBuffer: 64_000_000 });
    return `${stdout}${stderr}`;
  }

  /** A request with a new key, as `genpkey` describes it; in PEM. */
  csr(key: readonly string[], ...args: readonly string[]): string {
    execFileSync('openssl', ['genpkey', ...key, '-out', 'key.pem'], { cwd: this.dir, stdio: 'ignore' });
    return this.csrOf('key.pem', ...args);
  }

  csrOf(keyFile: string, ...args: readonly string[]): string {
    execFileSync('openssl', ['req', '-new', '-key', keyFile, '-subj', '/CN=asked', '-out', 'r.csr', ...args], {
      cwd: this.dir,
      stdio: 'ignore',
    });
    return readFileSync(this.path('r.csr'), 'utf8');
  }

  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true });
  }
}

export const P256: readonly string[] = ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'];
export const P384: readonly string[] = ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384'];
export const rsa = (bits: number): readonly string[] => ['-algorithm', 'RSA', '-pkeyopt', `rsa_keygen_bits:${bits}`];
