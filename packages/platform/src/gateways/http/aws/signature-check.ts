import { AwsError } from './aws-error.ts';
import { type RawQuery, splitTarget } from './raw-query.ts';
import type { HeaderValues, SignatureClaim } from './signature-claim.ts';
import { sameSignature, sha256, signatureOf, UNSIGNED_PAYLOAD } from './signature-v4.ts';

/** A request that shows a signature. */
export interface ShownRequest {
  readonly method: string;
  /** Path and query as they came. */
  readonly target: string;
  readonly query: RawQuery;
  readonly headers: HeaderValues;
  /** Over TLS, where nobody on the way can change it. */
  readonly isPrivate: boolean;
}

/** How far a clock may be off, either way. */
export const MAX_SKEW_MS = 15 * 60_000;

/**
 * What can be said before the body is there.
 *
 * @param services those that the request may be signed for.
 * @throws AwsError InvalidSignatureException
 */
export function checkClaim(claim: SignatureClaim, request: ShownRequest, services: readonly string[], nowMs: number): void {
  const { signedAtMs, expiresSec, scope, signedHeaders, statedPayloadHash, time } = claim;
  const latestMs = expiresSec === undefined ? signedAtMs + MAX_SKEW_MS : signedAtMs + expiresSec * 1_000;
  // With this name, and the Date of the answer, the SDKs find out how far their clock is off, and sign anew.
  if (nowMs > latestMs)
    throw invalid(`Signature expired: ${time} is now earlier than ${timeOf(nowMs - (latestMs - signedAtMs))}`);
  if (signedAtMs > nowMs + MAX_SKEW_MS)
    throw invalid(`Signature not yet current: ${time} is still later than ${timeOf(nowMs + MAX_SKEW_MS)}`);
  if (!services.includes(scope.service)) throw invalid(`Credential should be scoped to correct service: '${services[0] ?? ''}'.`);
  const unsigned = [...request.headers.keys()].filter((name) => mustBeSigned(name, expiresSec) && !signedHeaders.includes(name));
  if (unsigned.length > 0 || !signedHeaders.includes('host'))
    throw invalid(`'Host' and all 'X-Amz-' headers must be signed: ${unsigned.join(', ')}`);
  if (statedPayloadHash === UNSIGNED_PAYLOAD && !request.isPrivate)
    throw invalid('The payload must be signed where the request does not come over TLS.');
  if (hasAmbiguousPath(request.target)) throw invalid('The path must have no empty segments, no "." and no "..".');
}

/**
 * Whether the request was signed with this secret, as it came.
 *
 * @throws AwsError InvalidSignatureException
 */
export function checkSignature(claim: SignatureClaim, request: ShownRequest, body: Uint8Array, secret: string): void {
  const { scope, time, signedHeaders, statedPayloadHash, signature } = claim;
  const payloadHash = statedPayloadHash ?? sha256(body);
  if (payloadHash !== UNSIGNED_PAYLOAD && payloadHash !== sha256(body))
    throw invalid("The provided 'x-amz-content-sha256' header does not match what was computed.");
  const signed = {
    method: request.method,
    path: splitTarget(request.target).path,
    query: request.query,
    headers: signedHeaders.map((name) => [name, request.headers.get(name) ?? ''] as const),
    payloadHash,
  };
  if (sameSignature(signatureOf(signed, time, scope, secret), signature)) return;
  throw invalid(
    'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
  );
}

/** Those of the query are signed as such. */
function mustBeSigned(name: string, expiresSec: number | undefined): boolean {
  return name === 'host' || (name.startsWith('x-amz-') && !(expiresSec !== undefined && name === 'x-amz-content-sha256'));
}

/** Signers write such paths in another way than they send them: another path could have the same signature. */
function hasAmbiguousPath(target: string): boolean {
  const [, ...segments] = splitTarget(target).path.split('/');
  return segments.some((segment) => segment === '' || segment === '.' || segment === '..');
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d+/g, '');
}

function invalid(message: string): AwsError {
  return new AwsError('InvalidSignatureException', message);
}
