import type { ApiClient, Query } from './client.ts';
import { asObject, number, optionalNumber, optionalText, text, texts, type Json } from './json.ts';
import { pageOf, type Page } from './page.ts';

export const OUTCOMES = ['enrolled', 'renewed', 'refused', 'quarantined', 'abandoned'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** What became of somebody who wanted to enrol. */
export interface Attempt {
  readonly id: number;
  readonly atMs: number;
  readonly door: string;
  readonly outcome: string;
  readonly template: string | undefined;
  readonly serial: string | undefined;
  readonly deviceId: string | undefined;
  readonly claimBatch: string | undefined;
  readonly remoteAddress: string | undefined;
  /** What was done, in order. */
  readonly steps: readonly string[];
}

/** A serial number that enrolled again. */
export interface Quarantined {
  readonly template: string;
  readonly serial: string;
  readonly deviceId: string;
  readonly group: string;
  readonly state: string;
  readonly reason: string;
  readonly door: string;
  readonly claimBatch: string | undefined;
  readonly remoteAddress: string | undefined;
  readonly attempts: number;
  readonly lastAtMs: number;
  readonly resolvedAtMs: number | undefined;
  readonly resolvedBy: string | undefined;
}

export type Decision = 'release' | 'refuse';

const PAGE_SIZE = 50;

export async function fetchAttempts(
  client: ApiClient,
  query: Query,
  cursor: string | undefined,
  signal?: AbortSignal,
): Promise<Page<Attempt>> {
  const asked = { ...query, cursor, limit: PAGE_SIZE };
  return pageOf(await client.get('/provisioning/attempts', { query: asked, signal }), 'attempts', attemptFrom);
}

export async function fetchQuarantine(
  client: ApiClient,
  query: Query,
  cursor: string | undefined,
  signal?: AbortSignal,
): Promise<Page<Quarantined>> {
  const asked = { ...query, cursor, limit: PAGE_SIZE };
  return pageOf(await client.get('/provisioning/quarantine', { query: asked, signal }), 'quarantine', quarantinedFrom);
}

export async function decideQuarantined(
  client: ApiClient,
  { template, serial }: Pick<Quarantined, 'template' | 'serial'>,
  decision: Decision,
): Promise<Quarantined> {
  const path = `/provisioning/templates/${encodeURIComponent(template)}/quarantine/${encodeURIComponent(serial)}/${decision}`;
  return quarantinedFrom(asObject(await client.post(path, undefined), 'quarantine'));
}

function attemptFrom(source: Json): Attempt {
  return {
    id: number(source, 'id'),
    atMs: number(source, 'atMs'),
    door: text(source, 'door'),
    outcome: text(source, 'outcome'),
    template: optionalText(source, 'template'),
    serial: optionalText(source, 'serial'),
    deviceId: optionalText(source, 'deviceId'),
    claimBatch: optionalText(source, 'claimBatch'),
    remoteAddress: optionalText(source, 'remoteAddress'),
    steps: texts(source, 'steps'),
  };
}

function quarantinedFrom(source: Json): Quarantined {
  return {
    template: text(source, 'template'),
    serial: text(source, 'serial'),
    deviceId: text(source, 'deviceId'),
    group: text(source, 'group'),
    state: text(source, 'state'),
    reason: text(source, 'reason'),
    door: text(source, 'door'),
    claimBatch: optionalText(source, 'claimBatch'),
    remoteAddress: optionalText(source, 'remoteAddress'),
    attempts: number(source, 'attempts'),
    lastAtMs: number(source, 'lastAtMs'),
    resolvedAtMs: optionalNumber(source, 'resolvedAtMs'),
    resolvedBy: optionalText(source, 'resolvedBy'),
  };
}
