// The library finds its parts by metadata, which must be there before it.
import 'reflect-metadata';
import { createPrivateKey, createPublicKey, randomBytes, webcrypto, type KeyObject } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** A certificate and its private key, PEM both. */
export interface CertifiedKey {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** The certificate of an authority that signs no other authorities (RFC 5280, section 4.2.1.9). */
export async function makeAuthorityCertificate(
  options: Validity & { readonly privateKeyPem: string; readonly commonName: string },
): Promise<string> {
  const keys = keyPairOf(options.privateKeyPem);
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      name: nameOf(options.commonName),
      keys,
      serialNumber: newSerialNumber(),
      notBefore: options.notBefore,
      notAfter: options.notAfter,
      signingAlgorithm: ECDSA,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return `${certificate.toString('pem')}\n`;
}

export interface LeafCertificateOptions extends Validity {
  readonly authority: CertifiedKey;
  /** Of which the certificate is made; the private key need not be here. */
  readonly publicKey: KeyObject;
  readonly commonName: string;
  readonly use: 'server' | 'client';
  /** Host names and addresses; none for a client. */
  readonly names: readonly { readonly type: 'dns' | 'ip'; readonly value: string }[];
}

/** A certificate for one server or one client, signed by an authority. */
export async function makeLeafCertificate(options: LeafCertificateOptions): Promise<string> {
  const { authority, use, names } = options;
  const issuer = new X509Certificate(authority.certificatePem);
  const publicKey = options.publicKey.toCryptoKey(ECDSA, true, ['verify']);
  const extensions: Extension[] = [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([use === 'server' ? ExtendedKeyUsage.serverAuth : ExtendedKeyUsage.clientAuth]),
    await SubjectKeyIdentifierExtension.create(publicKey, false, webcrypto),
    await AuthorityKeyIdentifierExtension.create(issuer, false, webcrypto),
  ];
  if (names.length > 0) extensions.push(new SubjectAlternativeNameExtension([...names]));
  const certificate = await X509CertificateGenerator.create(
    {
      subject: nameOf(options.commonName),
      issuer: issuer.subjectName,
      publicKey,
      signingKey: keyPairOf(authority.privateKeyPem).privateKey,
      serialNumber: newSerialNumber(),
      notBefore: options.notBefore,
      notAfter: options.notAfter,
      signingAlgorithm: ECDSA,
      extensions,
    },
    webcrypto,
  );
  return `${certificate.toString('pem')}\n`;
}

/** As JSON, so that nothing in it is read as another part of a name. */
function nameOf(commonName: string): [{ CN: [string] }] {
  return [{ CN: [commonName] }];
}

function keyPairOf(privateKeyPem: string): { readonly privateKey: webcrypto.CryptoKey; readonly publicKey: webcrypto.CryptoKey } {
  const privateKey = createPrivateKey(privateKeyPem);
  return {
    privateKey: privateKey.toCryptoKey(ECDSA, true, ['sign']),
    publicKey: createPublicKey(privateKey).toCryptoKey(ECDSA, true, ['verify']),
  };
}

/** 126 random bits, positive, and never with a leading zero (RFC 5280, section 4.1.2.2). */
function newSerialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString('hex');
}
