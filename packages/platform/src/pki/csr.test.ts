import 'reflect-metadata';
import { Pkcs10CertificateRequest } from '@peculiar/x509';
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { isSelsynError } from '../kernel/errors.ts';
import { checkCsr, MAX_CSR_BYTES } from './csr.ts';
import { bitString, contextTag, der, sequence, smallInteger, TAG, unsignedInteger } from './der-writer.ts';
import { commonNameOnly } from './certificate-template.ts';
import { ALGORITHM } from './object-ids.ts';
import { OpenSsl, P256, P384, rsa } from './openssl.fixture.ts';
import { pemOf } from './pem.ts';
import { keyHashOf, readPublicKey } from './public-key.ts';

const openssl = new OpenSsl();
afterAll(() => openssl[Symbol.dispose]());

const derOf = (pem: string): Buffer => Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
const codeOf = (csr: string | Uint8Array): string => {
  try {
    return checkCsr(csr).keyKind;
  } catch (error) {
    // Anything else is a crash.
    if (!isSelsynError(error)) throw error;
    return error.code;
  }
};

const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const spki = keys.publicKey.export({ type: 'spki', format: 'der' });

/** A request put together by hand, signed by `keys`. */
function make(
  options: { readonly spki?: Uint8Array; readonly version?: number; readonly rest?: readonly Uint8Array[] } = {},
): Buffer {
  const rest = options.rest ?? [der(contextTag(0))];
  const info = sequence(smallInteger(options.version ?? 0), commonNameOnly('x'), options.spki ?? spki, ...rest);
  return sequence(info, ALGORITHM.ecdsaSha256, bitString(sign('sha256', info, keys.privateKey)));
}

