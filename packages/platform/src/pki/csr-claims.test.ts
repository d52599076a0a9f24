import { readFileSync } from 'node:fs';
import { afterAll, expect, it } from 'vitest';
import { isSelsynError } from '../kernel/errors.ts';
import { readCsrClaims } from './csr-claims.ts';
import { isSameName, namedAttributes } from './name-attributes.ts';
import { OpenSsl, P256 } from './openssl.fixture.ts';
import { derOfPem } from './pem.ts';

const openssl = new OpenSsl();
afterAll(() => openssl[Symbol.dispose]());

/** A request of openssl, DER. */
function request(subject: string, ...args: readonly string[]): Buffer {
  return derOfPem(
    openssl.csr(P256, '-subj', subject, ...args),
    ['CERTIFICATE REQUEST'],
    16_384,
    (why) => new Error(why) as never,
  );
}

it('the subject is read with all its names, whatever kind of string they are', () => {
  const { subject, challengePassword } = readCsrClaims(
    request('/C=NO/ST=Oslo/L=By/O=Ø AS/OU=a/OU=b/CN=x/serialNumber=7/dnQualifier=q/emailAddress=m', '-utf8'),
  );
  expect(Object.fromEntries(namedAttributes(subject))).toEqual({
    Country: 'NO',
    StateName: 'Oslo',
    LocalityName: 'By',
    Organization: 'Ø AS',
    OrganizationalUnit: 'b',
    CommonName: 'x',
    SerialNumber: '7',
    DistinguishedNameQualifier: 'q',
  });
  expect(challengePassword).toBeUndefined();
});

it('names are the same that say the same, in UTF8String or PrintableString', () => {
  const utf8 = readCsrClaims(request('/O=a/CN=b', '-nameopt', 'utf8')).subject;
  openssl.write('printable.cnf', '[req]\nstring_mask=default\nprompt=no\ndistinguished_name=dn\n[dn]\nO=a\nCN=b\n');
  const printable = readCsrClaims(request('/O=a/CN=b', '-config', openssl.path('printable.cnf'))).subject;
  expect(isSameName(utf8, printable)).toBe(true);
  for (const other of ['/CN=b/O=a', '/O=a', '/O=a/CN=b/CN=b', '/O=a/CN=B'])
    expect(isSameName(utf8, readCsrClaims(request(other)).subject)).toBe(false);
});

it('the challenge password is found among other attributes', () => {
  request('/CN=x');
  openssl.write(
    'attributes.cnf',
    '[req]\nprompt=no\ndistinguished_name=dn\nattributes=at\nreq_extensions=ex\n[dn]\nCN=x\n[at]\nunstructuredName=u\nchallengePassword=secret\n[ex]\nbasicConstraints=CA:TRUE\n',
  );
  // With -subj openssl leaves the attributes out.
  openssl.run('req', '-new', '-key', 'key.pem', '-config', 'attributes.cnf', '-outform', 'DER', '-out', 'attributes.csr');
  expect(readCsrClaims(readFileSync(openssl.path('attributes.csr'))).challengePassword).toBe('secret');
});

it('every truncation and every changed byte is read, or refused as a request', () => {
  const whole = request('/O=a/CN=b');
  const pieces = [...whole.keys()].flatMap((at) => {
    const changed = Buffer.from(whole);
    changed[at] = (changed[at] ?? 0) ^ 0xff;
    return [whole.subarray(0, at), changed];
  });
  for (const piece of [...pieces, Buffer.alloc(20_000, 0x30)]) {
    try {
      readCsrClaims(piece);
    } catch (error) {
      expect(isSelsynError(error, 'csr.invalid')).toBe(true);
    }
  }
});
