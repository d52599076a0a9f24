import { setImmediate as nextTurn } from 'node:timers/promises';
import type { QoS, UserProperties } from '@selsyn/wire/mqtt/packets.ts';
import type { Message } from './message.ts';
import type { RetainedStore } from './retained-store.ts';

/** A retained message, without what it says. */
export interface RetainedSummary {
  readonly topic: string;
  readonly sizeBytes: number;
  readonly qos: QoS;
}

export interface RetainedMessage extends RetainedSummary {
  readonly payload: Uint8Array;
  readonly userProperties: UserProperties | undefined;
}

/** Topics that begin so are the server's own. */
const OWN = '$SYS/';
const NODES_A_TURN = 2_000;

export function findRetained(store: RetainedStore, topic: string): RetainedMessage | undefined {
  const message = store.get(topic);
  if (message === undefined) return undefined;
  return { ...summaryOf(message), payload: message.payload, userProperties: message.properties?.userProperties };
}

/**
 * A page of all retained messages but the server's own, by topic. Everything is read for each page, taking turns with everything else.
 *
 * @param page.after the last topic of the page before.
 */
export async function listRetained(
  store: RetainedStore,
  page: { readonly after: string | undefined; readonly limit: number },
): Promise<readonly RetainedSummary[]> {
  const { after, limit } = page;
  let found: RetainedSummary[] = [];
  const cursor = store.wholeCursor();
  while (!cursor.done) {
    cursor.read(NODES_A_TURN, (message) => {
      const { name } = message.topic;
      if (!name.startsWith(OWN) && (after === undefined || name > after)) found.push(summaryOf(message));
      return true;
    });
    if (found.length > 2 * limit + NODES_A_TURN) found = firstOf(found, limit);
    await nextTurn();
  }
  return firstOf(found, limit);
}

function firstOf(found: readonly RetainedSummary[], limit: number): RetainedSummary[] {
  return found.toSorted((one, other) => (one.topic < other.topic ? -1 : 1)).slice(0, limit);
}

function summaryOf({ topic, payload, qos }: Message): RetainedSummary {
  return { topic: topic.name, sizeBytes: payload.length, qos };
}
