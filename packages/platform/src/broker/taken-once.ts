import type { BrokerCore } from './broker-core.ts';
import { Afterwards, type Completion } from './completion.ts';
import type { PendingAnswer } from './pending-answer.ts';
import type { Session } from './session.ts';

/**
 * What keeps a QoS 2 message of a persistent session from being taken twice, also after a crash: a mark wherever it is stored
 * (marks.ts), and at home, once all have it, that it was received.
 */
export class TakenOnce {
  readonly #core: BrokerCore;
  readonly #session: Session;

  constructor(core: BrokerCore, session: Session) {
    this.#core = core;
    this.#session = session;
  }

  /**
   * That a message was received is stored together with it; where others have to store it, only after them: a crash between must not
   * make a message count as received that is nowhere.
   * @returns what all but that is to be waited for with; `delivered` follows.
   */
  expect(pending: PendingAnswer, dup: boolean): Completion {
    const { number, received } = this.#session;
    const { store, marks } = this.#core;
    const { packetId } = pending;
    // By then the connection may be another one, or none.
    pending.onKnown = (code) => {
      if (received.get(packetId) === pending) received.set(packetId, 'answered');
      if (code < 0x80) return;
      received.delete(packetId);
      if (pending.isStored) store.write({ kind: 'completed', session: number, packetId });
    };
    pending.expect();
    const taken = new Afterwards((code) => {
      if (code < 0x80 && !pending.isStored) this.#write(pending);
      if (code < 0x80 || !this.mustForget(packetId)) pending.answered(code);
      else this.forget(pending, code);
    });
    taken.mark = marks.begin(this.#session, packetId, dup);
    return taken;
  }

  /** All that have to store it are known. */
  delivered(pending: PendingAnswer, taken: Completion): void {
    if (!taken.isElsewhere) this.#write(pending);
    taken.started();
  }

  /**
   * Whether a message may be stored somewhere which its client is about to be told was refused: it may use the packet id for another
   * then [MQTT-4.3.3-9]. A client of 3.1.1 cannot be told, and sends it again.
   */
  mustForget(packetId: number): boolean {
    const { version, connection, marks } = this.#session;
    return version === 5 && connection !== undefined && marks.has(packetId);
  }

  /** Forgets the mark of a message before it is refused; the answer expects that. */
  forget(pending: PendingAnswer, code: number): void {
    const forgotten = new Afterwards((failure) => {
      // Sent again by its client it is known by the mark; another message with its packet id must not be.
      if (failure >= 0x80) this.#session.connection?.close('log-failed');
      pending.answered(code);
    });
    this.#core.marks.forget(this.#session, pending.packetId, forgotten);
    forgotten.started();
  }

  /**
   * The client has released it (PUBREL). It may use the id again once it has PUBCOMP, on this connection or a later one: that it is
   * free must be stored before, here and wherever there is a mark.
   */
  complete(packetId: number, done: (code: number) => void): void {
    const { received, number } = this.#session;
    const { store, marks } = this.#core;
    received.set(packetId, 'completing');
    const completed = new Afterwards((code) => {
      if (received.get(packetId) === 'completing') {
        if (code >= 0x80) received.set(packetId, 'answered');
        else received.delete(packetId);
      }
      done(code);
    });
    marks.forget(this.#session, packetId, completed, () => {
      // Asked for twice, it may be done by then.
      if (received.get(packetId) !== 'completing') return;
      completed.expect();
      store.after(store.write({ kind: 'completed', session: number, packetId }), completed);
    });
    completed.started();
  }

  #write(pending: PendingAnswer): void {
    const { store } = this.#core;
    const { packetId } = pending;
    pending.isStored = true;
    pending.expect();
    store.after(store.write({ kind: 'received', session: this.#session.number, packetId }), pending);
  }
}
