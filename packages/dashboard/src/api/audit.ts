import type { ApiClient, Query } from './client.ts';
import { asObject, number, optionalText, text, type Json } from './json.ts';
import { pageOf, type Page } from './page.ts';

/** A change: who did what to what. */
export interface AuditEntry {
  readonly id: number;
  readonly atMs: number;
  readonly actor: {
    readonly kind: string;
    readonly id: string;
    readonly name: string;
    readonly remoteAddress: string | undefined;
  };
  /** As `device.update`. */
  readonly action: string;
  readonly object: { readonly kind: string; readonly id: string };
  readonly group: string;
  /** Undefined: was not there. */
  readonly before: unknown;
  /** Undefined: is no more. */
  readonly after: unknown;
}

export async function fetchAudit(
  client: ApiClient,
  query: Query,
  cursor: string | undefined,
  signal?: AbortSignal,
): Promise<Page<AuditEntry>> {
  return pageOf(await client.get('/audit', { query: { ...query, cursor, limit: 50 }, signal }), 'audit', entryFrom);
}

function entryFrom(source: Json): AuditEntry {
  const actor = asObject(source['actor'], 'actor');
  const object = asObject(source['object'], 'object');
  return {
    id: number(source, 'id'),
    atMs: number(source, 'atMs'),
    actor: {
      kind: text(actor, 'kind'),
      id: text(actor, 'id'),
      name: text(actor, 'name'),
      remoteAddress: optionalText(actor, 'remoteAddress'),
    },
    action: text(source, 'action'),
    object: { kind: text(object, 'kind'), id: text(object, 'id') },
    group: text(source, 'group'),
    before: source['before'],
    after: source['after'],
  };
}
