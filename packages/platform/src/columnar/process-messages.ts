import type { ErrorCode } from '../kernel/errors.ts';

/** To the process. */
export interface CallRequest {
  readonly id: number;
  readonly call: string;
  readonly argument: unknown;
}

/** Back from it. */
export interface CallReply {
  readonly id: number;
  readonly answer?: unknown;
  readonly error?: {
    readonly code: ErrorCode;
    readonly message: string;
    readonly details: Readonly<Record<string, unknown>>;
    readonly retryable: boolean;
  };
}
