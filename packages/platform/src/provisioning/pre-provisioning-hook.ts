import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Clock } from '../kernel/clock.ts';
import { readParameters, type Parameters, PayloadError } from './provisioning-payload.ts';
import { RefusedError, refusal } from './refusal.ts';

/** What a hook is asked, as AWS asks its Lambda functions (AWS IoT Core developer guide, "Pre-provisioning hooks"). */
export interface HookQuestion {
  readonly claimCertificateId?: string | undefined;
  readonly certificateId?: string | undefined;
  readonly certificatePem?: string | undefined;
  /** `arn:aws:iot:…` there; here only its end is the same: `provisioningtemplate/NAME`. */
  readonly templateArn: string;
  readonly clientId?: string | undefined;
  readonly parameters: Parameters;
}

/** Asks somebody else whether a device may enrol, and what is to be said of it. */
export interface AsksHook {
  /** @returns the parameters that are to count instead @throws RefusedError: no, or no answer that can be understood */
  ask(url: string, question: HookQuestion): Promise<Parameters>;
}

export interface HookDependencies {
  readonly clock: Clock;
  /** PEM of authorities that hooks may be certified by; undefined: those that Node knows. */
  readonly ca?: string | undefined;
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
 * The pre-provisioning hook over HTTP: one POST of JSON, one answer of JSON within five seconds.
 *
 * ```
 * → {"claimCertificateId":"…","certificateId":"…","certificatePem":"…","templateArn":"…","clientId":"…","parameters":{"SerialNumber":"1"}}
 * ← {"allowProvisioning":true,"parameterOverrides":{"Site":"kiel"}}
 * ```
 * Whatever else happens is a refusal: another status than 200, a redirect, an answer that is late, long, no JSON or not of this
 * form. It goes to nobody else than its URL says.
 */
export class PreProvisioningHook implements AsksHook {
  readonly #dependencies: HookDependencies;
  /** By origin; those with nothing under way are not there. */
  readonly #lanes = new Map<string, Lane>();

  constructor(dependencies: HookDependencies) {
    this.#dependencies = dependencies;
  }

  async ask(url: string, question: HookQuestion): Promise<Parameters> {
    const deadline = new AbortController();
    const cancel = this.#dependencies.clock.after(DEADLINE_MS, () => deadline.abort());
    try {
      const target = new URL(url);
      const leave = await this.#turn(target.origin, deadline.signal);
      try {
        return readAnswer(await this.#post(target, JSON.stringify(question), deadline.signal));
      } finally {
        leave();
      }
    } catch (error) {
      if (error instanceof RefusedError) throw error;
      if (deadline.signal.aborted) throw failed(`hook did not answer within ${DEADLINE_MS / 1_000} s`);
      throw failed(`hook could not be asked: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      cancel();
    }
  }

  /**
   * @returns what is to be called when it is over
   * @throws RefusedError where too many wait, or the time is over
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
    if (waiting.length >= MAX_WAITING) throw new RefusedError(refusal('busy', 'too many enrolments wait for the hook'));
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
    const options = {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), accept: 'application/json' },
      signal,
      // A connection of its own: none is left over by a hook that hangs.
      agent: false,
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

async function readBody(response: IncomingMessage): Promise<Buffer> {
  if (response.statusCode !== 200) {
    response.destroy();
    throw failed(`hook answered with the status ${response.statusCode}`);
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) {
      response.destroy();
      throw failed(`hook answered more than ${MAX_ANSWER_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** @throws RefusedError */
function readAnswer(bytes: Buffer): Parameters {
  let answer: unknown;
  try {
    answer = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw failed('hook answered what is not JSON');
  }
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) throw failed('hook answered no object');
  const { allowProvisioning, parameterOverrides } = answer as { readonly [name: string]: unknown };
  if (allowProvisioning === false) throw new RefusedError(refusal('hook-refused', 'hook refused'));
  if (allowProvisioning !== true) throw failed('hook answered without allowProvisioning');
  if (parameterOverrides === undefined || parameterOverrides === null) return {};
  try {
    return readParameters(parameterOverrides);
  } catch (error) {
    if (error instanceof PayloadError) throw failed(`hook answered with parameterOverrides that are none: ${error.message}`);
    throw error;
  }
}

/** Closed on failure. */
function failed(why: string): RefusedError {
  return new RefusedError(refusal('hook-failed', why));
}
