/** What the user did, or what the server answered, in one line. Ends the command with exit code 1. */
export class CliError extends Error {
  override readonly name = 'CliError';
}
