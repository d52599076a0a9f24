import { X509Certificate } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import { shortKeyName } from './authority-certificate.ts';
import { readCertificateParts } from './certificate-reading.ts';
import { PENDING_FILE, publicKeyIn } from './intermediate-request.ts';
import { certificateBlocks } from './pem.ts';
import { readCertificate, writePublic } from './pki-files.ts';
import { type KeyPlace, type PkiManifest, readManifest, ROOT_CERTIFICATE_FILE, writeManifest } from './pki-manifest.ts';

export interface InstalledIntermediate {
  readonly certificate: X509Certificate;
  readonly certificateFile: string;
  readonly rootFile: string;
}

/**
 * Makes an intermediate the one that issues: its certificate and the root's (PEM, in this order) are checked, written to the data folder,
 * and named in the manifest at last. A server that runs on the folder takes it up within seconds. Those before it stay trusted.
 * @throws SelsynError `certificate.invalid`, `data.unwritable`, `data.corrupt`, `signer.unavailable`
 */
export function installIntermediate(options: {
  readonly dir: string;
  readonly bundlePem: string;
  readonly key: KeyPlace;
  readonly tokenPin: string | undefined;
  readonly clock: Clock;
}): InstalledIntermediate {
  const { dir, clock } = options;
  const [certificate, root] = readBundle(options.bundlePem);
  checkIntermediate(certificate, root, clock.now());
  const { spki } = readCertificateParts(certificate.raw);
  if (!publicKeyIn(dir, options.key, options.tokenPin).equals(spki))
    throw invalid('it is not for the key that was made here last');
  const base = `intermediate-${shortKeyName(spki)}-${certificate.serialNumber.slice(0, 8).toLowerCase()}`;
  const entry = {
    certificate: `${base}.crt`,
    root: `root-${shortKeyName(readCertificateParts(root.raw).spki)}.crt`,
    key: options.key,
  };
  writePublic(join(dir, entry.certificate), certificate.toString());
  writePublic(join(dir, entry.root), root.toString());
  writePublic(join(dir, ROOT_CERTIFICATE_FILE), root.toString());
  const before = readManifest(dir)?.intermediates.filter(
    (other) => other.certificate !== entry.certificate && stillTrusted(dir, other, clock),
  );
  writeManifest(dir, { issuing: entry.certificate, intermediates: [entry, ...(before ?? [])] });
  rmSync(join(dir, PENDING_FILE), { force: true });
  return { certificate, certificateFile: join(dir, entry.certificate), rootFile: join(dir, ROOT_CERTIFICATE_FILE) };
}

/** Nothing that it has issued outlives it. */
function stillTrusted(dir: string, entry: PkiManifest['intermediates'][number], clock: Clock): boolean {
  const certificate = readCertificate(join(dir, entry.certificate));
  return certificate !== undefined && certificate.validToDate.getTime() > clock.now();
}

function readBundle(pem: string): [X509Certificate, X509Certificate] {
  try {
    const [certificate, root, third] = certificateBlocks(pem).map((block) => new X509Certificate(block));
    if (certificate !== undefined && root !== undefined && third === undefined) return [certificate, root];
  } catch (error) {
    throw invalid('it cannot be read', error);
  }
  throw invalid("the file must hold two certificates, the intermediate's and the root's");
}

function checkIntermediate(certificate: X509Certificate, root: X509Certificate, nowMs: number): void {
  if (!certificate.ca || !root.ca) throw invalid('it is not that of an authority');
  if (!root.checkIssued(root) || !root.verify(root.publicKey))
    throw invalid('the second one is not a root: it is not signed by itself');
  if (!certificate.checkIssued(root) || !certificate.verify(root.publicKey)) throw invalid('the root has not signed it');
  if (certificate.validFromDate.getTime() > nowMs || certificate.validToDate.getTime() <= nowMs)
    throw invalid('it is not in its time of validity');
}

function invalid(why: string, cause?: unknown): SelsynError {
  return new SelsynError('certificate.invalid', `the certificate of the intermediate is not taken: ${why}`, { cause });
}
