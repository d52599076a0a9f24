import type { FastifyRequest } from 'fastify';
import type { RequestAuthorizer } from '../../../identity/request-authorizer.ts';
import type { Clock } from '../../../kernel/clock.ts';
import type { LogLines } from '../../../kernel/log-lines.ts';
import type { AccessKeyLookup, HeldAccessKey } from '../../../people/access-key-lookup.ts';
import { addressOf, shownCertificate } from '../device-request.ts';
import type { AwsCaller } from './aws-caller.ts';
import { AwsError, forbidden } from './aws-error.ts';
import { checkClaim, checkSignature, type ShownRequest } from './signature-check.ts';
import { type HeaderValues, readSignature, type SignatureClaim } from './signature-claim.ts';
import { parseQuery, type RawQuery, splitTarget } from './raw-query.ts';

/** For what clients sign their requests: the data plane, and that of jobs. One door serves both. */
const SERVICES = ['iotdata', 'iot-jobs-data', 'iotdevicegateway'];

export interface AwsAuthenticationDependencies {
  readonly accessKeys: Pick<AccessKeyLookup, 'find' | 'noteUse'>;
  readonly authorizer: Pick<RequestAuthorizer, 'byCertificate' | 'byDevice'>;
  readonly clock: Clock;
  readonly logLines: Pick<LogLines, 'debug'>;
}

/** What is known of a request before its body is. */
export interface BegunRequest {
  readonly query: RawQuery;
  readonly shown: ShownRequest;
  /** Undefined: it shows a certificate instead, and `caller` is who has it. */
  readonly signature: { readonly claim: SignatureClaim; readonly key: HeldAccessKey } | undefined;
  readonly caller: AwsCaller | undefined;
}

/**
 * Finds out who sends a request: by its signature (AWS Signature V4), with an access key, or else by the client certificate of its
 * connection. A signature counts where there are both.
 */
export class AwsAuthentication {
  readonly #dependencies: AwsAuthenticationDependencies;

  constructor(dependencies: AwsAuthenticationDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * All that can be decided before the body is read: a request that is refused here costs nothing more.
   *
   * @throws AwsError MissingAuthenticationTokenException, UnrecognizedClientException, InvalidSignatureException, ForbiddenException, …
   */
  async begin(request: FastifyRequest): Promise<BegunRequest> {
    const { accessKeys, clock } = this.#dependencies;
    const shown = shownRequestOf(request);
    const claim = readSignature(shown.headers, shown.query);
    if (claim === undefined) {
      const caller = await this.#byCertificate(request);
      return { query: shown.query, shown, signature: undefined, caller };
    }
    checkClaim(claim, shown, SERVICES, clock.now());
    const key = await accessKeys.find(claim.keyId);
    if (key === undefined)
      throw new AwsError('UnrecognizedClientException', 'The security token included in the request is invalid.');
    return { query: shown.query, shown, signature: { claim, key }, caller: undefined };
  }

  /** @throws AwsError InvalidSignatureException, ForbiddenException */
  async end({ signature, shown, caller }: BegunRequest, request: FastifyRequest, body: Uint8Array): Promise<AwsCaller> {
    if (caller !== undefined) return caller;
    if (signature === undefined) throw missing();
    const { claim, key } = signature;
    checkSignature(claim, shown, body, key.secret);
    await this.#dependencies.accessKeys.noteUse(key, claim.scope.service);
    const remoteAddress = addressOf(request);
    if ('device' in key.holder) return await this.#asDevice(key.holder.device, remoteAddress);
    const actor = { kind: 'access-key', id: key.id, name: key.name, remoteAddress } as const;
    return { kind: 'program', caller: { actor, grants: key.holder.grants }, actor };
  }

  async #byCertificate(request: FastifyRequest): Promise<AwsCaller> {
    const der = shownCertificate(request);
    if (der === undefined) throw missing();
    return this.#callerOf(await this.#dependencies.authorizer.byCertificate(der), addressOf(request));
  }

  async #asDevice(device: string, remoteAddress: string): Promise<AwsCaller> {
    return this.#callerOf(await this.#dependencies.authorizer.byDevice(device), remoteAddress);
  }

  #callerOf(found: Awaited<ReturnType<RequestAuthorizer['byDevice']>>, remoteAddress: string): AwsCaller {
    if ('refused' in found) {
      this.#dependencies.logLines.debug({ remoteAddress, reason: found.reason }, 'a request of the AWS interface was refused');
      throw forbidden();
    }
    const actor = { kind: 'device', id: found.id, name: found.id, remoteAddress } as const;
    return { kind: 'device', access: found, actor };
  }
}

function missing(): AwsError {
  return new AwsError('MissingAuthenticationTokenException', 'Missing Authentication Token');
}

function shownRequestOf(request: FastifyRequest): ShownRequest {
  const target = request.raw.url ?? '';
  return {
    method: request.method,
    target,
    query: parseQuery(splitTarget(target).query),
    headers: headersOf(request),
    isPrivate: request.protocol === 'https',
  };
}

/** Those that came more than once are joined: whoever signed one of them alone is not believed. */
function headersOf(request: FastifyRequest): HeaderValues {
  const headers = new Map<string, string>();
  const { rawHeaders } = request.raw;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] ?? '').toLowerCase();
    const before = headers.get(name);
    headers.set(name, before === undefined ? (rawHeaders[i + 1] ?? '') : `${before},${rawHeaders[i + 1] ?? ''}`);
  }
  // Where a trusted proxy stands in front, the name that its client asked for and signed.
  if (request.ips !== undefined) headers.set('host', request.host);
  return headers;
}
