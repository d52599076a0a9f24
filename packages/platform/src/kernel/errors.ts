/** What each error code means: its HTTP status, its title, and what the user can do. docs/reference/errors.md is compared with it. */
export const ERRORS = {
  'config.invalid': { status: 500, title: 'The configuration is not valid' },
  'data.locked': { status: 500, title: 'Another process uses this data folder' },
  'data.unwritable': { status: 500, title: 'The data folder cannot be written' },
  'data.corrupt': { status: 500, title: 'Stored data does not have the expected form' },
  'listen.failed': { status: 500, title: 'A listener could not be opened' },
  'log.full': { status: 507, title: 'The volume of the log is out of space' },
  'log.failed': { status: 503, title: 'The log could not be written' },
  'log.closed': { status: 503, title: 'The log is closed' },
  'log.offset-gone': { status: 410, title: 'The log no longer holds this offset' },
  'request.invalid': { status: 400, title: 'The request is not valid' },
  'request.too-large': { status: 413, title: 'The request is too large' },
  'request.unsupported-media-type': { status: 415, title: 'The body has a media type that is not taken here' },
  'request.misdirected': { status: 421, title: 'The request names a host that is not served here' },
  'request.rate-limited': { status: 429, title: 'Too many requests' },
  'access.unauthenticated': { status: 401, title: 'A valid key is required' },
  'access.denied': { status: 403, title: 'Not allowed' },
  'route.not-found': { status: 404, title: 'There is nothing at this address' },
  'device.not-found': { status: 404, title: 'No such device' },
  'device.exists': { status: 409, title: 'A device with this id exists already' },
  'device.invalid-id': { status: 400, title: 'Not a device id' },
  'api-key.not-found': { status: 404, title: 'No such API key' },
  'client.not-found': { status: 404, title: 'No such MQTT client' },
  'telemetry.malformed': { status: 400, title: 'The payload is not telemetry' },
  'telemetry.too-many-metrics': { status: 422, title: 'The device has reached its limit of metrics' },
  'telemetry.bad-time': { status: 422, title: 'The timestamp is out of range' },
  'telemetry.store-failed': { status: 503, title: 'The telemetry store could not be read or written' },
  'query.too-large': { status: 422, title: 'The query would return or read too many points' },
  'server.not-ready': { status: 503, title: 'The server is not ready' },
  'thread.timeout': { status: 503, title: 'A thread did not answer in time' },
  'thread.gone': { status: 503, title: 'A thread has ended' },
  internal: { status: 500, title: 'An unexpected error' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** The one error type of the platform. Narrow it by `code`, never by text. */
export class SelsynError extends Error {
  override readonly name = 'SelsynError';
  readonly code: ErrorCode;
  /** True where the same call may succeed later without any change by the caller. */
  readonly retryable: boolean;
  /** Facts for a program: plain JSON values. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; retryable?: boolean; details?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.details = options.details ?? {};
  }
}

/** True when `error` is a SelsynError, of one of the codes if any are given. */
export function isSelsynError(error: unknown, ...codes: readonly ErrorCode[]): error is SelsynError {
  return error instanceof SelsynError && (codes.length === 0 || codes.includes(error.code));
}

/** The operating system's code (`ENOSPC`, `EADDRINUSE`) of an error, where it has one. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
