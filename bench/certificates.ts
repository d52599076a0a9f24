import 'reflect-metadata';
import { generateKeyPairSync, webcrypto } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { MessageChannel } from 'node:worker_threads';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Pkcs10CertificateRequest,
  Pkcs10CertificateRequestGenerator,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { SignerCaller } from '@selsyn/platform/app/signer-caller.ts';
import type { SignerCalls, SignerThreadData } from '@selsyn/platform/app/signer-thread.ts';
import { Thread } from '@selsyn/platform/app/thread.ts';
import { systemClock } from '@selsyn/platform/kernel/clock.ts';
import { encodeRevoked } from '@selsyn/platform/pki/crl.ts';
import { LocalSigning } from '@selsyn/platform/pki/local-signing.ts';
import type { IssueRequest } from '@selsyn/platform/pki/signing.ts';

/*
 * Claim: one core checks at least 3,000 requests (P-256) a second and signs a certificate for each; a CRL of 10,000 takes milliseconds.
 *
 * Workload: PKCS#10 in PEM, proof of possession verified, a certificate of its own each, signed by an authority on P-256 in a file. In
 * the caller's thread, and through the signer thread in batches of 64, two under way. Compared with @peculiar/x509 doing the same. Best
 * of three rounds, in turns, to be free of what else the machine does.
 *
 *   node bench/certificates.ts [milliseconds a round]
 */
const ROUNDS = 3;
const BATCH = 64;
const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const RSA = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  modulusLength: 2_048,
  publicExponent: new Uint8Array([1, 0, 1]),
} as const;

const roundMs = Number(process.argv[2] ?? 1_000);
const folder = mkdtempSync(join(tmpdir(), 'selsyn-bench-pki-'));
const validity = { notBeforeMs: Date.now() - 86_400_000, notAfterMs: Date.now() + 365 * 86_400_000 };
try {
  const signing = LocalSigning.open({ dir: join(folder, 'pki'), clock: systemClock, publicUrl: 'http://pki.example.com' });
  const [ecCsr, rsaCsr] = [await requestOf(EC), await requestOf(RSA)];
  const request = (key: IssueRequest['key']): IssueRequest => ({ key, commonName: 'sensor123', use: 'client', ...validity });
  const thread = await signerThread(join(folder, 'pki'));
  const rates = await bestRates({
    p256Csr: async () => await issue(signing, request({ csr: ecCsr })),
    rsa2048Csr: async () => await issue(signing, request({ csr: rsaCsr })),
    newKey: async () => await issue(signing, request({ generate: true })),
    p256CsrThroughThread: async () => {
      const batch = Array.from({ length: BATCH }, () => request({ csr: ecCsr }));
      await Promise.all([thread.signing.issue(batch), thread.signing.issue(batch)]);
      return 2 * BATCH;
    },
    p256CsrPeculiar: await peculiarIssuer(ecCsr),
  });
  await thread.stop();
  const results = { perSec: rates, crlOf10kMs: await crlMs(signing) };
  process.stdout.write(
    `${JSON.stringify({ claim: 'certificates', machine: cpus()[0]?.model, node: process.version, results: [results] }, undefined, 2)}\n`,
  );
} finally {
  rmSync(folder, { recursive: true });
}

async function issue(signing: LocalSigning, request: IssueRequest): Promise<number> {
  const results = await signing.issue(Array.from({ length: BATCH }, () => request));
  if (results.some((result) => 'refused' in result)) throw new Error('a request was refused');
  return BATCH;
}

async function signerThread(pkiDir: string): Promise<{ readonly signing: SignerCaller; readonly stop: () => Promise<void> }> {
  const channel = new MessageChannel();
  const thread = await Thread.start<SignerThreadData, SignerCalls, null>({
    name: 'signer',
    script: new URL(import.meta.resolve('@selsyn/platform/app/signer-thread.ts')),
    data: { pkiDir, publicUrl: '', tokenPin: undefined, signing: channel.port2 },
    transfer: [channel.port2],
  });
  return { signing: new SignerCaller({ port: channel.port1 }), stop: async () => await thread.stop() };
}

async function requestOf(algorithm: typeof EC | typeof RSA): Promise<string> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const made = await Pkcs10CertificateRequestGenerator.create({ name: 'CN=x', keys, signingAlgorithm: algorithm }, webcrypto);
  return made.toString('pem');
}

async function peculiarIssuer(csr: string): Promise<() => Promise<number>> {
  const authority = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.toCryptoKey(EC, false, ['sign']);
  return async () => {
    const checked = new Pkcs10CertificateRequest(csr);
    if (!(await checked.verify(webcrypto))) throw new Error('a request was refused');
    await X509CertificateGenerator.create(
      {
        subject: [{ CN: ['sensor123'] }],
        issuer: 'CN=bench',
        publicKey: await checked.publicKey.export(webcrypto),
        signingKey: authority,
        notBefore: new Date(validity.notBeforeMs),
        notAfter: new Date(validity.notAfterMs),
        signingAlgorithm: EC,
        extensions: [
          new BasicConstraintsExtension(false, undefined, true),
          new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
          new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth]),
          await SubjectKeyIdentifierExtension.create(checked.publicKey, false, webcrypto),
        ],
      },
      webcrypto,
    );
    return 1;
  };
}

/** A second, of each in turns: the best round. */
async function bestRates<K extends string>(work: Readonly<Record<K, () => Promise<number>>>): Promise<Record<string, number>> {
  const best: Record<string, number> = {};
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, once] of Object.entries<() => Promise<number>>(work)) {
      const startMs = performance.now();
      let count = 0;
      while (performance.now() - startMs < roundMs) count += await once();
      best[name] = Math.max(best[name] ?? 0, Math.round((count * 1_000) / (performance.now() - startMs)));
    }
  }
  return best;
}

async function crlMs(signing: LocalSigning): Promise<number> {
  const [authority] = await signing.authorities();
  const revoked = Array.from({ length: 10_000 }, (_, n) => ({
    serial: (0x40000000 + n * 7_919).toString(16).padStart(32, '4'),
    revokedAtMs: Date.now() - n * 1_000,
    reason: 'keyCompromise' as const,
  }));
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS * 3; round++) {
    const startMs = performance.now();
    const times = { thisUpdateMs: Date.now(), nextUpdateMs: Date.now() + 86_400_000 };
    await signing.makeCrl({ authorityId: authority?.id ?? '', number: round, ...times, revoked: [encodeRevoked(revoked)] });
    best = Math.min(best, performance.now() - startMs);
  }
  return Number(best.toFixed(1));
}
