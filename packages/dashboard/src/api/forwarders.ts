import type { ApiClient } from './client.ts';
import {
  asObject,
  number,
  objects,
  optionalNumber,
  optionalObject,
  optionalText,
  text,
  texts,
  truth,
  type Json,
} from './json.ts';
import { pageOf, type Page } from './page.ts';

export const TARGET_KINDS = ['webhook', 'kafka', 'mqtt', 'influxdb'] as const;
export type TargetKind = (typeof TARGET_KINDS)[number];

export interface ForwarderState {
  readonly lagRecords: number;
  readonly lagSeconds: number;
  readonly lagBytes: number;
  readonly sent: number;
  readonly sentBytes: number;
  readonly failures: number;
  readonly filtered: number;
  readonly skipped: number;
  readonly undecodable: number;
  readonly refused: number;
  readonly lastRefusal: { readonly message: string; readonly atMs: number } | undefined;
  /** `well`, `refusing`, `retrying` or `failing`. */
  readonly health: string;
  readonly circuit: string;
  readonly lastError: { readonly message: string; readonly atMs: number } | undefined;
  readonly lastSentMs: number | undefined;
}

/** Sends a copy of live telemetry somewhere else. */
export interface Forwarder {
  readonly id: string;
  readonly description: string | undefined;
  readonly target: Json;
  readonly format: string;
  readonly filter: Json;
  readonly batch: Json;
  readonly paused: boolean;
  readonly secretNames: readonly string[];
  readonly createdAtMs: number;
  /** Absent for the moment in which it is taken up. */
  readonly state: ForwarderState | undefined;
}

export interface RefusedRecord {
  readonly number: number;
  readonly device: string;
  readonly topic: string;
  readonly refusedAtMs: number;
  readonly reason: string;
  readonly payload: string;
}

const REFUSED_PAGE = 10;
/** The server itself sends for 20 s at most. */
const RESEND_DEADLINE_MS = 45_000;

export async function fetchForwarders(client: ApiClient, signal?: AbortSignal): Promise<readonly Forwarder[]> {
  return objects(asObject(await client.get('/forwarders', { signal }), 'forwarders'), 'items', forwarderFrom);
}

export async function addForwarder(client: ApiClient, draft: Json): Promise<void> {
  await client.post('/forwarders', draft);
}

/** What is absent from the patch stays, and so do secrets. */
export async function updateForwarder(client: ApiClient, id: string, patch: Json): Promise<void> {
  await client.patch(pathOf(id), patch);
}

export async function pauseForwarder(client: ApiClient, id: string, paused: boolean): Promise<void> {
  await client.patch(pathOf(id), { paused });
}

export async function removeForwarder(client: ApiClient, id: string): Promise<void> {
  await client.delete(pathOf(id));
}

/** Sends one record now. @returns what went wrong; undefined: it was taken */
export async function testForwarder(client: ApiClient, id: string): Promise<string | undefined> {
  const answer = asObject(await client.post(`${pathOf(id)}/test`, undefined), 'test');
  return truth(answer, 'ok') ? undefined : (optionalText(answer, 'message') ?? 'It was not taken.');
}

export async function fetchRefused(
  client: ApiClient,
  id: string,
  cursor: string | undefined,
  signal?: AbortSignal,
): Promise<Page<RefusedRecord>> {
  const query = { limit: REFUSED_PAGE, after: cursor };
  const { items } = pageOf(await client.get(`${pathOf(id)}/refused`, { query, signal }), 'refused', (source) => ({
    number: number(source, 'number'),
    device: text(source, 'device'),
    topic: text(source, 'topic'),
    refusedAtMs: number(source, 'refusedAtMs'),
    reason: text(source, 'reason'),
    payload: text(source, 'payload'),
  }));
  const last = items.at(-1);
  return { items, cursor: items.length === REFUSED_PAGE && last !== undefined ? String(last.number) : undefined };
}

export async function resendRefused(client: ApiClient, id: string): Promise<{ readonly sent: number; readonly left: number }> {
  const response = await client.send('POST', `${pathOf(id)}/refused/resend`, { deadlineMs: RESEND_DEADLINE_MS });
  const answer = asObject(await response.json(), 'resend');
  return { sent: number(answer, 'sent'), left: number(answer, 'left') };
}

export async function discardRefused(client: ApiClient, id: string): Promise<void> {
  await client.delete(`${pathOf(id)}/refused`);
}

function forwarderFrom(source: Json): Forwarder {
  const state = optionalObject(source, 'state');
  return {
    id: text(source, 'id'),
    description: optionalText(source, 'description'),
    target: asObject(source['target'], 'target'),
    format: text(source, 'format'),
    filter: asObject(source['filter'], 'filter'),
    batch: asObject(source['batch'], 'batch'),
    paused: truth(source, 'paused'),
    secretNames: texts(source, 'secretNames'),
    createdAtMs: number(source, 'createdAtMs'),
    state: state === undefined ? undefined : stateFrom(state),
  };
}

function stateFrom(source: Json): ForwarderState {
  return {
    lagRecords: number(source, 'lagRecords'),
    lagSeconds: number(source, 'lagSeconds'),
    lagBytes: number(source, 'lagBytes'),
    sent: number(source, 'sent'),
    sentBytes: number(source, 'sentBytes'),
    failures: number(source, 'failures'),
    filtered: number(source, 'filtered'),
    skipped: number(source, 'skipped'),
    undecodable: number(source, 'undecodable'),
    refused: number(source, 'refused'),
    lastRefusal: saidFrom(source, 'lastRefusal'),
    health: text(source, 'health'),
    circuit: text(source, 'circuit'),
    lastError: saidFrom(source, 'lastError'),
    lastSentMs: optionalNumber(source, 'lastSentMs'),
  };
}

function saidFrom(source: Json, field: string): { readonly message: string; readonly atMs: number } | undefined {
  const said = optionalObject(source, field);
  return said && { message: text(said, 'message'), atMs: number(said, 'atMs') };
}

function pathOf(id: string): string {
  return `/forwarders/${encodeURIComponent(id)}`;
}
