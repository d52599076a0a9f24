import type { QoS } from '@selsyn/wire/mqtt/packets.ts';

/** Whoever owes a client an answer. */
export interface AckOwner {
  /** A PUBLISH at this QoS gets its answer: a code of at least 0x80 refuses it. */
  settle(packetId: number, qos: QoS, code: number): void;
}

/**
 * The acknowledgements that wait for the intake, of all connections of a thread, in the order of their messages.
 *
 * ```
 *            head                    tail
 *   owners  | c7 | c7 | c2 | c7 |    |    |     objects
 *   tickets | 41 | 42 | 43 | 43 |    |    |     ascending; the second 43 is a message that needs no log but came after one
 *   ids     | 10 | 11 |  3 | 12 |    |    |     packet id
 *   marks   |  1 |  1 |  2 |  1'|    |    |     QoS, and whether the intake decides (') or the code is known
 * ```
 * Parallel arrays, grown by doubling: an entry is four stores and no object. Whoever fills it stops reading from publishers
 * when it is `full`; entries beyond that are taken.
 */
export class AckRing {
  readonly #limit: number;
  #owners: (AckOwner | undefined)[];
  #tickets: Float64Array;
  #ids: Uint16Array;
  #marks: Uint16Array;
  #mask: number;
  #head = 0;
  #size = 0;
  #lastTicket = 0;

  constructor(limit: number, initial = 1_024) {
    this.#limit = limit;
    this.#mask = initial - 1;
    this.#owners = Array.from<AckOwner | undefined>({ length: initial });
    this.#tickets = new Float64Array(initial);
    this.#ids = new Uint16Array(initial);
    this.#marks = new Uint16Array(initial);
  }

  get size(): number {
    return this.#size;
  }

  get full(): boolean {
    return this.#size >= this.#limit;
  }

  /** The intake decides about this message under `ticket`, which is not less than any before. */
  push(owner: AckOwner, packetId: number, qos: QoS, ticket: number): void {
    this.#lastTicket = ticket;
    this.#append(owner, packetId, qos, ticket);
  }

  /** The answer is known, but must not overtake what its owner waits for [MQTT-4.6.0-2]. */
  pushDecided(owner: AckOwner, packetId: number, qos: QoS, code: number): void {
    this.#append(owner, packetId, DECIDED | (code << 3) | qos, this.#lastTicket);
  }

  /** Answers all up to a ticket, with `code` where the intake had to decide. */
  settle(upTo: number, code: number): void {
    while (this.#size > 0) {
      const at = this.#head & this.#mask;
      if ((this.#tickets[at] as number) > upTo) return;
      const owner = this.#owners[at] as AckOwner; // set while the entry is within head and size
      const mark = this.#marks[at] as number;
      const packetId = this.#ids[at] as number;
      this.#owners[at] = undefined;
      this.#head++;
      this.#size--;
      owner.settle(packetId, (mark & 3) as QoS, (mark & DECIDED) === 0 ? code : (mark >> 3) & 0xff);
    }
  }

  #append(owner: AckOwner, packetId: number, mark: number, ticket: number): void {
    if (this.#size > this.#mask) this.#grow();
    const at = (this.#head + this.#size) & this.#mask;
    this.#owners[at] = owner;
    this.#tickets[at] = ticket;
    this.#ids[at] = packetId;
    this.#marks[at] = mark;
    this.#size++;
  }

  #grow(): void {
    const length = this.#mask + 1;
    const start = this.#head & this.#mask;
    const owners = Array.from<AckOwner | undefined>({ length: length * 2 });
    const tickets = new Float64Array(length * 2);
    const ids = new Uint16Array(length * 2);
    const marks = new Uint16Array(length * 2);
    for (let i = 0; i < length; i++) owners[i] = this.#owners[(start + i) & this.#mask];
    for (const [from, to] of [
      [this.#tickets, tickets],
      [this.#ids, ids],
      [this.#marks, marks],
    ] as const) {
      to.set(from.subarray(start));
      to.set(from.subarray(0, start), length - start);
    }
    this.#owners = owners;
    this.#tickets = tickets;
    this.#ids = ids;
    this.#marks = marks;
    this.#mask = length * 2 - 1;
    this.#head = 0;
  }
}

const DECIDED = 1 << 11;
