import { WebHookError, WebHooks, type WebHooksDependencies } from '../kernel/web-hooks.ts';
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
  readonly #hooks: WebHooks;

  constructor(dependencies: WebHooksDependencies) {
    this.#hooks = new WebHooks(dependencies);
  }

  async ask(url: string, question: HookQuestion): Promise<Parameters> {
    return readAnswer(await this.#post(url, question));
  }

  /** @throws RefusedError */
  async #post(url: string, question: HookQuestion): Promise<Buffer> {
    try {
      return await this.#hooks.post(url, question);
    } catch (error) {
      if (!(error instanceof WebHookError)) throw error;
      if (error.kind === 'busy') throw new RefusedError(refusal('busy', 'too many enrolments wait for the hook'));
      throw failed(`hook ${error.message}`);
    }
  }
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
