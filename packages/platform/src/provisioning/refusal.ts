/**
 * Why a device may not enrol: for the trace, for programs, and as AWS says it.
 *
 * What a device is told must not help whoever stole a claim: of everything that hangs on the manifest, on the quarantine and on
 * other devices it hears the same words.
 */
export const REFUSALS = {
  'payload-invalid': { statusCode: 400, errorCode: 'InvalidPayload', told: undefined },
  'csr-invalid': { statusCode: 400, errorCode: 'InvalidCsr', told: undefined },
  'parameters-invalid': { statusCode: 400, errorCode: 'InvalidParameters', told: undefined },
  'token-invalid': {
    statusCode: 400,
    errorCode: 'InvalidCertificateOwnershipToken',
    told: 'The certificate ownership token is not valid.',
  },
  'template-unknown': {
    statusCode: 404,
    errorCode: 'ResourceNotFoundException',
    told: 'There is no such template for this credential.',
  },
  'template-disabled': { statusCode: 403, errorCode: 'AccessDenied', told: 'The template is disabled.' },
  'credential-invalid': { statusCode: 403, errorCode: 'AccessDenied', told: 'This credential may not enrol devices.' },
  'batch-stopped': { statusCode: 403, errorCode: 'AccessDenied', told: 'This credential may not enrol devices.' },
  'batch-expired': { statusCode: 403, errorCode: 'AccessDenied', told: 'This credential may not enrol devices.' },
  'batch-exhausted': { statusCode: 403, errorCode: 'AccessDenied', told: 'This credential may not enrol devices.' },
  'not-in-manifest': { statusCode: 403, errorCode: 'AccessDenied', told: 'The device may not enrol.' },
  'manifest-mismatch': { statusCode: 403, errorCode: 'AccessDenied', told: 'The device may not enrol.' },
  quarantined: { statusCode: 403, errorCode: 'AccessDenied', told: 'The device may not enrol.' },
  'hook-refused': { statusCode: 403, errorCode: 'AccessDenied', told: 'The device may not enrol.' },
  'hook-failed': { statusCode: 403, errorCode: 'AccessDenied', told: 'The device may not enrol.' },
  'other-device': { statusCode: 403, errorCode: 'AccessDenied', told: 'The device may not enrol.' },
  'rate-limited': { statusCode: 429, errorCode: 'ThrottlingException', told: 'Too many requests: try again later.' },
  busy: { statusCode: 503, errorCode: 'ServiceUnavailableException', told: 'The server is busy: try again later.' },
  failed: { statusCode: 500, errorCode: 'InternalFailureException', told: 'The server failed: try again later.' },
} as const satisfies Record<string, { statusCode: number; errorCode: string; told: string | undefined }>;

export type RefusalReason = keyof typeof REFUSALS;

export interface Refusal {
  readonly reason: RefusalReason;
  /** For the trace, in lower case and without a full stop: `serial not in manifest`. */
  readonly why: string;
}

export function refusal(reason: RefusalReason, why: string): Refusal {
  return { reason, why };
}

/** What the one who asked is told. */
export function toldOf({ reason, why }: Refusal): {
  readonly statusCode: number;
  readonly errorCode: string;
  readonly message: string;
} {
  const { statusCode, errorCode, told } = REFUSALS[reason];
  return { statusCode, errorCode, message: told ?? why };
}

/** Thrown where something is found out in the middle of a transaction, so that nothing of it stays. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly refusal: Refusal;

  constructor(refused: Refusal) {
    super(refused.why);
    this.refusal = refused;
  }
}
