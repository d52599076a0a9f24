import type { ProtocolVersion } from './packets.ts';
import { ReasonCode } from './reason-codes.ts';

/** The CONNACK that tells a client why its CONNECT was refused: `code` is a return code where `version` is 4. */
export interface ConnackAnswer {
  readonly version: ProtocolVersion;
  readonly code: number;
}

/**
 * A packet that breaks the protocol. The connection it came on cannot go on [MQTT-4.13.1-1].
 *
 * `reasonCode` is the MQTT 5.0 code that a DISCONNECT (or CONNACK) would carry. `clause` is the statement that was broken,
 * `[MQTT-3.3.1-4]`, numbered as in MQTT 5.0 where both versions have the rule; a rule without a number of its own is cited by
 * its section, `[MQTT-3.3.2.1]`.
 */
export class MqttError extends Error {
  readonly reasonCode: number;
  readonly clause: string;
  /** What to answer where the fault lies in a CONNECT. Undefined: close without an answer, or send a DISCONNECT (5.0). */
  readonly connack: ConnackAnswer | undefined;

  constructor(reasonCode: number, clause: string, message: string, connack?: ConnackAnswer) {
    super(message);
    this.name = 'MqttError';
    this.reasonCode = reasonCode;
    this.clause = clause;
    this.connack = connack;
  }
}

/** Bytes that cannot be parsed (0x81). */
export function malformed(clause: string, message: string): MqttError {
  return new MqttError(ReasonCode.malformedPacket, clause, message);
}

/** Bytes that can be parsed but must not be sent (0x82). */
export function protocolError(clause: string, message: string): MqttError {
  return new MqttError(ReasonCode.protocolError, clause, message);
}
