/** For tests: an authority that is not ours, and certificates that it has signed. */
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { validityOf, makeSelfSigned } from '../pki/authority-certificate.ts';
import { describeCertificate } from '../pki/certificate-reading.ts';
import {
  authorityRights,
  extendedKeyUsage,
  type Issuer,
  LEAF_RIGHTS,
  makeCertificate,
  newSerial,
} from '../pki/certificate-template.ts';
import { der, objectId, sequence, TAG, utf8String } from '../pki/der-writer.ts';
import { derOfPem } from '../pki/pem.ts';
import { keyIdOf, readPublicKey } from '../pki/public-key.ts';
import { KeySigner } from '../pki/signer.ts';
import type { TestCertificates } from '../pki/certificate-service.fixture.ts';

const TYPES = { C: '2.5.4.6', O: '2.5.4.10', OU: '2.5.4.11', CN: '2.5.4.3', serialNumber: '2.5.4.5' } as const;
export type Subject = readonly (readonly [type: keyof typeof TYPES, value: string])[];

/** A distinguished name, DER. */
export function nameOf(subject: Subject): Buffer {
  return sequence(...subject.map(([type, value]) => der(TAG.set, sequence(objectId(TYPES[type]), utf8String(value)))));
}

export interface LeafOptions {
  readonly use?: 'client' | 'server';
  readonly isAuthority?: boolean;
  readonly notBeforeMs?: number;
  readonly notAfterMs?: number;
  /** SPKI DER; otherwise a new one. */
  readonly spki?: Buffer;
}

export interface Vendor {
  readonly id: string;
  readonly pem: string;
  /** DER. */
  issue(subject: Subject, options?: LeafOptions): Buffer;
}

export function newVendor(test: Pick<TestCertificates, 'clock'>, commonName = 'Vendor CA'): Vendor {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signer = new KeySigner({ privateKey, publicKey: createPublicKey(privateKey) });
  const validity = validityOf(test.clock.now(), 30);
  const pem = makeSelfSigned({ signer, commonName, pathLength: 0, ...validity });
  const { id } = describeCertificate(pem);
  const issuer: Issuer = { signer, name: nameOf([['CN', commonName]]), keyId: keyIdOf(readPublicKey(signer.publicKey).bits) };
  return {
    id,
    pem,
    issue(subject, { use = 'client', isAuthority = false, notBeforeMs, notAfterMs, spki = newKey() } = {}) {
      return makeCertificate(issuer, {
        subject: nameOf(subject),
        spki,
        keyBits: readPublicKey(spki).bits,
        extensions: isAuthority ? authorityRights(0) : [...LEAF_RIGHTS, extendedKeyUsage(use)],
        serial: newSerial(),
        notBeforeMs: notBeforeMs ?? validity.notBeforeMs,
        notAfterMs: notAfterMs ?? validity.notAfterMs,
      });
    },
  };
}

/** As if somebody had shown that they hold its key. */
export async function registerVendor(
  test: TestCertificates,
  vendor: Vendor,
  template: string | null,
  status = 'active',
): Promise<void> {
  const { subject, subjectKeyId, notBeforeMs, notAfterMs } = describeCertificate(vendor.pem);
  await test.database
    .insertInto('authority')
    .values({
      id: vendor.id,
      kind: 'registered',
      status,
      template,
      subject,
      key_id: subjectKeyId ?? '',
      der: derOfPem(vendor.pem, ['CERTIFICATE'], 16_384, (why) => {
        throw new Error(why);
      }),
      not_before_ms: notBeforeMs,
      not_after_ms: notAfterMs,
      created_at_ms: test.clock.now(),
      revoked_at_ms: null,
    })
    .execute();
}

function newKey(): Buffer {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'der' });
}
