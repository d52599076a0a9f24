import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { openLocalAuthority } from '../identity/local-authority.ts';
import { systemClock } from '../kernel/clock.ts';
import { parseDeviceId } from '../kernel/device-id.ts';
import { SelsynError, systemCode } from '../kernel/errors.ts';

/**
 * Issues a certificate for a device by the authority in a data folder, which a server may be running on, and writes it, its
 * key (for its owner alone) and the authority's certificate as `ID.crt`, `ID.key` and `ca.crt`.
 *
 * @returns the paths of the three
 * @throws SelsynError `request.invalid` when the folder has no authority, or there is such a key or certificate already
 */
export async function writeDeviceCertificate(options: {
  readonly data: string;
  readonly deviceId: string;
  readonly out: string;
}): Promise<{ readonly certificate: string; readonly key: string; readonly authority: string }> {
  const id = parseDeviceId(options.deviceId);
  const dir = join(resolve(options.data), 'pki');
  if (!existsSync(join(dir, 'ca.crt')))
    throw new SelsynError('request.invalid', `there is no authority in ${dir}: it is made when the server first starts with TLS`);
  const authority = await openLocalAuthority({ dir, clock: systemClock });
  const { certificatePem, privateKeyPem } = await authority.issueDeviceCertificate(id);
  const paths = { certificate: join(options.out, `${id}.crt`), key: join(options.out, `${id}.key`) };
  try {
    mkdirSync(options.out, { recursive: true });
    // `wx`: a key that is in use somewhere must not be lost.
    writeFileSync(paths.key, privateKeyPem, { mode: 0o600, flag: 'wx', flush: true });
    try {
      writeFileSync(paths.certificate, certificatePem, { flag: 'wx', flush: true });
    } catch (error) {
      rmSync(paths.key);
      throw error;
    }
    writeFileSync(join(options.out, 'ca.crt'), authority.certificatePem, { flush: true });
  } catch (error) {
    const why =
      systemCode(error) === 'EEXIST'
        ? 'exists already: choose another folder'
        : `cannot be written (${systemCode(error) ?? String(error)})`;
    throw new SelsynError('request.invalid', `the key or certificate of ${id} in ${options.out} ${why}`, { cause: error });
  }
  return { ...paths, authority: join(options.out, 'ca.crt') };
}
