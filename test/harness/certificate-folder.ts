import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder in which openssl makes keys, requests and certificates, as a device or a factory does. */
export class CertificateFolder implements Disposable {
  readonly path: string = mkdtempSync(join(tmpdir(), 'selsyn-certificates-'));

  file(name: string): string {
    return join(this.path, name);
  }

  write(name: string, text: string | Uint8Array): string {
    writeFileSync(this.file(name), text, { mode: 0o600 });
    return this.file(name);
  }

  read(name: string): string {
    return readFileSync(this.file(name), 'utf8');
  }

  /** What openssl prints. @throws where it fails */
  openssl(...args: readonly string[]): string {
    return execFileSync('openssl', args, { cwd: this.path, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** `NAME.key` on P-256 and a request for it, PEM; also as `NAME.b64` without its first and last line. */
  request(name: string, subject: string, ...more: readonly string[]): string {
    this.openssl(
      ...REQUEST,
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      `${name}.key`,
      '-subj',
      subject,
      '-out',
      `${name}.csr`,
      ...more,
    );
    return this.#requestOf(name);
  }

  /** Another request with the key of `NAME.key`. */
  requestAgain(name: string, subject: string): string {
    this.openssl(...REQUEST, '-key', `${name}.key`, '-subj', subject, '-out', `${name}.csr`);
    return this.#requestOf(name);
  }

  /** `NAME.key` and `NAME.crt`: an authority of its own. */
  authority(name: string, subject: string): string {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${name}.key`];
    this.openssl(
      'req',
      '-x509',
      ...key,
      '-subj',
      subject,
      '-days',
      '30',
      '-out',
      `${name}.crt`,
      '-addext',
      'keyUsage=critical,keyCertSign,cRLSign',
    );
    return this.read(`${name}.crt`);
  }

  /** `NAME.crt`, signed by an authority, for the request that was made under this name. */
  sign(name: string, authority: string, extensions = 'extendedKeyUsage=clientAuth'): string {
    const file = this.write(`${name}.ext`, `basicConstraints=critical,CA:FALSE\nauthorityKeyIdentifier=keyid\n${extensions}\n`);
    this.openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      `${authority}.crt`,
      '-CAkey',
      `${authority}.key`,
      '-CAcreateserial',
      '-days',
      '7',
      '-extfile',
      file,
      '-out',
      `${name}.crt`,
    );
    return this.read(`${name}.crt`);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }

  #requestOf(name: string): string {
    const pem = this.read(`${name}.csr`);
    this.write(`${name}.b64`, pem.replaceAll(/-----[A-Z ]+-----\n/g, ''));
    return pem;
  }
}

const REQUEST: readonly string[] = ['req', '-new', '-batch'];
