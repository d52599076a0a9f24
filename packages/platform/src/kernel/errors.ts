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
  'request.insecure': { status: 403, title: 'The request must come over TLS' },
  'request.precondition-failed': { status: 412, title: 'What the request demanded does not hold' },
  'request.rate-limited': { status: 429, title: 'Too many requests' },
  'access.unauthenticated': { status: 401, title: 'A valid key is required' },
  'access.denied': { status: 403, title: 'Not allowed' },
  'access.locked-out': { status: 429, title: 'Too many failed sign-ins' },
  'access.cross-site': { status: 403, title: 'The request comes from another site' },
  'sign-in.failed': { status: 401, title: 'The sign-in failed' },
  'sign-in.unavailable': { status: 503, title: 'The identity provider cannot be used' },
  'password.refused': { status: 422, title: 'The password is not good enough' },
  'user.not-found': { status: 404, title: 'No such user' },
  'user.exists': { status: 409, title: 'A user with this name exists already' },
  'role.not-found': { status: 404, title: 'No such role' },
  'role.built-in': { status: 409, title: 'A built-in role cannot be changed' },
  'role.in-use': { status: 409, title: 'The role is still given to somebody' },
  'grant.not-found': { status: 404, title: 'Nothing like this was granted' },
  'session.not-found': { status: 404, title: 'No such session' },
  'route.not-found': { status: 404, title: 'There is nothing at this address' },
  'device.not-found': { status: 404, title: 'No such device' },
  'device.exists': { status: 409, title: 'A device with this id exists already' },
  'import.not-found': { status: 404, title: 'No such import' },
  'import.busy': { status: 409, title: 'A part of this import is being taken' },
  'import.wrong-position': { status: 409, title: 'The import goes on at another place' },
  'device.invalid-id': { status: 400, title: 'Not a device id' },
  'device-type.not-found': { status: 404, title: 'No such device type' },
  'device-type.exists': { status: 409, title: 'A device type with this name exists already' },
  'device-type.in-use': { status: 409, title: 'There are devices of this type' },
  'group.not-found': { status: 404, title: 'No such group' },
  'group.exists': { status: 409, title: 'A group with this path exists already' },
  'group.not-empty': { status: 409, title: 'The group is not empty' },
  'fleet.not-found': { status: 404, title: 'No such fleet' },
  'fleet.exists': { status: 409, title: 'A fleet with this id exists already' },
  'policy.not-found': { status: 404, title: 'No such policy, or it is not attached there' },
  'check-report.not-found': { status: 404, title: 'No such report' },
  'check.running': { status: 409, title: 'The checks are running already' },
  'api-key.not-found': { status: 404, title: 'No such API key' },
  'access-key.not-found': { status: 404, title: 'No such access key' },
  'client.not-found': { status: 404, title: 'No such MQTT client' },
  'csr.invalid': { status: 400, title: 'The certificate request is not valid' },
  'csr.weak-key': { status: 422, title: 'The key of the certificate request is of a kind or size that is not taken' },
  'certificate.invalid': { status: 400, title: 'The certificate is not valid' },
  'certificate.not-found': { status: 404, title: 'No such certificate' },
  'certificate.exists': { status: 409, title: 'The certificate is registered already' },
  'certificate.not-pending': { status: 409, title: 'The certificate is not one that waits to be activated' },
  'certificate.no-possession': { status: 400, title: 'The proof of possession does not fit' },
  'authority.not-found': { status: 404, title: 'No such certificate authority' },
  'authority.exists': { status: 409, title: 'The certificate authority is registered already' },
  'authority.not-changeable': { status: 409, title: 'This certificate authority cannot be changed so' },
  'signer.busy': { status: 503, title: 'Too many certificates are waiting to be signed' },
  'signer.unavailable': { status: 503, title: 'The key that signs certificates cannot be used' },
  'template.not-found': { status: 404, title: 'No such provisioning template' },
  'template.in-use': { status: 409, title: 'The provisioning template is still in use' },
  'claim-batch.not-found': { status: 404, title: 'No such claim batch' },
  'claim-batch.exists': { status: 409, title: 'A claim batch with this name exists already' },
  'manifest.not-found': { status: 404, title: 'The serial number is not in the manifest' },
  'quarantine.not-found': { status: 404, title: 'This serial number is not in quarantine' },
  'quarantine.resolved': { status: 409, title: 'Somebody has decided about this serial number already' },
  'enrolment.refused': { status: 403, title: 'The device may not enrol' },
  'provisioning-token.not-found': { status: 404, title: 'No such provisioning token' },
  'secret.not-found': { status: 404, title: 'No such secret' },
  'secrets.master-key-missing': { status: 500, title: 'The master key is not where it should be' },
  'secrets.wrong-master-key': { status: 500, title: 'The master key is not the one that sealed the secrets' },
  'secrets.unavailable': { status: 503, title: 'The place of the master key cannot be reached' },
  'secrets.unreadable': { status: 500, title: 'A sealed value was changed, or belongs to another place' },
  'telemetry.malformed': { status: 400, title: 'The payload is not telemetry' },
  'telemetry.too-many-metrics': { status: 422, title: 'The device has reached its limit of metrics' },
  'telemetry.bad-time': { status: 422, title: 'The timestamp is out of range' },
  'telemetry.store-failed': { status: 503, title: 'The telemetry store could not be read or written' },
  'query.too-large': { status: 422, title: 'The query would return or read too many points' },
  'shadow.not-found': { status: 404, title: 'No such shadow' },
  'shadow.conflict': { status: 409, title: 'The shadow has another version' },
  'shadow.invalid': { status: 422, title: 'The state is not one that a shadow can have' },
  'shadow.too-large': { status: 413, title: 'The shadow would be too large' },
  'shadow.refused': { status: 422, title: 'The device type does not allow this desired state' },
  'shadow-default.not-found': { status: 404, title: 'There is no such default of shadows' },
  'shadow-default.conflict': { status: 409, title: 'The default of shadows has another version' },
  'shadow-update.not-found': { status: 404, title: 'No such update of shadows' },
  'shadow-update.not-cancellable': { status: 409, title: 'The update of shadows cannot be cancelled' },
  'script.invalid': { status: 422, title: 'The script is not valid' },
  'script.failed': { status: 422, title: 'The script failed' },
  'script.over-limit': { status: 422, title: 'The script took more time or memory than it may' },
  'job.not-found': { status: 404, title: 'No such job' },
  'job.exists': { status: 409, title: 'A job with this id exists already' },
  'job.conflict': { status: 409, title: 'The job is in a state in which this cannot be done' },
  'job-execution.not-found': { status: 404, title: 'The job has no such execution' },
  'job-execution.conflict': { status: 409, title: 'The job execution is in a state in which this cannot be done' },
  'merge-policy.not-found': { status: 404, title: 'No such merge policy' },
  'search-field.not-found': { status: 404, title: 'No such searchable field' },
  'state.busy': { status: 503, title: 'Too many changes of shadows, commands and jobs are waiting to be written' },
  'command.not-found': { status: 404, title: 'No such command' },
  'command.queue-full': { status: 409, title: 'Too many commands of the device are not finished' },
  'command.key-used': { status: 409, title: 'The idempotency key was given to another command' },
  'command.finished': { status: 409, title: 'The command has ended already' },
  'command.unanswered': { status: 504, title: 'The device has not answered in time' },
  'request-hook.not-found': { status: 404, title: 'No hook answers this method' },
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
