import type { ApiClient } from './client.ts';
import { asArray, asObject, number, optionalText, text } from './json.ts';

export interface DeadLetter {
  /** Unique: partition and offset. */
  readonly key: string;
  readonly arrivalMs: number;
  readonly device: string;
  readonly topic: string;
  readonly code: string;
  readonly reason: string;
  /** The first 1,024 bytes as text. */
  readonly payload: string;
  readonly payloadBytes: number;
}

export interface DeadLetterPage {
  readonly items: readonly DeadLetter[];
  readonly cursor: string | undefined;
}

export async function fetchDeadLetters(
  client: ApiClient,
  cursor: string | undefined,
  signal?: AbortSignal,
): Promise<DeadLetterPage> {
  const body = asObject(await client.get('/dead-letters', { query: { limit: 25, cursor }, signal }), 'dead letters');
  return { items: asArray(body['items'], 'items').map(deadLetterFrom), cursor: optionalText(body, 'cursor') };
}

function deadLetterFrom(json: unknown): DeadLetter {
  const source = asObject(json, 'dead letter');
  return {
    key: `${number(source, 'partition')}:${number(source, 'offset')}`,
    arrivalMs: number(source, 'arrivalMs'),
    device: text(source, 'device'),
    topic: text(source, 'topic'),
    code: text(source, 'code'),
    reason: text(source, 'reason'),
    payload: text(source, 'payload'),
    payloadBytes: number(source, 'payloadBytes'),
  };
}
