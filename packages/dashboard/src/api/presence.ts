import type { ApiClient, Query } from './client.ts';
import { asObject, number, objects, optionalText, text } from './json.ts';
import type { Page } from './page.ts';

/** A device is gone for too long, or comes and goes. */
export interface PresenceAlert {
  readonly id: number;
  readonly deviceId: string;
  readonly group: string;
  readonly isFlapping: boolean;
  /** When it went. */
  readonly sinceMs: number;
  readonly reason: string | undefined;
  /** How often it went lately. */
  readonly losses: number;
}

const PAGE_SIZE = 50;

/** Those that are open, newest first. */
export async function fetchOpenAlerts(
  client: ApiClient,
  query: Query,
  cursor: string | undefined,
  signal?: AbortSignal,
): Promise<Page<PresenceAlert>> {
  const asked = { ...query, state: 'open', cursor, limit: PAGE_SIZE };
  const body = asObject(await client.get('/presence/alerts', { query: asked, signal }), 'alerts');
  const items = objects(body, 'items', (source) => ({
    id: number(source, 'id'),
    deviceId: text(source, 'deviceId'),
    group: text(source, 'group'),
    isFlapping: source['kind'] === 'flapping',
    sinceMs: number(source, 'sinceMs'),
    reason: optionalText(source, 'reason'),
    losses: number(source, 'losses'),
  }));
  return { items, cursor: optionalText(body, 'nextCursor') };
}
