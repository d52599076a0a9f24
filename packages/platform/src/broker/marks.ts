import { setImmediate as nextTurn } from 'node:timers/promises';
import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import type { PeerId } from '../bus/bus.ts';
import type { MessageMark, StoreChange } from '../session-store/session-store.ts';
import { keyOf, type MarkedGroups, StoredMarks } from '../session-store/stored-marks.ts';
import type { BrokerCore } from './broker-core.ts';
import { Afterwards, type Completion } from './completion.ts';
import type { Delivery } from './delivery.ts';
import { Mark } from './mark.ts';
import type { Session } from './session.ts';
import { SharedSubscription } from './shared-subscription.ts';
import type { Matches } from './subscriptions.ts';

/** What is asked of the sessions whose home is here. */
interface Publishers {
  get(key: string): Session | undefined;
  /** Numbers of sessions to come are larger than this. */
  numberFrom(last: number): void;
}

/**
 * Keeps QoS 2 messages of persistent sessions from being stored twice, where a crash came between the threads that have the message
 * and the one that answers for it.
 *
 * A message has a mark (its session's key and number, and its packet id) wherever it goes, and each thread stores the mark in one
 * step with the message. The publisher's home knows who may have a mark: it noted to whom it sent the message, and at a start all
 * threads tell the homes what they have. If the client sends the message again, those who have it do not take it again.
 *
 * Invariants: a mark is gone everywhere, durably, before its packet id is free (PUBCOMP, or a PUBREC that refuses). That a session
 * has ended needs no such care, since no other gets its number while there is a mark with it: its marks are only cleared away.
 */
export class Marks {
  readonly #core: BrokerCore;
  /** Of messages that the store of this thread has. */
  readonly #here = new StoredMarks();
  /** Marks that are being forgotten, and who waits for that. */
  readonly #leaving = new Map<string, Completion[]>();
  /** Undefined until the sessions of this thread are restored. */
  #publishers: Publishers | undefined;
  /** What other threads told before that. */
  readonly #early: { readonly peer: PeerId; readonly mark: MessageMark; readonly group: string }[] = [];

  constructor(core: BrokerCore) {
    this.#core = core;
  }

  /** A QoS 2 message of a persistent session is taken. @param dup its client says that it may have sent it before */
  begin(session: Session, packetId: number, dup: boolean): Mark {
    let mark = session.marks.get(packetId);
    // Not marked DUP it is no repetition [MQTT-3.3.1-1], whatever became of the one before.
    if (mark !== undefined && !dup) {
      this.#drop(mark);
      mark = undefined;
    }
    mark ??= new Mark({ origin: session.key, session: session.number, packetId }, dup);
    mark.again = dup;
    session.marks.set(packetId, mark);
    return mark;
  }

  /** Those who are still to get a message: other threads look for themselves, and sessions that are not stored may get it again. */
  missing(matches: Matches, mark: Mark): Matches {
    const isHere = this.#here.has(mark, '');
    const list = matches.list.filter(({ subscriber }) => {
      if (subscriber.reach === 'session') return subscriber.plain || !isHere;
      return !(subscriber instanceof SharedSubscription && this.hasGroup(mark, subscriber.name));
    });
    return { list, plain: matches.plain };
  }

  /** Whether a member of this group is known to have it. */
  hasGroup(mark: Mark, group: string): boolean {
    return mark.groups.includes(group) || this.#here.has(mark, group);
  }

  /** The message is being stored for these. */
  stored(mark: Mark, deliveries: readonly { readonly delivery: Delivery }[]): void {
    for (const { delivery } of deliveries) this.#here.add(mark, delivery.share?.name ?? '');
  }

  /** It could not be. */
  notStored(mark: Mark, deliveries: readonly { readonly delivery: Delivery }[]): void {
    for (const { delivery } of deliveries) this.#here.removeGroup(mark, delivery.share?.name ?? '');
  }

