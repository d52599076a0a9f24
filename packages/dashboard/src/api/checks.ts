import type { ApiClient } from './client.ts';
import { asObject, number, objects, optionalText, text, type Json } from './json.ts';

export interface CheckOutcome {
  readonly check: string;
  readonly title: string;
  readonly severity: string;
  /** `compliant`, `non-compliant`, `failed`. */
  readonly status: string;
  /** In all groups. */
  readonly findings: number;
  /** Why it failed. */
  readonly error: string | undefined;
}

export interface Finding {
  readonly check: string;
  readonly kind: string;
  readonly id: string;
  readonly group: string;
  readonly reason: string;
}

export interface CheckReport {
  readonly id: number;
  readonly finishedAtMs: number;
  readonly startedBy: string;
  readonly outcomes: readonly CheckOutcome[];
  /** In the groups that the caller sees. */
  readonly findings: readonly Finding[];
}

/** The last report with what was found; undefined: there is none yet. */
export async function fetchLastReport(client: ApiClient, signal?: AbortSignal): Promise<CheckReport | undefined> {
  const [last] = objects(asObject(await client.get('/checks/reports', { signal }), 'reports'), 'items', (item) =>
    number(item, 'id'),
  );
  if (last === undefined) return undefined;
  const source = asObject(await client.get(`/checks/reports/${last}`, { signal }), 'report');
  return {
    id: number(source, 'id'),
    finishedAtMs: number(source, 'finishedAtMs'),
    startedBy: text(source, 'startedBy'),
    outcomes: objects(source, 'outcomes', outcomeFrom),
    findings: objects(source, 'items', findingFrom),
  };
}

export async function runChecks(client: ApiClient): Promise<void> {
  await client.send('POST', '/checks/reports', {});
}

function outcomeFrom(source: Json): CheckOutcome {
  return {
    check: text(source, 'check'),
    title: text(source, 'title'),
    severity: text(source, 'severity'),
    status: text(source, 'status'),
    findings: number(source, 'findings'),
    error: optionalText(source, 'error'),
  };
}

function findingFrom(source: Json): Finding {
  const object = asObject(source['object'], 'object');
  return {
    check: text(source, 'check'),
    kind: text(object, 'kind'),
    id: text(object, 'id'),
    group: text(source, 'group'),
    reason: text(source, 'reason'),
  };
}
