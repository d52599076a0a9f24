import type { MessagePort } from 'node:worker_threads';
import { Counter, Gauge, type Registry } from 'prom-client';
import { SelsynError } from '../kernel/errors.ts';
import { ThreadCaller } from '../kernel/thread-channel.ts';
import type { Signing } from '../pki/signing.ts';
import type { SigningCalls } from './signer-thread.ts';

/** About a second of signing, of the 3,000 to 5,000 a second that one thread does. */
export const MAX_WAITING = 4_000;
/** Of the answer to one call, with those before it. */
const DEADLINE_MS = 10_000;

/**
 * Main's end of the signer thread.
 *
 * At most `maxWaiting` pieces of work wait, a certificate to be issued counts as one each; a call that would go beyond is refused at once
 * with `signer.busy`, which the caller may try again later. A batch larger than that is taken only when nothing else waits.
 */
export class SignerCaller implements Signing {
  readonly #caller: ThreadCaller<SigningCalls>;
  readonly #maxWaiting: number;
  #waiting = 0;
  #refused = 0;

  constructor(options: { readonly port: MessagePort; readonly maxWaiting?: number; readonly deadlineMs?: number }) {
    this.#caller = new ThreadCaller<SigningCalls>(options.port, options.deadlineMs ?? DEADLINE_MS);
    this.#maxWaiting = options.maxWaiting ?? MAX_WAITING;
  }

  /** Pieces of work that have no answer yet. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Shows the queue as metrics. */
  register(registry: Registry): void {
    const waiting: Gauge = new Gauge({
      name: 'selsyn_signer_waiting',
      help: 'Certificates and other pieces of work that wait for the signer thread.',
      registers: [registry],
      collect: () => waiting.set(this.#waiting),
    });
    const busy: Counter = new Counter({
      name: 'selsyn_signer_busy_total',
      help: 'Calls that were refused because too much waits for the signer thread.',
      registers: [registry],
      collect: () => {
        busy.reset();
        busy.inc(this.#refused);
      },
    });
  }

  async authorities(): ReturnType<Signing['authorities']> {
    // What it answers costs nothing: it must not fail because others sign.
    return await this.#caller.call('authorities', null);
  }

  async issue(requests: Parameters<Signing['issue']>[0]): ReturnType<Signing['issue']> {
    if (requests.length === 0) return [];
    return await this.#run(requests.length, async () => await this.#caller.call('issue', requests));
  }

  async checkCsr(csr: Parameters<Signing['checkCsr']>[0]): ReturnType<Signing['checkCsr']> {
    return await this.#run(1, async () => await this.#caller.call('checkCsr', csr));
  }

  async makeCrl(request: Parameters<Signing['makeCrl']>[0]): ReturnType<Signing['makeCrl']> {
    return await this.#run(1, async () => await this.#caller.call('makeCrl', request));
  }

  async answerOcsp(answer: Parameters<Signing['answerOcsp']>[0]): ReturnType<Signing['answerOcsp']> {
    return await this.#run(1, async () => await this.#caller.call('answerOcsp', answer));
  }

  async verifyPossession(request: Parameters<Signing['verifyPossession']>[0]): ReturnType<Signing['verifyPossession']> {
    return await this.#run(1, async () => await this.#caller.call('verifyPossession', request));
  }

  async describeCertificate(
    certificate: Parameters<Signing['describeCertificate']>[0],
  ): ReturnType<Signing['describeCertificate']> {
    return await this.#run(1, async () => await this.#caller.call('describeCertificate', certificate));
  }

  async issuerOf(request: Parameters<Signing['issuerOf']>[0]): ReturnType<Signing['issuerOf']> {
    return await this.#run(1, async () => await this.#caller.call('issuerOf', request));
  }

  async reload(): Promise<void> {
    await this.#caller.call('reload', null);
  }

  async #run<T>(pieces: number, call: () => Promise<T>): Promise<T> {
    if (this.#waiting > 0 && this.#waiting + pieces > this.#maxWaiting) {
      this.#refused++;
      throw new SelsynError('signer.busy', `${this.#waiting} certificates wait to be signed: no more are taken now`, {
        retryable: true,
        details: { waiting: this.#waiting },
      });
    }
    this.#waiting += pieces;
    try {
      return await call();
    } finally {
      this.#waiting -= pieces;
    }
  }
}
