import type { QoS } from '@selsyn/wire/mqtt/packets.ts';

/** What an outgoing packet id waits for. */
type Awaited = 'puback' | 'pubrec' | 'pubcomp';

/**
 * The packet ids of one session's outgoing QoS 1 and 2 messages, at most `window` of them [MQTT-3.3.4-7]. An id is free again
 * after PUBACK, PUBCOMP, or a PUBREC that refuses [MQTT-4.3.2-3, MQTT-4.3.3-3].
 */
export class InFlight {
  readonly #window: number;
  #awaited: Map<number, Awaited> | undefined;
  #last = 0;

  /** @param window 1 to 65,535 */
  constructor(window: number) {
    this.#window = window;
  }

  get size(): number {
    return this.#awaited?.size ?? 0;
  }

  get hasRoom(): boolean {
    return this.size < this.#window;
  }

  /** Takes an id that is not in use [MQTT-2.2.1-4]; only while there is room. */
  open(qos: QoS): number {
    this.#awaited ??= new Map();
    do this.#last = this.#last === 65_535 ? 1 : this.#last + 1;
    while (this.#awaited.has(this.#last));
    this.#awaited.set(this.#last, qos === 1 ? 'puback' : 'pubrec');
    return this.#last;
  }

  /** Frees an id. False when it is not in use that way. */
  close(packetId: number, by: 'puback' | 'pubrec' | 'pubcomp'): boolean {
    if (this.#awaited?.get(packetId) !== by) return false;
    return this.#awaited.delete(packetId);
  }

  /** A successful PUBREC: the id now waits for PUBCOMP. False when no PUBREC is awaited (nor was, for a repeated one). */
  received(packetId: number): boolean {
    const awaited = this.#awaited?.get(packetId);
    if (awaited !== 'pubrec' && awaited !== 'pubcomp') return false;
    this.#awaited?.set(packetId, 'pubcomp');
    return true;
  }
}
