/** Packets whose reason codes are counted. */
export type CodedPacket = 'connack' | 'puback' | 'pubrec' | 'suback' | 'unsuback' | 'disconnect';

/**
 * How often each reason code was sent and received. Those of 3.1.1 (return codes 0 to 5 of a CONNACK) mean nothing else in 5.0, so
 * that both stand in one row.
 */
export class CodeCounters {
  readonly #sent: Readonly<Record<CodedPacket, Float64Array>> = {
    connack: new Float64Array(256),
    puback: new Float64Array(256),
    pubrec: new Float64Array(256),
    suback: new Float64Array(256),
    unsuback: new Float64Array(256),
    disconnect: new Float64Array(256),
  };
  readonly #received: Readonly<Record<'puback' | 'pubrec' | 'disconnect', Float64Array>> = {
    puback: new Float64Array(256),
    pubrec: new Float64Array(256),
    disconnect: new Float64Array(256),
  };

  /** @param code 0 to 255 */
  sent(packet: CodedPacket, code: number): void {
    this.#sent[packet][code]! += 1; // there are 256
  }

  /** @param code 0 to 255 */
  received(packet: 'puback' | 'pubrec' | 'disconnect', code: number): void {
    this.#received[packet][code]! += 1; // there are 256
  }

  /** The codes that occurred. */
  *all(direction: 'sent' | 'received'): Generator<{ readonly packet: string; readonly code: number; readonly count: number }> {
    for (const [packet, counts] of Object.entries(direction === 'sent' ? this.#sent : this.#received)) {
      for (const [code, count] of counts.entries()) if (count > 0) yield { packet, code, count };
    }
  }
}
