import { afterAll, expect, it } from 'vitest';
import { FakeClock } from '../kernel/fake-clock.ts';
import { makeSelfSigned, validityOf } from './authority-certificate.ts';
import { certsOnly } from './certs-only.ts';
import { OpenSsl } from './openssl.fixture.ts';
import { derOfPem } from './pem.ts';
import { signerOf } from './local-authority.ts';
import { generateKeyPairSync } from 'node:crypto';

const openssl = new OpenSsl();
afterAll(() => openssl[Symbol.dispose]());

function certificate(commonName: string): string {
  const { privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  return makeSelfSigned({ signer: signerOf(privateKey), commonName, pathLength: 0, ...validityOf(new FakeClock().now(), 10) });
}

it.each([[['one']], [['root', 'intermediate', 'other']]])(
  'openssl finds in the message the certificates %j, as they are',
  (names) => {
    const pems = names.map(certificate);
    const ders = pems.map((pem) => derOfPem(pem, ['CERTIFICATE'], 9_999, (why) => new Error(why) as never));
    openssl.write('p7.der', certsOnly(ders));
    const printed = openssl.run('pkcs7', '-inform', 'DER', '-in', 'p7.der', '-print_certs');
    expect(printed.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/g)).toEqual(pems);
    expect(openssl.run('cms', '-inform', 'DER', '-in', 'p7.der', '-cmsout', '-print', '-noout')).toMatch(
      /eContentType: pkcs7-data[^]+signerInfos:\s+<EMPTY>/,
    );
  },
);
