/** The names under which AWS's SDKs know what went wrong, with their status. */
export const AWS_ERRORS = {
  // Who asks, see https://docs.aws.amazon.com/IAM/latest/UserGuide/signature-v4-troubleshooting.html
  MissingAuthenticationTokenException: 403,
  IncompleteSignatureException: 400,
  InvalidSignatureException: 403,
  UnrecognizedClientException: 403,
  CertificateValidationException: 400,
  // Of the data plane.
  InvalidRequestException: 400,
  UnauthorizedException: 401,
  ForbiddenException: 403,
  ResourceNotFoundException: 404,
  MethodNotAllowedException: 405,
  ConflictException: 409,
  RequestEntityTooLargeException: 413,
  UnsupportedDocumentEncodingException: 415,
  ThrottlingException: 429,
  InternalFailureException: 500,
  ServiceUnavailableException: 503,
  GatewayTimeoutException: 504,
  // Of the data plane of jobs.
  ValidationException: 400,
  ServiceQuotaExceededException: 402,
  InvalidStateTransitionException: 409,
  TerminalStateException: 410,
  InternalServerException: 500,
} as const satisfies Record<string, number>;

export type AwsErrorName = keyof typeof AWS_ERRORS;

/** An answer that is an error; `fields` stand in its body beside the message. */
export class AwsError extends Error {
  override readonly name: AwsErrorName;
  readonly status: number;
  readonly fields: Readonly<Record<string, unknown>>;

  constructor(name: AwsErrorName, message: string, fields: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.name = name;
    this.status = AWS_ERRORS[name];
    this.fields = fields;
  }
}

/** The error of a status of the data plane. */
export function nameOfStatus(status: number): AwsErrorName {
  return NAMES.get(status) ?? (status >= 500 ? 'InternalFailureException' : 'InvalidRequestException');
}

const NAMES: ReadonlyMap<number, AwsErrorName> = new Map(
  (
    [
      'InvalidRequestException',
      'UnauthorizedException',
      'ForbiddenException',
      'ResourceNotFoundException',
      'MethodNotAllowedException',
      'ConflictException',
      'RequestEntityTooLargeException',
      'UnsupportedDocumentEncodingException',
      'ThrottlingException',
      'InternalFailureException',
      'ServiceUnavailableException',
      'GatewayTimeoutException',
    ] as const
  ).map((name) => [AWS_ERRORS[name], name]),
);

export function forbidden(): AwsError {
  return new AwsError('ForbiddenException', 'Forbidden');
}

/** What a caller may not see looks not there. */
export function noThing(): AwsError {
  return new AwsError('ResourceNotFoundException', 'Thing not found');
}