describe('a certificate request', () => {
  it.each([
    ['P-256', P256],
    ['P-384', P384],
    ['RSA-2048', rsa(2_048)],
    ['RSA-3072', rsa(3_072)],
  ])('with a key on %s, as openssl makes it, is taken, in PEM and DER', (kind, key) => {
    const pem = openssl.csr(key);
    const checked = checkCsr(pem);
    const oracle = new Pkcs10CertificateRequest(pem);
    expect(checked.keyKind).toBe(kind);
    expect(Buffer.from(checked.publicKey)).toEqual(Buffer.from(oracle.publicKey.rawData));
    expect(checked.keyHash).toBe(keyHashOf(new Uint8Array(oracle.publicKey.rawData)));
    expect(checkCsr(derOf(pem))).toEqual(checked);
    expect(codeOf(pem.replaceAll('CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST').replaceAll('\n', '\r\n'))).toBe(kind);
    expect(codeOf(`some words\n${pem}\nand more`)).toBe(kind);
  });

  it.each(['-sha384', '-sha512'])('may be signed with %s', (hash) => {
    openssl.csr(P256);
    expect(codeOf(openssl.csrOf('key.pem', hash))).toBe('P-256');
  });

  it.each([
    ['RSA of 1024 bits', rsa(1_024)],
    ['RSA with the exponent 3', [...rsa(2_048), '-pkeyopt', 'rsa_keygen_pubexp:3']],
    ['P-521', ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-521']],
    ['secp256k1', ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:secp256k1']],
    ['Ed25519', ['-algorithm', 'ED25519']],
  ])('with a key of the kind %s is refused as weak', (_, key) => {
    expect(codeOf(openssl.csr(key))).toBe('csr.weak-key');
  });

  it.each([
    [2_047, 65_537, false],
    [2_048, 65_537, true],
    [4_096, 65_537, true],
    [4_097, 65_537, false],
    [2_048, 65_535, false],
    [2_048, 65_538, false],
    [2_048, 0xffffffff, true],
    [2_048, 0x100000001, false],
  ])('with an RSA key of %d bits and the exponent %d: %s', (bits, exponent, good) => {
    const modulus = (1n << BigInt(bits - 1)) + 1n;
    const hex = modulus.toString(16);
    const key = sequence(
      unsignedInteger(Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')),
      smallInteger(exponent),
    );
    const { kind, weakness } = readPublicKey(sequence(ALGORITHM.rsaEncryption, bitString(key)));
    expect([kind, weakness === undefined]).toEqual([`RSA-${bits}`, good]);
  });

  it('signed with SHA-1 or in the PSS way is refused', () => {
    openssl.csr(rsa(2_048));
    expect(codeOf(openssl.csrOf('key.pem', '-sha1'))).toBe('csr.weak-key');
    expect(codeOf(openssl.csrOf('key.pem', '-sigopt', 'rsa_padding_mode:pss'))).toBe('csr.weak-key');
  });

  it('is taken without the attributes that RFC 2986 wants, and with any there may be', () => {
    expect(codeOf(make())).toBe('P-256');
    expect(codeOf(make({ rest: [] }))).toBe('P-256');
    expect(codeOf(make({ rest: [der(contextTag(0), Buffer.alloc(5_000, 0xa0))] }))).toBe('P-256');
  });

  it('of another version, with more in it, or of a key in another form is refused', () => {
    expect(codeOf(make({ version: 1 }))).toBe('csr.invalid');
    expect(codeOf(make({ rest: [der(contextTag(0)), sequence()] }))).toBe('csr.invalid');
    const point = spki.subarray(27, 59);
    const compressed = sequence(ALGORITHM.ecP256, bitString(Buffer.concat([Buffer.of(2 + ((spki.at(-1) ?? 0) & 1)), point])));
    expect(createPublicKey({ key: compressed, format: 'der', type: 'spki' }).asymmetricKeyType).toBe('ec');
    expect(codeOf(make({ spki: compressed }))).toBe('csr.invalid');
    const beside = Buffer.from(spki);
    beside[beside.length - 1] = (beside.at(-1) ?? 0) ^ 1;
    expect(codeOf(make({ spki: beside }))).toBe('csr.invalid');
  });

  it('signed by another key proves nothing', () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'der' });
    expect(() => checkCsr(make({ spki: other }))).toThrow('possession');
  });

  it('that is too large, or no request at all, is refused', () => {
    const long = sequence(Buffer.alloc(MAX_CSR_BYTES));
    expect(codeOf(long)).toBe('csr.invalid');
    expect(codeOf(pemOf('CERTIFICATE REQUEST', long))).toBe('csr.invalid');
    expect(codeOf('A'.repeat(1_000_000))).toBe('csr.invalid');
    const nested = Array.from({ length: 4_000 }).reduce<Buffer>((inner) => der(TAG.sequence, inner), Buffer.alloc(0));
    expect(codeOf(nested)).toBe('csr.invalid');
    const pem = pemOf('CERTIFICATE REQUEST', make());
    for (const text of [
      '',
      'x',
      pem + pem,
      pem.replace('END', 'UND'),
      pem.replace(/\n[A-Za-z0-9+/]/, '\n#'),
      pem.replace('A', ''),
    ])
      expect(codeOf(text)).toBe('csr.invalid');
    expect(codeOf(pemOf('CERTIFICATE', make()))).toBe('csr.invalid');
  });

  it('cut anywhere is refused', () => {
    const whole = make();
    for (let length = 0; length < whole.length; length++) expect(codeOf(whole.subarray(0, length))).toBe('csr.invalid');
    expect(codeOf(Buffer.concat([whole, Buffer.of(0)]))).toBe('csr.invalid');
  });

  it('altered anywhere, in whichever way, is refused, and nothing crashes', () => {
    const originals = [derOf(openssl.csr(P256)), derOf(openssl.csr(P384)), derOf(openssl.csr(rsa(2_048)))];
    const change = fc.oneof(
      fc.record({ at: fc.nat(), value: fc.integer({ min: 1, max: 255 }) }).map(({ at, value }) => (bytes: Buffer) => {
        const copy = Buffer.from(bytes);
        copy[at % copy.length] = (copy[at % copy.length] ?? 0) ^ value;
        return copy;
      }),
      fc.record({ at: fc.nat(), piece: fc.uint8Array({ minLength: 1, maxLength: 40 }) }).map(
        ({ at, piece }) =>
          (bytes: Buffer) =>
            Buffer.concat([bytes.subarray(0, at % bytes.length), piece, bytes.subarray(at % bytes.length)]),
      ),
      fc.record({ at: fc.nat(), size: fc.integer({ min: 1, max: 40 }) }).map(
        ({ at, size }) =>
          (bytes: Buffer) =>
            Buffer.concat([bytes.subarray(0, at % bytes.length), bytes.subarray((at % bytes.length) + size)]),
      ),
    );
    fc.assert(
      fc.property(fc.nat({ max: originals.length - 1 }), fc.array(change, { minLength: 1, maxLength: 3 }), (which, changes) => {
        const original = originals[which] ?? Buffer.alloc(0);
        const altered = changes.reduce((bytes, apply) => (bytes.length === 0 ? bytes : apply(bytes)), original);
        fc.pre(!altered.equals(original));
        expect(codeOf(altered)).toMatch(/^csr\./);
      }),
      { numRuns: 3_000 },
    );
  });

  it('of nothing but noise is refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        expect(codeOf(bytes)).toBe('csr.invalid');
      }),
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(codeOf(text)).toBe('csr.invalid');
      }),
    );
  });

  it('has no second form in which the same signature holds', () => {
    const pem = openssl.csr(P256);
    const [info, algorithm, signature] = partsOf(derOf(pem));
    const key = createPrivateKey(keys.privateKey.export({ type: 'pkcs8', format: 'pem' }));
    expect(codeOf(sequence(info, algorithm, signature))).toBe('P-256');
    expect(codeOf(sequence(info, algorithm, signature, sequence()))).toBe('csr.invalid');
    // A NULL in the algorithm, unused bits, a signature with a byte after it: none of them is signed over.
    expect(codeOf(sequence(info, sequence(algorithm.subarray(2), Buffer.of(5, 0)), signature))).toBe('csr.weak-key');
    const bits = Buffer.from(signature);
    bits[2] = 1;
    expect(codeOf(sequence(info, algorithm, bits))).toBe('csr.invalid');
    expect(codeOf(sequence(info, algorithm, bitString(Buffer.concat([signature.subarray(3), Buffer.of(0)]))))).toBe(
      'csr.invalid',
    );
    expect(codeOf(sequence(info, algorithm, bitString(sign('sha256', info, key))))).toBe('csr.invalid');
  });
});

/** The three parts of a request whose lengths take at most two bytes. */
function partsOf(request: Buffer): [Buffer, Buffer, Buffer] {
  const sizeAt = (at: number): number => {
    const first = request[at + 1] ?? 0;
    if (first < 0x80) return 2 + first;
    return first === 0x81 ? 3 + (request[at + 2] ?? 0) : 4 + request.readUInt16BE(at + 2);
  };
  const start = request[1] === 0x82 ? 4 : 3;
  const middle = start + sizeAt(start);
  const last = middle + sizeAt(middle);
  return [request.subarray(start, middle), request.subarray(middle, last), request.subarray(last)];
}
