import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { RawQuery } from './raw-query.ts';

export const ALGORITHM = 'AWS4-HMAC-SHA256';
const TERMINATOR = 'aws4_request';
export const UNSIGNED_PAYLOAD = 'UNSIGNED-PAYLOAD';
export const SIGNATURE_PARAMETER = 'X-Amz-Signature';

/** What a signature is about: `20260728/eu-central-1/iotdata/aws4_request`. */
export interface SignatureScope {
  /** YYYYMMDD. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
}

/** A request, as far as it is signed. */
export interface SignedRequest {
  readonly method: string;
  /** As it came. */
  readonly path: string;
  readonly query: RawQuery;
  /** Those that are signed, in the order of their names, which are in lower case. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** SHA-256 of the body, hex, or what is signed instead. */
  readonly payloadHash: string;
}

/**
 * Puts together what is signed, by the rules of every service but S3: the path is encoded once more than it was sent, so that a `/`
 * within a topic is told from one between levels.
 *
 * ```
 * METHOD \n path \n query \n name:value\n... \n signed;names \n payload hash
 * ```
 * Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html, step 1
 */
export function canonicalRequest({ method, path, query, headers, payloadHash }: SignedRequest): string {
  return [
    method,
    canonicalPath(path),
    canonicalQuery(query),
    ...headers.map(([name, value]) => `${name}:${canonicalValue(value)}`),
    '',
    headers.map(([name]) => name).join(';'),
    payloadHash,
  ].join('\n');
}

/** @param time of the request, as `20260728T101530Z` @returns hex */
export function signatureOf(request: SignedRequest, time: string, scope: SignatureScope, secret: string): string {
  const { date, region, service } = scope;
  const text = [ALGORITHM, time, `${date}/${region}/${service}/${TERMINATOR}`, sha256(canonicalRequest(request))].join('\n');
  let key: string | Buffer = `AWS4${secret}`;
  for (const part of [date, region, service, TERMINATOR]) key = createHmac('sha256', key).update(part).digest();
  return createHmac('sha256', key).update(text).digest('hex');
}

/** In a time that does not tell where they differ. */
export function sameSignature(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one, 'latin1'), Buffer.from(other, 'latin1')];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** @returns hex */
export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Percent-encodes all but the unreserved characters of RFC 3986. */
export function encodeUri(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`);
}

function canonicalPath(path: string): string {
  return path.split('/').map(encodeUri).join('/');
}

function canonicalQuery(query: RawQuery): string {
  return query
    .filter(([name]) => name !== SIGNATURE_PARAMETER)
    .map(([name, value]) => [encodeUri(name), encodeUri(value)] as const)
    .sort(([name, value], [otherName, otherValue]) => compare(name, otherName) || compare(value, otherValue))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

function canonicalValue(value: string): string {
  return value.replace(/\s+/g, ' ').trim();
}

/** By code unit: what was encoded is ASCII. */
function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
