import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { initPki } from '../pki/pki-setup.ts';
import type { CrlRequest, IssueRequest } from '../pki/signing.ts';
import { SignerCaller } from './signer-caller.ts';
import type { SignerCalls, SignerThreadData } from './signer-thread.ts';
import { Thread } from './thread.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'selsyn-signer-'));
});
afterAll(() => rmSync(folder, { recursive: true }));
const pkiDir = (): string => join(folder, 'data', 'pki');
const year = { notBeforeMs: Date.now() - 1_000, notAfterMs: Date.now() + 365 * 86_400_000 };
const request = (commonName: string): IssueRequest => ({ key: { generate: true }, commonName, use: 'client', ...year });

describe('the signer thread', () => {
  it('does all that costs an asymmetric key, and counts it', async () => {
    const channel = new MessageChannel();
    const thread = await Thread.start<SignerThreadData, SignerCalls, null>({
      name: 'signer',
      script: new URL('./signer-thread.ts', import.meta.url),
      data: { pkiDir: pkiDir(), publicUrl: '', tokenPin: undefined, signing: channel.port2 },
      transfer: [channel.port2],
    });
    const signing = new SignerCaller({ port: channel.port1 });
    const [local] = await signing.authorities();
    expect(local).toMatchObject({ kind: 'local', issuing: true, canSign: true });
    const authorityId = local?.id ?? '';

    execFileSync(
      'openssl',
      [
        'req',
        '-new',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-keyout',
        'd.key',
        '-subj',
        '/CN=x',
        '-out',
        'd.csr',
      ],
      { cwd: folder, stdio: 'ignore' },
    );
    const csr = execFileSync('cat', [join(folder, 'd.csr')], { encoding: 'utf8' });
    const bytes = Buffer.from(csr.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
    expect(await signing.checkCsr(csr)).toEqual(await signing.checkCsr(bytes));
    await expect(signing.checkCsr('x')).rejects.toMatchObject({ code: 'csr.invalid', retryable: false });
    const results = await signing.issue([
      request('d1'),
      { ...request('d2'), key: { csr: bytes } },
      { ...request('d3'), key: { csr: '' } },
    ]);
    expect(results.map((result) => ('issued' in result ? result.issued.subject : result.refused.code))).toEqual([
      'CN=d1',
      'CN=d2',
      'csr.invalid',
    ]);
    const [first] = results;
    const pem = first !== undefined && 'issued' in first ? first.issued.certificatePem : '';
    expect(new X509Certificate(pem).verify(new X509Certificate(local?.certificatePem ?? '').publicKey)).toBe(true);
    expect(await signing.issue([])).toEqual([]);
    expect(await signing.issuerOf({ certificate: pem, authorities: [local?.certificatePem ?? ''] })).toBe(0);
    expect(await signing.describeCertificate(pem)).toMatchObject({ commonName: 'd1', isAuthority: false });
    const crl: CrlRequest = { authorityId, number: 1, thisUpdateMs: Date.now(), nextUpdateMs: Date.now() + 1_000, revoked: [] };
    expect((await signing.makeCrl(crl)).length).toBeGreaterThan(100);
    await expect(signing.makeCrl({ ...crl, authorityId: 'ff' })).rejects.toMatchObject({ code: 'authority.not-found' });
    expect(
      (await signing.answerOcsp({ authorityId, nonce: undefined, thisUpdateMs: 0, nextUpdateMs: 1, answers: [] })).length,
    ).toBeGreaterThan(100);
    await expect(signing.verifyPossession({ authorityPem: pem, proofPem: pem, code: 'd1' })).rejects.toMatchObject({
      code: 'certificate.invalid',
    });

    const dataDir = join(folder, 'data');
    const token = { token: undefined, tokenPin: undefined };
    initPki({
      dir: pkiDir(),
      rootDir: join(folder, 'root'),
      dataDir,
      passphrase: undefined,
      name: undefined,
      days: 9,
      clock: systemClock,
      ...token,
    });
    await signing.reload();
    expect((await signing.authorities()).map(({ kind }) => kind)).toEqual(['intermediate', 'local']);

    const metrics = await thread.calls.call('metrics', null);
    const valueOf = (name: string): number | undefined => metrics.find((metric) => metric.name === name)?.values.at(0)?.value;
    expect([valueOf('selsyn_signer_certificates_total'), valueOf('selsyn_signer_refused_total')]).toEqual([2, 1]);
    expect(signing.waiting).toBe(0);
    await thread.stop();
    await expect(signing.checkCsr(csr)).rejects.toMatchObject({ code: 'thread.gone' });
  });

  it('does not start on an authority that has lost its key', async () => {
    const channel = new MessageChannel();
    rmSync(join(pkiDir(), 'ca.key'));
    const start = Thread.start<SignerThreadData, SignerCalls, null>({
      name: 'signer',
      script: new URL('./signer-thread.ts', import.meta.url),
      data: { pkiDir: pkiDir(), publicUrl: '', tokenPin: undefined, signing: channel.port2 },
      transfer: [channel.port2],
    });
    await expect(start).rejects.toMatchObject({ code: 'data.corrupt' });
    channel.port1.close();
  });
});

describe('the queue to the signer thread', () => {
  /** A thread that never answers. */
  const silent = (deadlineMs: number): { readonly signing: SignerCaller; readonly end: () => void } => {
    const { port1, port2 } = new MessageChannel();
    return { signing: new SignerCaller({ port: port1, maxWaiting: 10, deadlineMs }), end: () => port2.close() };
  };

  it('refuses what is too much for it at once, and the caller may try again', async () => {
    const { signing, end } = silent(60_000);
    const registry = new Registry();
    signing.register(registry);
    const asked = [signing.issue(Array.from({ length: 9 }, (_, n) => request(`d${n}`))), signing.checkCsr('')].map((call) =>
      call.catch(String),
    );
    expect(signing.waiting).toBe(10);
    await expect(signing.checkCsr('')).rejects.toMatchObject({ code: 'signer.busy', retryable: true });
    await expect(signing.issue([request('d')])).rejects.toMatchObject({ code: 'signer.busy' });
    const text = await registry.metrics();
    expect(text).toMatch(/selsyn_signer_waiting 10\n/);
    expect(text).toMatch(/selsyn_signer_busy_total 2\n/);
    end();
    await Promise.all(asked);
    expect(signing.waiting).toBe(0);
  });

  it('takes a batch that is larger than it when nothing else waits', async () => {
    const { signing, end } = silent(60_000);
    const asked = signing.issue(Array.from({ length: 50 }, (_, n) => request(`d${n}`))).catch(String);
    expect(signing.waiting).toBe(50);
    await expect(signing.checkCsr('')).rejects.toMatchObject({ code: 'signer.busy' });
    end();
    await asked;
  });

  it('has a deadline for each call', async () => {
    const { signing, end } = silent(10);
    await expect(signing.checkCsr('')).rejects.toMatchObject({ code: 'thread.timeout', retryable: true });
    expect(signing.waiting).toBe(0);
    end();
  });
});
