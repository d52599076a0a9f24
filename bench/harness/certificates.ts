import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onAbruptEnd } from './exit-cleanup.ts';

/** PEM files; all keys are P-256, as are those that Selsyn makes at its first start. */
export interface Certificates extends Disposable {
  readonly authority: string;
  readonly server: string;
  readonly serverKey: string;
  readonly client: string;
  readonly clientKey: string;
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
const DAYS = ['-days', '7'];

/** An authority and one certificate each of a server and a client, for the length of a bench. */
export function makeCertificates(): Certificates {
  const folder = mkdtempSync(join(tmpdir(), 'selsyn-bench-pki-'));
  const forget = onAbruptEnd(() => rmSync(folder, { recursive: true, force: true }));
  const path = (name: string): string => join(folder, name);
  const openssl = (...args: readonly string[]): void => {
    execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  };
  openssl('req', '-x509', ...NEW_KEY, '-keyout', 'ca.key', '-out', 'ca.pem', ...DAYS, '-subj', '/CN=selsyn bench authority');
  for (const name of ['localhost', 'bench-device']) {
    openssl('req', ...NEW_KEY, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      ...DAYS,
      '-out',
      `${name}.pem`,
    );
  }
  return {
    authority: path('ca.pem'),
    server: path('localhost.pem'),
    serverKey: path('localhost.key'),
    client: path('bench-device.pem'),
    clientKey: path('bench-device.key'),
    [Symbol.dispose]: () => {
      rmSync(folder, { recursive: true, force: true });
      forget();
    },
  };
}
