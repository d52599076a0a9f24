import type { MessagePort } from 'node:worker_threads';
import { Counter, Histogram } from 'prom-client';
import { systemClock } from '../kernel/clock.ts';
import { isSelsynError } from '../kernel/errors.ts';
import { observeEventLoopDelay } from '../kernel/event-loop-delay.ts';
import { openMetrics, type MetricsSnapshot } from '../kernel/metrics.ts';
import { serveCalls } from '../kernel/thread-channel.ts';
import { LocalSigning } from '../pki/local-signing.ts';
import type { CrlRequest, IssueRequest, OcspAnswer, Signing } from '../pki/signing.ts';
import { runThread } from './thread.ts';

export interface SignerThreadData {
  /** The folder of keys and certificates. */
  readonly pkiDir: string;
  /** See LocalSigningOptions. */
  readonly publicUrl: string;
  readonly tokenPin: string | undefined;
  /** Answers SigningCalls here: they may wait for each other, which those of main must not wait for. */
  readonly signing: MessagePort;
}

/** `Signing`, one argument a call. */
// A type, not an interface: only that fits `Calls`, which has an index signature.
export type SigningCalls = {
  authorities(argument: null): ReturnType<Signing['authorities']>;
  issue(requests: readonly IssueRequest[]): ReturnType<Signing['issue']>;
  checkCsr(csr: string | Uint8Array): ReturnType<Signing['checkCsr']>;
  makeCrl(request: CrlRequest): ReturnType<Signing['makeCrl']>;
  answerOcsp(answer: OcspAnswer): ReturnType<Signing['answerOcsp']>;
  verifyPossession(request: Parameters<Signing['verifyPossession']>[0]): ReturnType<Signing['verifyPossession']>;
  describeCertificate(certificate: string | Uint8Array): ReturnType<Signing['describeCertificate']>;
  issuerOf(request: Parameters<Signing['issuerOf']>[0]): ReturnType<Signing['issuerOf']>;
  reload(argument: null): Promise<void>;
};

/** What main may ask besides. */
export type SignerCalls = {
  metrics(argument: null): Promise<MetricsSnapshot>;
  stop(argument: null): void;
};

await runThread<SignerThreadData, SignerCalls, null>(async ({ pkiDir, publicUrl, tokenPin, signing: port }) => {
  const metrics = openMetrics('signer');
  const loopDelay = observeEventLoopDelay(metrics);
  const seconds = new Histogram({
    name: 'selsyn_signer_call_seconds',
    help: 'Time that a call took in the signer thread, by what was asked; one call may issue many certificates.',
    labelNames: ['call'],
    buckets: [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5],
    registers: [metrics],
  });
  const issued = new Counter({ name: 'selsyn_signer_certificates_total', help: 'Certificates issued.', registers: [metrics] });
  const refused = new Counter({
    name: 'selsyn_signer_refused_total',
    help: 'Requests for certificates that were refused, by the code of the error.',
    labelNames: ['code'],
    registers: [metrics],
  });
  const unavailable = new Counter({
    name: 'selsyn_signer_unavailable_total',
    help: 'Calls that failed because the key that signs could not be used.',
    registers: [metrics],
  });
  const signing = LocalSigning.open({ dir: pkiDir, clock: systemClock, publicUrl, tokenPin });
  const timed = async <T>(call: keyof SigningCalls, work: () => Promise<T>): Promise<T> => {
    const done = seconds.startTimer({ call });
    try {
      return await work();
    } catch (error) {
      if (isSelsynError(error, 'signer.unavailable')) unavailable.inc();
      throw error;
    } finally {
      done();
    }
  };
  const issue = async (requests: readonly IssueRequest[]): ReturnType<Signing['issue']> => {
    const results = await signing.issue(requests);
    for (const result of results) {
      if ('issued' in result) issued.inc();
      else refused.inc({ code: result.refused.code });
    }
    return results;
  };
  serveCalls<SigningCalls>(port, {
    authorities: async () => await signing.authorities(),
    issue: async (requests) => await timed('issue', async () => await issue(requests)),
    checkCsr: async (csr) => await timed('checkCsr', async () => await signing.checkCsr(csr)),
    makeCrl: async (request) => await timed('makeCrl', async () => await signing.makeCrl(request)),
    answerOcsp: async (answer) => await timed('answerOcsp', async () => await signing.answerOcsp(answer)),
    verifyPossession: async (request) => await timed('verifyPossession', async () => await signing.verifyPossession(request)),
    describeCertificate: async (der) => await timed('describeCertificate', async () => await signing.describeCertificate(der)),
    issuerOf: async (request) => await timed('issuerOf', async () => await signing.issuerOf(request)),
    reload: async () => await signing.reload(),
  });

  return {
    ready: null,
    calls: {
      metrics: async () => await metrics.getMetricsAsJSON(),
      stop: () => {
        loopDelay[Symbol.dispose]();
        port.close();
      },
    },
  };
});
