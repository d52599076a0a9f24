import { SelsynError } from '../../../kernel/errors.ts';

/** Fields that errors of the AWS SDK have, besides those of an Error. */
interface ServiceError {
  readonly name: string;
  readonly message: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

const FULL = new Set(['InsufficientStorage', 'QuotaExceeded', 'XMinioStorageFull', 'XMinioAdminBucketQuotaExceeded']);
const NOT_FOUND = new Set(['NoSuchKey', 'NotFound', 'NoSuchUpload']);
/** https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html: those of 4xx that pass. */
const PASSING = new Set(['RequestTimeout', 'RequestTimeTooSkewed', 'SlowDown', 'OperationAborted', 'TooManyRequestsException']);

/** True where the store says that there is no such object; a missing bucket is something else. */
export function isNotFound(error: unknown): boolean {
  const { name, $metadata } = error as ServiceError;
  return NOT_FOUND.has(name) || (name !== 'NoSuchBucket' && $metadata?.httpStatusCode === 404);
}

/** What the SDK threw, after the tries of its own, as an error of the platform. */
export function s3Failure(error: unknown, what: string, signal: AbortSignal | undefined): unknown {
  if (error instanceof SelsynError) return error;
  if (signal?.aborted === true) return signal.reason;
  const { name, message, $metadata } = error as ServiceError;
  const status = $metadata?.httpStatusCode;
  const said = `${what}: ${name}${message === '' || message === name ? '' : `, ${message}`}`;
  const options = { cause: error, details: { name, ...(status === undefined ? {} : { status }) } };
  if (FULL.has(name) || status === 507) return new SelsynError('blobs.full', said, { ...options, retryable: true });
  if (isNotFound(error)) return new SelsynError('blobs.not-found', said, options);
  const refused =
    name === 'CredentialsProviderError' || (status !== undefined && status >= 300 && status < 500 && status !== 429);
  if (refused && !PASSING.has(name)) return new SelsynError('blobs.refused', said, options);
  return new SelsynError('blobs.unavailable', said, { ...options, retryable: true });
}
