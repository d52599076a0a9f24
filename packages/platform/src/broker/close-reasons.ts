import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import { isSelsynError } from '../kernel/errors.ts';

/** Why a session ended -> the code of the DISCONNECT that tells a 5.0 client; undefined where nobody is left to be told. */
export const CLOSE_REASONS = {
  'client-disconnect': undefined,
  'client-disconnect-with-will': undefined,
  'connection-lost': undefined,
  'taken-over': ReasonCode.sessionTakenOver,
  'keep-alive': ReasonCode.keepAliveTimeout,
  malformed: ReasonCode.malformedPacket,
  'protocol-error': ReasonCode.protocolError,
  'packet-too-large': ReasonCode.packetTooLarge,
  'receive-maximum': ReasonCode.receiveMaximumExceeded,
  'topic-alias': ReasonCode.topicAliasInvalid,
  'topic-invalid': ReasonCode.topicNameInvalid,
  'not-authorized': ReasonCode.notAuthorized,
  'slow-subscriber': ReasonCode.quotaExceeded,
  'not-reading': ReasonCode.quotaExceeded,
  'packet-too-slow': ReasonCode.implementationSpecificError,
  'no-room': ReasonCode.quotaExceeded,
  'payload-invalid': ReasonCode.payloadFormatInvalid,
  'reauthentication-failed': ReasonCode.notAuthorized,
  'access-withdrawn': ReasonCode.notAuthorized,
  'log-failed': ReasonCode.implementationSpecificError,
  administrative: ReasonCode.administrativeAction,
  'server-shutdown': ReasonCode.serverShuttingDown,
  internal: ReasonCode.unspecifiedError,
} as const satisfies Record<string, number | undefined>;

export type CloseReason = keyof typeof CLOSE_REASONS;

/** What the server decides because of what a client does or does not do: an operator may want to know. */
export const IMPOSED_REASONS: ReadonlySet<CloseReason> = new Set<CloseReason>([
  'malformed',
  'protocol-error',
  'packet-too-large',
  'receive-maximum',
  'topic-alias',
  'topic-invalid',
  'not-authorized',
  'slow-subscriber',
  'not-reading',
  'packet-too-slow',
  'no-room',
  'payload-invalid',
  'reauthentication-failed',
  'access-withdrawn',
  'log-failed',
  'internal',
]);

/** The close reason under which a fault found by the codec is counted; the client is told the code itself. */
export function reasonOfCode(code: number): CloseReason {
  switch (code) {
    case ReasonCode.malformedPacket:
      return 'malformed';
    case ReasonCode.packetTooLarge:
      return 'packet-too-large';
    case ReasonCode.receiveMaximumExceeded:
      return 'receive-maximum';
    case ReasonCode.topicAliasInvalid:
      return 'topic-alias';
    case ReasonCode.topicNameInvalid:
    case ReasonCode.topicFilterInvalid:
      return 'topic-invalid';
    default:
      return 'protocol-error';
  }
}

/** The close reason of a PUBLISH that was refused where only closing can tell: any in 3.1.1, QoS 0 in 5.0. */
export function reasonOfRefusal(code: number): CloseReason {
  switch (code) {
    case ReasonCode.notAuthorized:
      return 'not-authorized';
    case ReasonCode.topicNameInvalid:
      return 'topic-invalid';
    case ReasonCode.payloadFormatInvalid:
      return 'payload-invalid';
    case ReasonCode.quotaExceeded:
      return 'no-room';
    default:
      return 'log-failed';
  }
}

/** The code of an acknowledgement that tells what kept a message from the intake. */
export function codeOfIntakeError(error: unknown): number {
  return isSelsynError(error, 'log.full') ? ReasonCode.quotaExceeded : ReasonCode.implementationSpecificError;
}
