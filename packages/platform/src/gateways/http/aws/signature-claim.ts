import { AwsError } from './aws-error.ts';
import { parameterOf, type RawQuery } from './raw-query.ts';
import { ALGORITHM, SIGNATURE_PARAMETER, type SignatureScope } from './signature-v4.ts';

/** What a request says of its signature; nothing of it is proved yet. */
export interface SignatureClaim {
  readonly keyId: string;
  readonly scope: SignatureScope;
  /** As it stands in the request: `20260728T101530Z`. */
  readonly time: string;
  readonly signedAtMs: number;
  /** How long it holds; undefined: it is sent at once. */
  readonly expiresSec: number | undefined;
  /** Names in lower case, in order. */
  readonly signedHeaders: readonly string[];
  /** 64 hex digits. */
  readonly signature: string;
  /** What it says instead of leaving the hash of its body to be reckoned. */
  readonly statedPayloadHash: string | undefined;
}

/** The headers of a request by their names in lower case. */
export type HeaderValues = ReadonlyMap<string, string>;

/** Seven days, as AWS has it. */
const MAX_EXPIRES_SEC = 604_800;
const MAX_SIGNED_HEADERS = 100;
const CREDENTIAL = /^([A-Z0-9]{16,128})\/(\d{8})\/([a-z0-9-]{1,64})\/([a-z0-9-]{1,64})\/aws4_request$/;
const TIME = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;
const SIGNATURE = /^[0-9a-f]{64}$/;
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;

/**
 * Reads how a request is signed, by its header `Authorization` or by its query.
 *
 * @returns undefined where it is not.
 * @throws AwsError IncompleteSignatureException, InvalidSignatureException, UnrecognizedClientException
 */
export function readSignature(headers: HeaderValues, query: RawQuery): SignatureClaim | undefined {
  const authorization = headers.get('authorization');
  if (authorization !== undefined) return fromHeader(authorization, headers);
  return parameterOf(query, 'X-Amz-Algorithm') === undefined ? undefined : fromQuery(headers, query);
}

/** Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html */
function fromHeader(authorization: string, headers: HeaderValues): SignatureClaim {
  const [algorithm = '', rest = ''] = authorization.split(/\s+(.*)/s, 2);
  if (algorithm !== ALGORITHM) throw incomplete(`the Authorization header must begin with ${ALGORITHM}`);
  const parts = new Map(
    rest.split(',').map((part) => {
      const at = part.indexOf('=');
      return [part.slice(0, Math.max(at, 0)).trim(), part.slice(at + 1).trim()] as const;
    }),
  );
  refuseToken(headers.get('x-amz-security-token'));
  const time = headers.get('x-amz-date') ?? timeOfDate(headers.get('date'));
  return claimOf({
    credential: parts.get('Credential'),
    signedHeaders: parts.get('SignedHeaders'),
    signature: parts.get('Signature'),
    time,
    expiresSec: undefined,
    statedPayloadHash: headers.get('x-amz-content-sha256'),
  });
}

function fromQuery(headers: HeaderValues, query: RawQuery): SignatureClaim {
  if (parameterOf(query, 'X-Amz-Algorithm') !== ALGORITHM) throw incomplete(`X-Amz-Algorithm must be ${ALGORITHM}`);
  refuseToken(parameterOf(query, 'X-Amz-Security-Token') ?? headers.get('x-amz-security-token'));
  const expires = parameterOf(query, 'X-Amz-Expires') ?? '';
  const expiresSec = /^\d{1,7}$/.test(expires) ? Number(expires) : 0;
  if (expiresSec < 1 || expiresSec > MAX_EXPIRES_SEC) throw incomplete('X-Amz-Expires must be 1 to 604800 seconds');
  return claimOf({
    credential: parameterOf(query, 'X-Amz-Credential'),
    signedHeaders: parameterOf(query, 'X-Amz-SignedHeaders'),
    signature: parameterOf(query, SIGNATURE_PARAMETER),
    time: parameterOf(query, 'X-Amz-Date'),
    expiresSec,
    statedPayloadHash: parameterOf(query, 'X-Amz-Content-Sha256') ?? headers.get('x-amz-content-sha256'),
  });
}

function claimOf(found: {
  readonly credential: string | undefined;
  readonly signedHeaders: string | undefined;
  readonly signature: string | undefined;
  readonly time: string | undefined;
  readonly expiresSec: number | undefined;
  readonly statedPayloadHash: string | undefined;
}): SignatureClaim {
  const { time = '', signature = '', expiresSec, statedPayloadHash } = found;
  const [, keyId, date, region, service] = CREDENTIAL.exec(found.credential ?? '') ?? [];
  if (keyId === undefined || date === undefined || region === undefined || service === undefined)
    throw incomplete('Credential must be KEY/YYYYMMDD/REGION/SERVICE/aws4_request');
  const signedHeaders = (found.signedHeaders ?? '').split(';');
  if (signedHeaders.length > MAX_SIGNED_HEADERS || !signedHeaders.every((name) => HEADER_NAME.test(name)))
    throw incomplete('SignedHeaders must be names of headers in lower case, divided by ;');
  if (signedHeaders.some((name, index) => index > 0 && name <= (signedHeaders[index - 1] ?? '')))
    throw incomplete('SignedHeaders must be in order, each once');
  if (!SIGNATURE.test(signature)) throw incomplete('Signature must be 64 hex digits');
  const signedAtMs = msOf(time);
  if (signedAtMs === undefined) throw incomplete('X-Amz-Date must be as 20260728T101530Z');
  // Source: the same page, "Date and region in credential scope".
  if (!time.startsWith(date))
    throw new AwsError(
      'InvalidSignatureException',
      'Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP',
    );
  return { keyId, scope: { date, region, service }, time, signedAtMs, expiresSec, signedHeaders, signature, statedPayloadHash };
}

/** Keys that hold for a while only are not issued here: a session token belongs to somebody else's key. */
function refuseToken(token: string | undefined): void {
  if (token !== undefined)
    throw new AwsError('UnrecognizedClientException', 'The security token included in the request is invalid.');
}

function msOf(time: string): number | undefined {
  const [, year, month, day, hour, minute, second] = TIME.exec(time) ?? [];
  if (year === undefined) return undefined;
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(ms) ? undefined : ms;
}

/** Where there is no X-Amz-Date the header Date counts, in the form of HTTP (RFC 9110, section 5.6.7) or of SigV4. */
function timeOfDate(date: string | undefined): string | undefined {
  if (date === undefined || TIME.test(date)) return date;
  const ms = Date.parse(date);
  return Number.isNaN(ms) ? undefined : new Date(ms).toISOString().replace(/[-:]|\.\d+/g, '');
}

function incomplete(what: string): AwsError {
  return new AwsError('IncompleteSignatureException', `The signature of the request is incomplete: ${what}`);
}
