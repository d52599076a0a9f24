import type { Message } from './message.ts';
import type { Sessions } from './sessions.ts';
import type { Subscriber } from './subscriber.ts';

/** Looks on at what clients of this thread publish to some topics; others get the messages as if it were not there. */
export interface TopicWatcher {
  readonly filter: string;
  /** A client that is connected has published this. Bytes are valid during the call. Must not throw, nor wait. */
  published(client: string, principalId: string, topic: string, payload: Uint8Array): void;
}

/** A watcher among the subscribers. */
export class TopicWatch implements Subscriber {
  readonly key: string;
  readonly reach = 'session';
  readonly plain = true;
  readonly #watcher: TopicWatcher;
  readonly #sessions: Sessions;

  constructor(watcher: TopicWatcher, sessions: Sessions) {
    this.key = `\0watch ${watcher.filter}`;
    this.#watcher = watcher;
    this.#sessions = sessions;
  }

  mayReceive(): boolean {
    return true;
  }

  hasRoom(): boolean {
    return true;
  }

  deliver({ origin, topic, payload }: Message): void {
    const session = origin === undefined ? undefined : this.#sessions.get(origin);
    // What came in by another thread is seen there.
    if (session?.connection !== undefined) this.#watcher.published(session.key, session.principal.id, topic.name, payload);
  }
}