  /**
   * A packet id of a session is to be free: its mark goes, from other threads first. `completion` waits for all of it.
   * @param then called once the others have forgotten, and what is written then becomes durable after it is forgotten here.
   */
  forget(session: Session, packetId: number, completion: Completion, then: () => void = nothing): void {
    const mark = session.marks.get(packetId);
    const here = (): void => {
      // By then the session may have ended, or the client have asked again.
      if (mark !== undefined && session.marks.get(packetId) === mark) {
        session.marks.delete(packetId);
        this.forgetHere(mark, completion);
      }
      then();
    };
    if (mark === undefined || mark.peers.length === 0) {
      here();
      return;
    }
    completion.expect();
    const others = new Afterwards((code) => {
      if (code < 0x80) here();
      completion.answered(code);
    });
    for (const peer of mark.peers) this.#unmark(peer, mark, others);
    others.started();
  }

  /** All of a session that has ended. */
  endSession(session: Session): void {
    for (const mark of session.marks.values()) this.#drop(mark);
    session.marks.clear();
  }

  /** The home of the publisher says that it needs a mark no more, or this thread is that home. */
  forgetHere(mark: MessageMark, completion: Completion | undefined): void {
    const key = keyOf(mark);
    const groups = this.#here.remove(mark);
    const leaving = groups === undefined ? this.#leaving.get(key) : [];
    if (leaving === undefined) return;
    completion?.expect();
    if (completion !== undefined) leaving.push(completion);
    if (groups === undefined) return;
    this.#leaving.set(key, leaving);
    const { store } = this.#core;
    store.after(store.write({ kind: 'unmarked', mark }), {
      settle: (_packetId, _qos, code) => {
        if (code >= 0x80) for (const group of groups) this.#here.add(mark, group);
        if (this.#leaving.get(key) === leaving) this.#leaving.delete(key);
        for (const waiting of leaving) waiting.answered(code);
      },
    });
  }

  /** What an earlier run of the server had stored. */
  restore(mark: MessageMark, group: string): void {
    this.#here.add(mark, group);
  }

  /** All is restored here: the homes of the publishers are told of the marks, no faster than they take it in. */
  async announce(publishers: Publishers): Promise<void> {
    this.#publishers = publishers;
    const { bus } = this.#core;
    for (const { mark, groups } of this.#here) {
      for (const group of groups) {
        if (bus === undefined || bus.isHomeOfSession(mark.origin)) this.#learn(publishers, undefined, mark, group);
        else bus.announceMark(mark, group);
      }
      while (bus?.saturated === true) await nextTurn();
    }
    for (const { peer, mark, group } of this.#early.splice(0)) this.#learn(publishers, peer, mark, group);
  }

  /** Another thread has a message of a publisher whose home is here. */
  announced(peer: PeerId, mark: MessageMark, group: string): void {
    if (this.#publishers === undefined) this.#early.push({ peer, mark, group });
    else this.#learn(this.#publishers, peer, mark, group);
  }

  /** For the store, in slices. */
  *snapshot(): Generator<readonly StoreChange[]> {
    let slice: StoreChange[] = [];
    for (const marked of this.#here) {
      slice.push(...changesOf(marked));
      if (slice.length < SNAPSHOT_MARKS) continue;
      yield slice;
      slice = [];
    }
    if (slice.length > 0) yield slice;
  }

  /** @param peer undefined: it is this thread */
  #learn(publishers: Publishers, peer: PeerId | undefined, mark: MessageMark, group: string): void {
    publishers.numberFrom(mark.session);
    const session = publishers.get(mark.origin);
    if (session?.number !== mark.session) {
      if (peer === undefined) this.forgetHere(mark, undefined);
      else this.#unmark(peer, mark, undefined);
      return;
    }
    const known = session.marks.get(mark.packetId) ?? new Mark(mark, true);
    session.marks.set(mark.packetId, known);
    if (peer === undefined) return;
    known.addPeer(peer);
    known.addGroup(group);
  }

  /** Nobody waits for it: what is written or sent after this finds it gone. */
  #drop(mark: Mark): void {
    this.forgetHere(mark, undefined);
    for (const peer of mark.peers) this.#unmark(peer, mark, undefined);
  }

  #unmark(peer: PeerId, mark: MessageMark, completion: Completion | undefined): void {
    if (this.#core.bus?.unmark(peer, mark, completion) === false) completion?.atLeast(ReasonCode.quotaExceeded);
  }
}

const SNAPSHOT_MARKS = 1_000;

function changesOf({ mark, groups }: MarkedGroups): readonly StoreChange[] {
  return [...groups].map((group) => ({ kind: 'marked', mark, group }) as const);
}

function nothing(): void {}
