/** What a script may use. */
export interface SandboxLimits {
  /** Of the text of a script. */
  readonly sourceBytes: number;
  /** Of what it is given, as JSON. */
  readonly inputBytes: number;
  /** Of what it returns, as JSON. */
  readonly outputBytes: number;
  /** Of everything that it makes, its functions included. */
  readonly memoryBytes: number;
  /** Of calls within calls. */
  readonly stackBytes: number;
  /** Of one call, and of what the script does while it is loaded. */
  readonly timeMs: number;
}

export const SANDBOX_LIMITS: SandboxLimits = {
  sourceBytes: 32 * 1024,
  inputBytes: 256 * 1024,
  outputBytes: 64 * 1024,
  memoryBytes: 8 * 1024 * 1024,
  stackBytes: 128 * 1024,
  timeMs: 50,
};
