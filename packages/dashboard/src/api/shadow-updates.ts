import type { ApiClient, Query } from './client.ts';
import { asObject, number, optionalNumber, optionalText, text, type Json } from './json.ts';
import { pageOf, type Page } from './page.ts';

/** An update of the shadows of many devices, as far as it has come. */
export interface ShadowUpdate {
  readonly id: string;
  /** `defaults`: it brings to devices what they inherit. */
  readonly kind: string;
  /** `running`, `done`, `cancelled`. */
  readonly state: string;
  readonly target: string;
  /** Empty: the classic one. */
  readonly shadow: string;
  readonly desired: Json;
  readonly ratePerSec: number;
  readonly startedBy: string;
  readonly total: number;
  readonly done: number;
  readonly unchanged: number;
  readonly failed: number;
  readonly left: number;
  readonly observedPerSec: number;
  readonly etaMs: number | undefined;
  readonly createdAtMs: number;
  readonly finishedAtMs: number | undefined;
}

export interface ShadowUpdateFailure {
  readonly device: string;
  readonly code: string;
  readonly reason: string;
}

export interface ShadowUpdateDraft {
  readonly target: string | readonly string[];
  readonly shadow?: string;
  /** Merged into what each device has; null takes a key away. */
  readonly desired: Json;
  readonly ratePerSec: number;
}

const PAGE_SIZE = 30;

export async function fetchShadowUpdates(
  client: ApiClient,
  query: Query,
  cursor: string | undefined,
  signal?: AbortSignal,
): Promise<Page<ShadowUpdate>> {
  const asked = { ...query, cursor, limit: PAGE_SIZE };
  return pageOf(await client.get('/shadow-updates', { query: asked, signal }), 'shadow updates', updateFrom);
}

export async function fetchShadowUpdateFailures(
  client: ApiClient,
  id: string,
  cursor: string | undefined,
  signal?: AbortSignal,
): Promise<Page<ShadowUpdateFailure>> {
  const answer = await client.get(`/shadow-updates/${id}/failures`, { query: { cursor, limit: PAGE_SIZE }, signal });
  return pageOf(answer, 'failures', (source) => ({
    device: text(source, 'device'),
    code: text(source, 'code'),
    reason: text(source, 'reason'),
  }));
}

export async function startShadowUpdate(client: ApiClient, draft: ShadowUpdateDraft): Promise<ShadowUpdate> {
  return updateFrom(asObject(await client.post('/shadow-updates', draft), 'shadow update'));
}

export async function cancelShadowUpdate(client: ApiClient, id: string): Promise<ShadowUpdate> {
  return updateFrom(asObject(await client.post(`/shadow-updates/${id}/cancel`, undefined), 'shadow update'));
}

export function updateFrom(source: Json): ShadowUpdate {
  return {
    id: text(source, 'id'),
    kind: text(source, 'kind'),
    state: text(source, 'state'),
    target: text(source, 'target'),
    shadow: optionalText(source, 'shadow') ?? '',
    desired: asObject(source['desired'], 'desired'),
    ratePerSec: number(source, 'ratePerSec'),
    startedBy: text(asObject(source['startedBy'], 'startedBy'), 'name'),
    total: number(source, 'total'),
    done: number(source, 'done'),
    unchanged: number(source, 'unchanged'),
    failed: number(source, 'failed'),
    left: number(source, 'left'),
    observedPerSec: number(source, 'observedPerSec'),
    etaMs: optionalNumber(source, 'etaMs'),
    createdAtMs: number(source, 'createdAtMs'),
    finishedAtMs: optionalNumber(source, 'finishedAtMs'),
  };
}
