import type { DeviceId } from '../../../kernel/device-id.ts';
import { type Appender, type Offset, RecordSource, type Ticket } from '../../../log/log.ts';
import { ByteWriter } from '../../byte-writer.ts';
import { encodeChange } from '../../change-encoder.ts';
import type { StoreChange, StoreTicket } from '../../session-store.ts';
import { encodeMark } from './journal-record.ts';
import { TicketMap } from './ticket-map.ts';

/** Encodes changes and marks into one buffer and hands them to the appender at once. */
export class JournalWriter {
  readonly #appender: Appender;
  readonly #source = new RecordSource('sessions' as DeviceId, ''); // it has the form of one
  readonly #bytes = new ByteWriter();
  readonly #tickets = new TicketMap();
  #changes = 0;
  #lastSettled = 0 as StoreTicket;
  /** Of records, in all. */
  writtenBytes = 0;

  constructor(appender: Appender) {
    this.#appender = appender;
  }

  get pendingBytes(): number {
    return this.#appender.pendingBytes;
  }

  get saturated(): boolean {
    return this.#appender.saturated;
  }

  /** @throws SelsynError `log.closed`, `log.failed` */
  change(change: StoreChange): StoreTicket {
    this.#bytes.clear();
    encodeChange(this.#bytes, change, false);
    this.#add();
    this.#changes += 1;
    return this.#changes as StoreTicket;
  }

  /** Writes a change of a snapshot. @throws SelsynError `log.closed`, `log.failed` */
  ofSnapshot(change: StoreChange): Ticket {
    this.#bytes.clear();
    encodeChange(this.#bytes, change, true);
    return this.#addOwn();
  }

  /** @throws SelsynError `log.closed`, `log.failed` */
  mark(kind: 'begin' | 'end', id: Offset): Ticket {
    this.#bytes.clear();
    encodeMark(this.#bytes, kind, id);
    return this.#addOwn();
  }

  /** To be called for each ticket that the appender reports. The last change that is settled now, if there is a new one. */
  settle(upTo: Ticket): StoreTicket | undefined {
    const ticket = this.#tickets.settle(upTo);
    if (ticket === this.#lastSettled) return undefined;
    this.#lastSettled = ticket;
    return ticket;
  }

  #addOwn(): Ticket {
    const ticket = this.#add();
    this.#tickets.own(ticket);
    return ticket;
  }

  #add(): Ticket {
    const { bytes, size } = this.#bytes;
    const ticket = this.#appender.add(this.#source, bytes, 0, size);
    this.writtenBytes += size;
    return ticket;
  }
}
