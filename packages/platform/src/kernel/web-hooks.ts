import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import type { Clock } from './clock.ts';
import { allowedLookup, isForbiddenAddress } from './hook-addresses.ts';

/** A hook gave no answer: `busy` when too many wait for it, `failed` for all else. The message goes on from "the hook". */
export class WebHookError extends Error {
  override readonly name = 'WebHookError';
  readonly kind: 'busy' | 'failed';

  constructor(kind: 'busy' | 'failed', message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}

export interface WebHooksDependencies {
  readonly clock: Clock;
  /** PEM of authorities that hooks may be certified by; undefined: those that Node knows. */
  readonly ca?: string | undefined;
  /** Of names; undefined: that of the system. */
  readonly lookup?: LookupFunction | undefined;
}

const DEADLINE_MS = 5_000;
const MAX_ANSWER_BYTES = 32 * 1024;
/** At one host: others wait for their turn, in their own five seconds. A hook that hangs keeps nobody from another one. */
const MAX_UNDER_WAY = 64;
const MAX_WAITING = 1_024;

/** The questions to one host. */
interface Lane {
  underWay: number;
  readonly waiting: (() => void)[];
}

/**
 * Asks programs of others over HTTP: one POST of JSON, one answer with the status 200 within five seconds, of at most 32 KB. It goes to
 * nobody else than the URL says: no redirect is followed, no proxy asked; and never to where clouds tell machines their secrets.
 */
export class WebHooks {
  readonly #dependencies: WebHooksDependencies;
  /** By origin; those with nothing under way are not there. */
  readonly #lanes = new Map<string, Lane>();
  readonly #lookup: LookupFunction;

  constructor(dependencies: WebHooksDependencies) {
    this.#dependencies = dependencies;
    this.#lookup = allowedLookup(dependencies.lookup ?? lookup);
  }

  /** @returns the body of the answer. @throws WebHookError */
  async post(url: string, question: unknown): Promise<Buffer> {
    const deadline = new AbortController();
    const cancel = this.#dependencies.clock.after(DEADLINE_MS, () => deadline.abort());
    try {
      const target = new URL(url);
      const leave = await this.#turn(target.origin, deadline.signal);
      try {
        return await this.#post(target, JSON.stringify(question), deadline.signal);
      } finally {
        leave();
      }
    } catch (error) {
      if (error instanceof WebHookError) throw error;
      if (deadline.signal.aborted) throw new WebHookError('failed', `did not answer within ${DEADLINE_MS / 1_000} s`);
      throw new WebHookError('failed', `could not be asked: ${error instanceof Error ? error.message : String(error)}`, error);
    } finally {
      cancel();
    }
  }

  /**
   * @returns what is to be called when it is over
   * @throws WebHookError where too many wait; Error where the time is over
   */
  async #turn(origin: string, signal: AbortSignal): Promise<() => void> {
    const lane = this.#lanes.get(origin) ?? { underWay: 0, waiting: [] };
    this.#lanes.set(origin, lane);
    const { waiting } = lane;
    const leave = (): void => {
      const next = waiting.shift();
      // Whoever waits takes the place over.
      if (next !== undefined) next();
      else if (--lane.underWay === 0) this.#lanes.delete(origin);
    };
    if (lane.underWay < MAX_UNDER_WAY) {
      lane.underWay++;
      return leave;
    }
    if (waiting.length >= MAX_WAITING) throw new WebHookError('busy', 'is asked too much already');
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => {
        waiting.splice(waiting.indexOf(go), 1);
        reject(new Error('it is too late'));
      };
      const go = (): void => {
        signal.removeEventListener('abort', abort);
        resolve();
      };
      waiting.push(go);
      signal.addEventListener('abort', abort, { once: true });
    });
    return leave;
  }

  async #post(url: URL, body: string, signal: AbortSignal): Promise<Buffer> {
    const { ca } = this.#dependencies;
    // No name is looked up for what is an address already.
    if (isForbiddenAddress(url.hostname)) throw new WebHookError('failed', 'is at an address at which no hook may be');
    const options = {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), accept: 'application/json' },
      signal,
      // A connection of its own: none is left over by a hook that hangs.
      agent: false,
      lookup: this.#lookup,
      ...(ca !== undefined && { ca }),
    } as const;
    return await new Promise<Buffer>((resolve, reject) => {
      const request = url.protocol === 'https:' ? httpsRequest(url, options) : httpRequest(url, options);
      request.on('error', reject);
      request.on('response', (response) => {
        readBody(response).then(resolve, reject);
        response.on('error', reject);
      });
      request.end(body);
      signal.addEventListener('abort', () => request.destroy(), { once: true });
    });
  }
}

/** What is wrong with the URL of a hook, for people; undefined: nothing. */
export function hookUrlFault(url: string): string | undefined {
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) return 'it is no http: or https: URL';
  if (parsed.username !== '' || parsed.password !== '') return 'it must hold no password: everybody who sees it would';
  if (isForbiddenAddress(parsed.hostname)) return 'no hook may be at this address';
  return undefined;
}

async function readBody(response: IncomingMessage): Promise<Buffer> {
  if (response.statusCode !== 200) {
    response.destroy();
    throw new WebHookError('failed', `answered with the status ${response.statusCode}`);
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) {
      response.destroy();
      throw new WebHookError('failed', `answered more than ${MAX_ANSWER_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
