import type { Holder, StoredMessage } from '../session-store/session-store.ts';
import type { BrokerCore } from './broker-core.ts';
import type { Completion } from './completion.ts';
import type { Delivery } from './delivery.ts';
import type { Message } from './message.ts';
import { packetOf } from './message-packet.ts';
import type { Outbound } from './outbound.ts';

/** One session's part in a message that is being delivered. */
interface Kept {
  readonly outbound: Outbound;
  readonly delivery: Delivery;
}

/**
 * Stores messages for persistent sessions: once for all that get it, before any of them may be sent it at QoS 2, and before its
 * publisher is told that it was taken.
 */
export class StoredDeliveries {
  readonly #core: BrokerCore;
  #kept: Kept[] = [];
  #lastNumber = 0;

  constructor(core: BrokerCore) {
    this.#core = core;
  }

  /** The message being delivered is for this session too. `write` follows in the same turn. */
  keep(outbound: Outbound, delivery: Delivery): void {
    this.#kept.push({ outbound, delivery });
  }

  /** Numbers go on after those that were restored. */
  numberFrom(last: number): void {
    this.#lastNumber = Math.max(this.#lastNumber, last);
  }

  /** Stores the message for those that keep it, and lets them send it. */
  write(message: Message, completion: Completion | undefined): void {
    const kept = this.#kept;
    if (kept.length === 0) return;
    this.#kept = [];
    const { store } = this.#core;
    const holders = kept.map(({ outbound, delivery }) => holderOf(outbound, delivery));
    const mark = completion?.mark;
    if (message.storeNumber === 0) this.number(message);
    // Whole, also where it is stored: the history that a snapshot under way begins may not have it yet.
    const ticket = store.write({ kind: 'message', message: this.storable(message), holders, mark });
    if (mark !== undefined) this.#core.marks.stored(mark, kept);
    completion?.expect();
    store.after(ticket, {
      settle: (_packetId, _qos, code) => {
        if (code >= 0x80 && completion !== undefined) {
          for (const { outbound, delivery } of kept) outbound.notStored(delivery);
          if (mark !== undefined) this.#core.marks.notStored(mark, kept);
        } else {
          for (const { outbound, delivery } of kept) {
            // Where nobody is told that it is refused, it stays: the snapshot that follows has it.
            if (code >= 0x80) delivery.ticket = 0;
            outbound.pump();
          }
        }
        completion?.answered(code);
      },
    });
    for (const { outbound, delivery } of kept) {
      delivery.ticket = ticket;
      outbound.offer(delivery);
    }
  }

  /** Gives it the number under which it is stored from now on. */
  number(message: Message): void {
    message.storeNumber = ++this.#lastNumber;
    // What a snapshot under way says of it was under the number before.
    message.snapshot = 0;
  }

  storable(message: Message): StoredMessage {
    const { clock } = this.#core;
    const expiresAtMs = message.expiresAtMs === Infinity ? Infinity : clock.now() + message.expiresAtMs - clock.monotonicMs();
    return { number: message.storeNumber, packet: packetOf(message), expiresAtMs };
  }
}

export function holderOf(outbound: Outbound, { packetId, qos, retain, identifiers, share }: Delivery): Holder {
  return { session: outbound.sessionNumber, packetId, qos, retain, identifiers, share: share?.name };
}
