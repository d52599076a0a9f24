/** `too-many-metrics` is a sample of too many; `too-large` a text or a message. All else that is no telemetry is `malformed`. */
export type PayloadErrorCode = 'malformed' | 'bad-time' | 'too-many-metrics' | 'too-large';

/** Why a payload is no telemetry. The message is one sentence for whoever wrote the device, and of bounded length. */
export class PayloadError extends Error {
  override readonly name = 'PayloadError';
  readonly code: PayloadErrorCode;

  constructor(code: PayloadErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
