import { systemActor } from '../audit/actor.ts';
import type { DeviceTokens } from '../identity/device-tokens.ts';
import type { Clock } from '../kernel/clock.ts';
import { AttemptTrace } from './attempt-trace.ts';
import type { Attempts, Door } from './attempts.ts';
import type { Enrolment } from './enrolment.ts';
import type { EnrolmentCredential, EnrolmentResult } from './enrolment-request.ts';
import type { Parameters } from './provisioning-payload.ts';
import type { ProvisioningToken } from './provisioning-token.ts';
import type { ProvisioningTokens } from './provisioning-tokens.ts';
import { RateLimiter } from './rate-limiter.ts';
import { type Refusal, RefusedError, refusal } from './refusal.ts';
import { refusalOfError } from './refusal-of-error.ts';
import type { TemplateStore } from './template-store.ts';

export interface TokenEnrolmentDependencies {
  readonly clock: Clock;
  readonly tokens: Pick<ProvisioningTokens, 'find' | 'ensureOpen' | 'count'>;
  readonly templates: Pick<TemplateStore, 'find'>;
  readonly enrolment: Pick<Enrolment, 'enrol'>;
  readonly deviceTokens: Pick<DeviceTokens, 'prepare' | 'give'>;
  readonly attempts: Pick<Attempts, 'note'>;
}

/** Somebody who shows a token over HTTP. */
export interface TokenRequest {
  readonly door: Extract<Door, 'token' | 'est'>;
  readonly token: string;
  /** Undefined: that of the token. */
  readonly template?: string | undefined;
  /** What they say of themselves; for EST, what it makes of the subject, which needs to know the template. */
  readonly parameters: Parameters | ((serialParameter: string) => Parameters);
  /** `token`: a token for the device, which signs in with it by MQTT. */
  readonly credential: Extract<EnrolmentCredential, { readonly kind: 'csr' | 'generate' }> | { readonly kind: 'token' };
  readonly remoteAddress: string;
}

export type TokenResult =
  | (Extract<EnrolmentResult, { readonly outcome: 'enrolled' | 'renewed' }> & {
      readonly deviceToken?: string;
      readonly template: string;
    })
  | Extract<EnrolmentResult, { readonly outcome: 'refused' | 'quarantined' }>
  /** There is no such token. */
  | { readonly outcome: 'unknown' };

/** What nobody here knows is written into the trace so often; the rest is the same. */
const UNKNOWN_TRACES_PER_MINUTE = 60;
/** The trace of what came too fast with one token. */
const TOO_FAST_TRACES_PER_MINUTE = 6;

/** The door of who has nothing but a token. */
export class TokenEnrolment {
  readonly #dependencies: TokenEnrolmentDependencies;
  readonly #pace: RateLimiter;

  constructor(dependencies: TokenEnrolmentDependencies) {
    this.#dependencies = dependencies;
    this.#pace = new RateLimiter(dependencies.clock);
  }

  /** The token that somebody shows, while it may be used. Undefined: there is none. @throws RefusedError */
  async tokenOf(shown: string): Promise<ProvisioningToken | undefined> {
    const token = await this.#dependencies.tokens.find(shown);
    if (token !== undefined) this.#admit(token);
    return token;
  }

  /** Does not reject for what a device does. */
  async enrol(request: TokenRequest): Promise<TokenResult> {
    const trace = new AttemptTrace();
    let token: ProvisioningToken | undefined;
    try {
      token = await this.#dependencies.tokens.find(request.token);
      if (token === undefined) {
        const refused = refusal('credential-invalid', 'token is not known');
        if (this.#pace.take('unknown', UNKNOWN_TRACES_PER_MINUTE)) this.#note(request, undefined, trace, refused);
        return { outcome: 'unknown' };
      }
      trace.step(`token ${token.id}`);
      this.#admit(token);
      return await this.#enrol(request, token, trace);
    } catch (error) {
      const refused = refusalOfError(error);
      if (refused === undefined) throw error;
      this.#note(request, token, trace, refused);
      return { outcome: 'refused', refusal: refused };
    }
  }

  /** @throws RefusedError */
  #admit(token: ProvisioningToken): void {
    this.#dependencies.tokens.ensureOpen(token);
    if (!this.#pace.take(token.id, token.ratePerMinute))
      throw new RefusedError(refusal('rate-limited', `token ${token.id} comes too fast`));
  }

  async #enrol(request: TokenRequest, token: ProvisioningToken, trace: AttemptTrace): Promise<TokenResult> {
    const { tokens, templates, enrolment, deviceTokens } = this.#dependencies;
    const { template } = token;
    if (request.template !== undefined && request.template !== template)
      throw new RefusedError(
        refusal('template-unknown', `token ${token.id} is for the template ${template}, not for ${request.template}`),
      );
    const serialParameter = (await templates.find(template))?.template.serial ?? '';
    const parameters = typeof request.parameters === 'function' ? request.parameters(serialParameter) : request.parameters;
    if (token.serial !== undefined && parameters[serialParameter] !== token.serial)
      throw new RefusedError(refusal('manifest-mismatch', `token ${token.id} is for another serial number`));
    const prepared = request.credential.kind === 'token' ? await deviceTokens.prepare() : undefined;
    const result = await enrolment.enrol({
      door: request.door,
      template,
      parameters,
      credential: request.credential.kind === 'token' ? { kind: 'other' } : request.credential,
      asker: { name: `token ${token.id}`, batch: token.batch ?? token.id, remoteAddress: request.remoteAddress },
      trace,
      consume: async (transaction) => await tokens.count(token.id, transaction),
      ...(prepared !== undefined && {
        complete: async (transaction, device) => {
          const actor = { ...systemActor('provisioning'), name: `token ${token.id}`, remoteAddress: request.remoteAddress };
          await deviceTokens.give(device, prepared, actor, transaction);
        },
      }),
    });
    if (!('deviceId' in result)) return result;
    return { ...result, template, ...(prepared !== undefined && { deviceToken: prepared.token }) };
  }

  /** For what was refused before it came to an enrolment. */
  #note(request: TokenRequest, token: ProvisioningToken | undefined, trace: AttemptTrace, refused: Refusal): void {
    if (refused.reason === 'rate-limited' && !this.#pace.take(`trace ${token?.id}`, TOO_FAST_TRACES_PER_MINUTE)) return;
    trace.step(refused.why);
    trace.step('refused');
    this.#dependencies.attempts.note({
      door: request.door,
      outcome: 'refused',
      reason: refused.reason,
      template: token?.template ?? request.template,
      serial: token?.serial,
      claimBatch: token?.batch ?? token?.id,
      group: token?.group,
      remoteAddress: request.remoteAddress,
      steps: trace.steps,
    });
  }
}
