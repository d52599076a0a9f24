import type { ApiClient } from './client.ts';
import { asObject, number, optionalNumber, optionalObject, optionalText, text, type Json } from './json.ts';
import { pageOf, type Page } from './page.ts';

export interface ArchiveStatus {
  readonly state: string;
  readonly target: string;
  readonly place: string | undefined;
  readonly objects: number;
  readonly bytes: number;
  readonly points: number;
  /** Hours that are over and not archived. */
  readonly backlogHours: number;
  readonly lagMs: number;
  /** Archived objects that are damaged or gone. */
  readonly badObjects: number;
  readonly lastStoredAtMs: number | undefined;
  readonly failures: number;
  readonly lastError: { readonly code: string; readonly message: string; readonly atMs: number } | undefined;
}

/** All telemetry of a device, taken away everywhere. */
export interface Erasure {
  readonly id: string;
  readonly device: string;
  readonly isRemoval: boolean;
  readonly requestedBy: string;
  readonly state: string;
  readonly begunAtMs: number;
  readonly hiddenAtMs: number | undefined;
  readonly storeErasedAtMs: number | undefined;
  readonly doneAtMs: number | undefined;
  readonly objectsChecked: number;
  readonly objectsRewritten: number;
  readonly archivedPointsErased: number;
  readonly lastError: string | undefined;
}

export async function fetchArchive(client: ApiClient, signal?: AbortSignal): Promise<ArchiveStatus> {
  const source = asObject(await client.get('/archive', { signal }), 'archive');
  const error = optionalObject(source, 'lastError');
  return {
    state: text(source, 'state'),
    target: text(source, 'target'),
    place: optionalText(source, 'place'),
    objects: number(source, 'objects'),
    bytes: number(source, 'bytes'),
    points: number(source, 'points'),
    backlogHours: number(source, 'backlogHours'),
    lagMs: number(source, 'lagMs'),
    badObjects: number(source, 'badObjects'),
    lastStoredAtMs: optionalNumber(source, 'lastStoredAtMs'),
    failures: number(source, 'failures'),
    lastError:
      error === undefined
        ? undefined
        : { code: text(error, 'code'), message: text(error, 'message'), atMs: number(error, 'atMs') },
  };
}

/** Archives what is over now; the answer comes before it is done. @returns why something that had come is not stored yet; undefined: all is */
export async function runArchive(client: ApiClient): Promise<string | undefined> {
  const response = await client.send('POST', '/archive/run', { deadlineMs: 90_000 });
  const left = optionalObject(asObject(await response.json(), 'run'), 'left');
  return left === undefined ? undefined : text(left, 'because');
}

/** An archived object that cannot be used. */
export interface BadObject {
  readonly id: number;
  readonly key: string;
  readonly points: number;
  readonly bytes: number;
  readonly code: string;
  readonly message: string;
  readonly sinceMs: number;
  readonly nextTryMs: number;
}

export async function fetchBadObjects(client: ApiClient, signal?: AbortSignal): Promise<Page<BadObject>> {
  return pageOf(await client.get('/archive/bad-objects', { query: { limit: 50 }, signal }), 'bad objects', (source) => ({
    id: number(source, 'id'),
    key: text(source, 'key'),
    points: number(source, 'points'),
    bytes: number(source, 'bytes'),
    code: text(source, 'code'),
    message: text(source, 'message'),
    sinceMs: number(source, 'sinceMs'),
    nextTryMs: number(source, 'nextTryMs'),
  }));
}

export async function giveUpObject(client: ApiClient, id: number): Promise<void> {
  await client.send('POST', `/archive/bad-objects/${id}/give-up`, {});
}

/** Takes over objects that the manifest does not know; the answer comes before it is done. */
export async function rebuildArchive(client: ApiClient): Promise<void> {
  await client.send('POST', '/archive/rebuild', {});
}

export async function fetchErasures(client: ApiClient, cursor: string | undefined, signal?: AbortSignal): Promise<Page<Erasure>> {
  return pageOf(await client.get('/erasures', { query: { cursor, limit: 50 }, signal }), 'erasures', erasureFrom);
}

export async function eraseTelemetry(client: ApiClient, device: string): Promise<void> {
  await client.post('/erasures', { device });
}

function erasureFrom(source: Json): Erasure {
  return {
    id: text(source, 'id'),
    device: text(source, 'device'),
    isRemoval: text(source, 'reason') === 'removed',
    requestedBy: text(source, 'requestedBy'),
    state: text(source, 'state'),
    begunAtMs: number(source, 'begunAtMs'),
    hiddenAtMs: optionalNumber(source, 'hiddenAtMs'),
    storeErasedAtMs: optionalNumber(source, 'storeErasedAtMs'),
    doneAtMs: optionalNumber(source, 'doneAtMs'),
    objectsChecked: number(source, 'objectsChecked'),
    objectsRewritten: number(source, 'objectsRewritten'),
    archivedPointsErased: number(source, 'archivedPointsErased'),
    lastError: optionalText(source, 'lastError'),
  };
}
