import { Agent, request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { Agent as SecureAgent, request as httpsRequest } from 'node:https';
import { lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { allowedLookup, isForbiddenAddress } from '../../kernel/hook-addresses.ts';
import { DeliveryError } from '../delivery.ts';
import type { TlsSettings } from '../target-settings.ts';

const MAX_SOCKETS = 64;
const IDLE_MS = 30_000;
/** Of an answer that is not what was hoped for, so much is shown. */
const SHOWN_BYTES = 300;
const MAX_ANSWER_BYTES = 64 * 1024;

/** Statuses that speak of the way to the target or of who asks, not of what is in the records. */
const NOT_THE_RECORDS: ReadonlySet<number> = new Set([401, 402, 403, 404, 405, 407, 408, 410, 421, 425, 429]);

/**
 * Posts to one URL, over connections that stay open. It goes to nobody else: no redirect is followed, no proxy asked; and never to where
 * clouds tell machines their secrets.
 */
export class HttpSender implements Disposable {
  readonly #url: URL;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #agent: Agent | SecureAgent;
  readonly #lookup: LookupFunction;

  constructor(options: {
    readonly url: URL;
    readonly headers: Readonly<Record<string, string>>;
    readonly tls: TlsSettings | undefined;
    readonly clientKey: string | undefined;
    readonly lookup?: LookupFunction | undefined;
  }) {
    this.#url = options.url;
    this.#headers = options.headers;
    this.#lookup = allowedLookup(options.lookup ?? systemLookup);
    const pool = { keepAlive: true, maxSockets: MAX_SOCKETS, timeout: IDLE_MS };
    const { ca, certificate } = options.tls ?? {};
    this.#agent =
      options.url.protocol === 'https:'
        ? new SecureAgent({
            ...pool,
            ...(ca !== undefined && { ca }),
            ...(certificate !== undefined && { cert: certificate }),
            ...(options.clientKey !== undefined && { key: options.clientKey }),
          })
        : new Agent(pool);
  }

  /** Resolves once the answer is a 2xx. @throws DeliveryError for any other; Error where there is none */
  async post(body: Buffer, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void> {
    // A name is looked at when it is looked up.
    if (isForbiddenAddress(this.#url.hostname)) throw new DeliveryError('failed', 'no forwarder may send to this address');
    const answer = await this.#send(body, headers, signal);
    const { statusCode = 0 } = answer;
    const said = await readShort(answer);
    if (statusCode >= 200 && statusCode < 300) return;
    const isOfRecords = statusCode >= 400 && statusCode < 500 && !NOT_THE_RECORDS.has(statusCode);
    throw new DeliveryError(
      isOfRecords ? 'refused' : 'failed',
      `answered with the status ${statusCode}${said === '' ? '' : `: ${said}`}`,
      {
        retryAfterMs: retryAfterOf(answer),
      },
    );
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  async #send(body: Buffer, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<IncomingMessage> {
    for (let isAgain = false; ; isAgain = true) {
      const options = {
        method: 'POST',
        headers: { ...this.#headers, ...headers, 'content-length': body.length },
        agent: this.#agent,
        lookup: this.#lookup,
        signal,
      } as const;
      const request = this.#url.protocol === 'https:' ? httpsRequest(this.#url, options) : httpRequest(this.#url, options);
      try {
        return await answerTo(request, body);
      } catch (error) {
        // The other side may close a connection at the moment at which it is used again: that says nothing of it.
        if (isAgain || !request.reusedSocket || signal.aborted) throw error;
      }
    }
  }
}

async function answerTo(request: ClientRequest, body: Buffer): Promise<IncomingMessage> {
  return await new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('response', resolve);
    request.end(body);
  });
}

/** The beginning of the answer, on one line; the connection can be used again. */
async function readShort(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8', 0, SHOWN_BYTES).replaceAll(/\s+/g, ' ').trim();
}

/** RFC 9110 section 10.2.3: seconds, or a date. */
function retryAfterOf(answer: IncomingMessage): number | undefined {
  const said = answer.headers['retry-after'];
  if (said === undefined) return undefined;
  const seconds = /^\d+$/.test(said) ? Number(said) : (Date.parse(said) - Date.parse(answer.headers.date ?? '')) / 1000;
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined;
}
