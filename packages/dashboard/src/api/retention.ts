import type { ApiClient } from './client.ts';
import { asObject, number, objects, optionalObject, optionalText, text, truth, type Json } from './json.ts';

export const KEPT_LEVELS = ['raw', 'hourly', 'daily', 'archive'] as const;
export type KeptLevel = (typeof KEPT_LEVELS)[number];

/** Whole days; null: for ever; absent: as a less specific policy has it. */
export type KeepDays = { readonly [L in KeptLevel]?: number | null };

export interface RetentionPolicy {
  readonly name: string;
  readonly deviceType: string | undefined;
  readonly group: string | undefined;
  readonly metric: string | undefined;
  readonly keepDays: KeepDays;
}

/** A policy that is stored. */
export interface StoredPolicy extends RetentionPolicy {
  /** How long each level is really kept: coarser points stay at least as long as finer ones. */
  readonly effectiveDays: KeepDays;
}

/** The one that has no conditions, and is always there. */
export const DEFAULT_POLICY = 'default';

/** What was let go. */
export interface LetGo {
  readonly atMs: number;
  readonly level: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  readonly because: string;
  readonly freedBytes: number;
}

export interface Retention {
  readonly policies: readonly StoredPolicy[];
  /** Why nothing goes by its age; undefined: the clock is believed. */
  readonly clockFault: string | undefined;
  readonly lastPassMs: number | undefined;
  readonly letGo: readonly LetGo[];
}

export interface PlannedStep {
  readonly level: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  readonly isTrim: boolean;
  readonly bytes: number;
  readonly freesBytes: number;
  /** Why it stays for now. */
  readonly blocked: string | undefined;
}

export interface RetentionPlan {
  readonly freesBytes: number;
  readonly steps: readonly PlannedStep[];
  /** Steps that are not shown. */
  readonly more: number;
  readonly refused: string | undefined;
}

export async function fetchRetention(client: ApiClient, signal?: AbortSignal): Promise<Retention> {
  const source = asObject(await client.get('/retention', { query: { letGo: 5 }, signal }), 'retention');
  const clock = asObject(source['clock'], 'clock');
  const lastPass = optionalObject(source, 'lastPass');
  return {
    policies: objects(source, 'policies', policyFrom),
    clockFault: truth(clock, 'believed') ? undefined : (optionalText(clock, 'message') ?? 'The clock has jumped.'),
    lastPassMs: lastPass === undefined ? undefined : number(lastPass, 'atMs'),
    letGo: objects(source, 'letGo', (one) => ({
      atMs: number(one, 'atMs'),
      level: text(one, 'level'),
      file: text(one, 'file'),
      from: text(one, 'from'),
      to: text(one, 'to'),
      because: text(one, 'because'),
      freedBytes: number(one, 'freedBytes'),
    })),
  };
}

export async function putRetentionPolicy(client: ApiClient, { name, ...body }: RetentionPolicy): Promise<void> {
  await client.send('PUT', pathOf(name), { body });
}

export async function removeRetentionPolicy(client: ApiClient, name: string): Promise<void> {
  await client.delete(pathOf(name));
}

/** A dry run. @param policies in the place of those with their names, or beside them */
export async function planRetention(client: ApiClient, policies: readonly RetentionPolicy[]): Promise<RetentionPlan> {
  const body = policies.length === 0 ? {} : { policies };
  const source = asObject(await client.post('/retention/plan', body), 'plan');
  return {
    freesBytes: number(source, 'freesBytes'),
    steps: objects(source, 'steps', stepFrom),
    more: number(source, 'more'),
    refused: optionalText(source, 'refused'),
  };
}

/** Lets go now what is too old. @returns the bytes that it freed */
export async function runRetention(client: ApiClient): Promise<number> {
  const response = await client.send('POST', '/retention/run', { deadlineMs: 10 * 60_000 });
  return number(asObject(await response.json(), 'pass'), 'freedBytes');
}

export async function confirmClock(client: ApiClient): Promise<void> {
  await client.send('POST', '/retention/confirm-clock', {});
}

function daysFrom(source: Json, field: string): KeepDays {
  const kept = asObject(source[field], field);
  const days: { [L in KeptLevel]?: number | null } = {};
  for (const level of KEPT_LEVELS) if (kept[level] !== undefined) days[level] = kept[level] === null ? null : number(kept, level);
  return days;
}

function policyFrom(source: Json): StoredPolicy {
  return {
    name: text(source, 'name'),
    deviceType: optionalText(source, 'deviceType'),
    group: optionalText(source, 'group'),
    metric: optionalText(source, 'metric'),
    keepDays: daysFrom(source, 'keepDays'),
    effectiveDays: daysFrom(source, 'effectiveDays'),
  };
}

function stepFrom(source: Json): PlannedStep {
  return {
    level: text(source, 'level'),
    file: text(source, 'file'),
    from: text(source, 'from'),
    to: text(source, 'to'),
    isTrim: text(source, 'action') === 'trim',
    bytes: number(source, 'bytes'),
    freesBytes: number(source, 'freesBytes'),
    blocked: optionalText(source, 'blocked'),
  };
}

function pathOf(name: string): string {
  return `/retention/policies/${encodeURIComponent(name)}`;
}
