import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CliError } from './cli-error.ts';
import type { IssuedItem } from './certificate-calls.ts';

export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string | undefined;
  readonly authority: string;
}

/** What a device id may be: a name of a file, too. */
const DEVICE_ID = /^[A-Za-z0-9:_.-]{1,128}$/;

/** @throws CliError where a key or certificate of the device is in the folder already, or the id is none */
export function ensureFree(out: string, device: string, withKey: boolean): void {
  if (!DEVICE_ID.test(device)) throw new CliError(`"${device}" is no device id: 1 to 128 of A-Z a-z 0-9 : _ . -`);
  const { certificate, key } = pathsOf(out, device, withKey);
  for (const path of [certificate, key]) {
    if (path !== undefined && existsSync(path)) throw new CliError(`${path} exists already: choose another folder`);
  }
}

/**
 * Writes DEVICE.crt (with the intermediates), DEVICE.key (for its owner alone) where the key was made by the server, and ca.crt. The
 * key first: without it the rest is worth nothing. A key or certificate that is there is never overwritten.
 *
 * @throws CliError
 */
export function writeCertificate(out: string, device: string, issued: IssuedItem): CertificateFiles {
  const { certificatePem, chainPem, caPem, privateKeyPem } = issued;
  const paths = pathsOf(out, device, privateKeyPem !== undefined);
  const written: string[] = [];
  try {
    mkdirSync(out, { recursive: true });
    if (paths.key !== undefined && privateKeyPem !== undefined) {
      writeFileSync(paths.key, privateKeyPem, { mode: 0o600, flag: 'wx', flush: true });
      written.push(paths.key);
    }
    writeFileSync(paths.certificate, `${certificatePem}${chainPem}`, { flag: 'wx', flush: true });
    written.push(paths.certificate);
    writeFileSync(paths.authority, caPem, { flush: true });
    return paths;
  } catch (error) {
    for (const path of written) rmSync(path);
    const why = error instanceof Error ? error.message : String(error);
    throw new CliError(
      `the certificate ${issued.certificateId.slice(0, 16)} of ${device} was issued, but could not be written to ${out} (${why}): revoke it`,
    );
  }
}

function pathsOf(out: string, device: string, withKey: boolean): CertificateFiles {
  return {
    certificate: join(out, `${device}.crt`),
    key: withKey ? join(out, `${device}.key`) : undefined,
    authority: join(out, 'ca.crt'),
  };
}
