import type { Appender, Log, Offset, PartitionId } from '../../../log/log.ts';
import type { SelsynError } from '../../../kernel/errors.ts';
import type { Holder, SessionNumber, StoreChange, StoredMessage } from '../../session-store.ts';
import type { StoredState } from '../../stored-state.ts';
import { JournalWriter } from './journal-writer.ts';

/** Where a session of the partition that is being read goes. */
interface Moved {
  readonly home: number;
  readonly number: SessionNumber;
}

const START = 0 as Offset;

/**
 * Writes what several partitions hold to the partitions of a new log, each session and retained message to its home.
 *
 * Sessions and messages are numbered anew, from 1 in each partition. A message whose holders part ways becomes one message
 * in each of their homes. A session's messages keep their order and packet ids. What is written is a snapshot.
 *
 * Marks go to nobody: the sessions of a new home come from several old ones, of which some had the message of a mark and others
 * had not. So a QoS 2 message that was sent but not acknowledged before a crash may come twice where the number of threads is
 * changed at the restart after it; no session misses it.
 */
export class Redistribution implements AsyncDisposable {
  readonly #homeOf: (name: string) => number;
  readonly #targets: readonly Target[];

  private constructor(homeOf: (name: string) => number, targets: readonly Target[]) {
    this.#homeOf = homeOf;
    this.#targets = targets;
  }

  /** @param log new and empty. @throws SelsynError `log.full`, `log.failed` */
  static async begin(log: Log, homeOf: (name: string) => number): Promise<Redistribution> {
    return new Redistribution(homeOf, await Promise.all(log.partitions.map((partition) => Target.open(log, partition))));
  }

  /** Takes over all that one old partition holds. @throws SelsynError `log.full`, `log.failed` */
  async add(state: StoredState): Promise<void> {
    const sessions = new Map<SessionNumber, Moved>();
    const messages = new Map<number, MovedMessage>();
    for (const change of state.changes()) {
      this.#move(change, sessions, messages);
      for (const target of this.#targets) if (target.mustWait) await target.drained();
    }
  }

  /** Resolves once everything is durable. @throws SelsynError `log.full`, `log.failed` */
  async complete(): Promise<void> {
    for (const target of this.#targets) target.writer.mark('end', START);
    for (const target of this.#targets) await target.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const target of this.#targets) await target.appender[Symbol.asyncDispose]();
  }

  #move(change: StoreChange, sessions: Map<SessionNumber, Moved>, messages: Map<number, MovedMessage>): void {
    switch (change.kind) {
      case 'session': {
        const home = this.#homeOf(change.session.clientId);
        const number = this.#target(home).nextSession();
        sessions.set(change.session.number, { home, number });
        return this.#write(home, { ...change, session: { ...change.session, number } });
      }
      case 'message': {
        const message = new MovedMessage(change.message);
        messages.set(change.message.number, message);
        return this.#hold(message, change.holders, sessions);
      }
      case 'held':
        return this.#hold(messages.get(change.message)!, change.holders, sessions); // a state names no message before it gives it
      case 'marked':
      case 'unmarked':
        return;
      case 'retained':
      case 'retained-removed':
        return this.#write(this.#homeOf(change.topic), change);
      default: {
        const { home, number } = sessions.get(change.session)!; // nor a session
        return this.#write(home, { ...change, session: number });
      }
    }
  }

  #hold(message: MovedMessage, holders: readonly Holder[], sessions: ReadonlyMap<SessionNumber, Moved>): void {
    const byHome = Map.groupBy(holders, (holder) => sessions.get(holder.session)!.home);
    for (const [home, there] of byHome) {
      const moved = there.map((holder) => ({ ...holder, session: sessions.get(holder.session)!.number }));
      const known = message.numbers.get(home);
      if (known !== undefined) {
        this.#write(home, { kind: 'held', message: known, holders: moved });
        continue;
      }
      const number = this.#target(home).nextMessage();
      message.numbers.set(home, number);
      this.#write(home, { kind: 'message', message: { ...message.message, number }, holders: moved });
    }
  }

  #write(home: number, change: StoreChange): void {
    this.#target(home).writer.ofSnapshot(change);
  }

  #target(home: number): Target {
    const target = this.#targets[home];
    if (target === undefined) throw new RangeError(`there is no thread ${home}`);
    return target;
  }
}

class MovedMessage {
  readonly message: StoredMessage;
  /** Its number in each home that it has reached. */
  readonly numbers = new Map<number, number>();

  constructor(message: StoredMessage) {
    this.message = message;
  }
}

/** A partition that is being filled. */
class Target {
  appender!: Appender;
  writer!: JournalWriter;
  #sessions = 0;
  #messages = 0;
  #fault: SelsynError | undefined;
  #onDrained: (() => void) | undefined;

  static async open(log: Log, partition: PartitionId): Promise<Target> {
    const target = new Target();
    target.appender = await log.openAppender(partition, {
      onDurable: () => undefined,
      onRejected: (_upTo, error) => (target.#fault = error),
      onDrained: () => target.#onDrained?.(),
    });
    target.writer = new JournalWriter(target.appender);
    target.writer.mark('begin', START);
    return target;
  }

  nextSession(): SessionNumber {
    this.#sessions += 1;
    return this.#sessions as SessionNumber;
  }

  nextMessage(): number {
    this.#messages += 1;
    return this.#messages;
  }

  get mustWait(): boolean {
    return this.appender.saturated || this.#fault !== undefined;
  }

  /** @throws SelsynError what a write failed with */
  async drained(): Promise<void> {
    if (this.appender.saturated) await new Promise<void>((resolve) => (this.#onDrained = resolve));
    if (this.#fault !== undefined) throw this.#fault;
  }

  async close(): Promise<void> {
    await this.appender[Symbol.asyncDispose]();
    if (this.#fault !== undefined) throw this.#fault;
  }
}
