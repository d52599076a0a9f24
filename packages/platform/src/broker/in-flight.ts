import type { QoS } from '@selsyn/wire/mqtt/packets.ts';

/** What an outgoing packet id waits for; `release`: that it is stored that the client has the message. */
export type Awaited = 'puback' | 'pubrec' | 'release' | 'pubcomp';

/**
 * The packet ids of one session's outgoing QoS 1 and 2 messages that were sent, at most `window` of them [MQTT-3.3.4-7]. An id is
 * free again after PUBACK, PUBCOMP, or a PUBREC that refuses [MQTT-4.3.2-3, MQTT-4.3.3-3].
 */
export class InFlight {
  readonly window: number;
  #awaited: Map<number, Awaited> | undefined;
  /** Who wants to hear of an acknowledgement. */
  #then: Map<number, () => void> | undefined;
  #last = 0;

  /** @param window 1 to 65,535 */
  constructor(window: number) {
    this.window = window;
  }

  get size(): number {
    return this.#awaited?.size ?? 0;
  }

  get hasRoom(): boolean {
    return this.size < this.window;
  }

  has(packetId: number): boolean {
    return this.#awaited?.has(packetId) ?? false;
  }

  /** An id that is not in use here [MQTT-2.2.1-4], nor according to `isTaken`; some must be free. */
  nextId(isTaken?: (packetId: number) => boolean): number {
    do this.#last = this.#last === 65_535 ? 1 : this.#last + 1;
    while (this.has(this.#last) || isTaken?.(this.#last) === true);
    return this.#last;
  }

  /** The id given out last. */
  get last(): number {
    return this.#last;
  }

  /** Ids given out from now on come after this one. */
  startAfter(packetId: number): void {
    this.#last = packetId;
  }

  /** Takes an id that is not in use; only while there is room. */
  open(qos: QoS): number {
    const packetId = this.nextId();
    this.set(packetId, qos === 1 ? 'puback' : 'pubrec');
    return packetId;
  }

  /** @param then called when the id is free again, acknowledged. */
  set(packetId: number, awaited: Awaited, then?: () => void): void {
    this.#awaited ??= new Map();
    this.#awaited.set(packetId, awaited);
    if (then !== undefined) (this.#then ??= new Map()).set(packetId, then);
  }

  get(packetId: number): Awaited | undefined {
    return this.#awaited?.get(packetId);
  }

  /** Frees an id. False when it is not in use that way. */
  close(packetId: number, by: Awaited): boolean {
    if (this.#awaited?.get(packetId) !== by) return false;
    this.#awaited.delete(packetId);
    const then = this.#then?.get(packetId);
    if (then === undefined) return true;
    this.#then?.delete(packetId);
    then();
    return true;
  }

  /** The ids that wait in one way, in the order in which they were sent. */
  *awaiting(awaited: Awaited): Generator<number> {
    if (this.#awaited === undefined) return;
    for (const [packetId, found] of this.#awaited) if (found === awaited) yield packetId;
  }
}
