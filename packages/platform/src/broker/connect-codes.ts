import type { ProtocolVersion } from '@selsyn/wire/mqtt/packets.ts';
import { ConnectReturnCode, ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import type { Refusal } from './authorizer.ts';

const REFUSALS: Record<Refusal['refused'], number> = {
  'bad-credentials': ReasonCode.badUserNameOrPassword,
  'not-authorized': ReasonCode.notAuthorized,
  'identifier-not-valid': ReasonCode.clientIdentifierNotValid,
  'server-busy': ReasonCode.serverBusy,
  banned: ReasonCode.banned,
};

export function codeOfRefusal(refusal: Refusal): number {
  return REFUSALS[refusal.refused];
}

/**
 * What the CONNACK of this version says for a reason code of 5.0. Undefined where 3.1.1 has no return code for it: the connection
 * is closed without a CONNACK [MQTT-3.2.2-6 of 3.1.1].
 */
export function connackCode(code: number, version: ProtocolVersion): number | undefined {
  if (version === 5 || code === ReasonCode.success) return code;
  switch (code) {
    case ReasonCode.unsupportedProtocolVersion:
      return ConnectReturnCode.unacceptableProtocolVersion;
    case ReasonCode.clientIdentifierNotValid:
      return ConnectReturnCode.identifierRejected;
    case ReasonCode.serverUnavailable:
    case ReasonCode.serverBusy:
    case ReasonCode.serverShuttingDown:
    case ReasonCode.quotaExceeded:
    case ReasonCode.connectionRateExceeded:
      return ConnectReturnCode.serverUnavailable;
    case ReasonCode.badUserNameOrPassword:
      return ConnectReturnCode.badUserNameOrPassword;
    case ReasonCode.notAuthorized:
    case ReasonCode.banned:
      return ConnectReturnCode.notAuthorized;
    default:
      return undefined;
  }
}
