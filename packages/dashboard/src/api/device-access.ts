import type { ApiClient } from './client.ts';
import { asObject, number, objects, optionalText, text, truth, type Json } from './json.ts';

export const ACCESS_ACTIONS = ['connect', 'publish', 'retain', 'subscribe', 'receive'] as const;
export type AccessAction = (typeof ACCESS_ACTIONS)[number];

export interface AccessQuestion {
  readonly action: AccessAction;
  /** A topic; for `subscribe` a filter; for `connect` a client id. */
  readonly subject: string;
  readonly clientId?: string | undefined;
  readonly certificateId?: string | undefined;
}

/** Why a device may do something, or may not. */
export interface AccessAnswer {
  readonly allowed: boolean;
  readonly reason: string;
  readonly policies: readonly { readonly name: string; readonly byKind: string; readonly byId: string }[];
  /** Absent: no statement says anything. */
  readonly decidedBy: Decision | undefined;
  /** Null: the device has none. */
  readonly variables: readonly (readonly [name: string, value: string | null])[];
}

export interface Decision {
  readonly policy: string;
  /** From 0. */
  readonly statement: number;
  readonly effect: string;
  readonly pattern: string;
  readonly expanded: string | undefined;
}

/** Something that a client of the device was denied lately. */
export interface Denial {
  readonly action: string;
  readonly subject: string;
  readonly lastAtMs: number;
}

export async function explainAccess(client: ApiClient, device: string, question: AccessQuestion): Promise<AccessAnswer> {
  const path = `/devices/${encodeURIComponent(device)}/access`;
  const source = asObject(await client.get(path, { query: { ...question } }), 'access');
  return {
    allowed: truth(source, 'allowed'),
    reason: text(source, 'reason'),
    policies: objects(source, 'policies', (policy) => {
      const by = asObject(policy['by'], 'by');
      return { name: text(policy, 'name'), byKind: text(by, 'kind'), byId: text(by, 'id') };
    }),
    decidedBy: source['decidedBy'] === undefined ? undefined : decisionFrom(asObject(source['decidedBy'], 'decidedBy')),
    variables: Object.entries(asObject(source['variables'], 'variables')).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : null,
    ]),
  };
}

/** A statement of a policy as it is written there, a field a line. */
export async function fetchStatement(client: ApiClient, { policy, statement }: Decision, signal?: AbortSignal): Promise<string> {
  const source = asObject(await client.get(`/policies/${encodeURIComponent(policy)}`, { signal }), 'policy');
  const statements = objects(asObject(source['document'], 'document'), 'statements', (item) => item);
  const fields = Object.entries(statements[statement] ?? {}).map(
    ([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)}`,
  );
  return `{\n${fields.join(',\n')}\n}`;
}

/** What the client with the id of the device was denied, the newest first. */
export async function fetchDenials(client: ApiClient, device: string, signal?: AbortSignal): Promise<readonly Denial[]> {
  const source = asObject(await client.get(`/clients/${encodeURIComponent(device)}`, { signal }), 'clients');
  const denials = objects(source, 'items', (item) => objects(item, 'denials', denialFrom)).flat();
  return denials
    .filter(({ action }) => action === 'publish' || action === 'subscribe')
    .toSorted((a, b) => b.lastAtMs - a.lastAtMs);
}

function decisionFrom(source: Json): Decision {
  return {
    policy: text(source, 'policy'),
    statement: number(source, 'statement'),
    effect: text(source, 'effect'),
    pattern: text(source, 'pattern'),
    expanded: optionalText(source, 'expanded'),
  };
}

function denialFrom(source: Json): Denial {
  return { action: text(source, 'action'), subject: text(source, 'subject'), lastAtMs: number(source, 'lastAtMs') };
}
