/** What the user did, or what the server answered, in one line. Ends the command with exit code 1. */
export class CliError extends Error {
  override readonly name = 'CliError';
  /** That of the server's answer, where it is one. */
  readonly code: string | undefined;
  /** The same call may succeed later: the server is away, or busy. */
  readonly retryable: boolean;

  constructor(message: string, code?: string, retryable = false) {
    super(message);
    this.code = code;
    this.retryable = retryable;
  }
}
