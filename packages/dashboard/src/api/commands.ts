import type { ApiClient, Query } from './client.ts';
import { asObject, isJson, number, objects, optionalNumber, optionalText, text, truth, type Json } from './json.ts';
import { pageOf, type Page } from './page.ts';

export interface CommandAnswer {
  readonly outcome: string;
  /** Undefined: it said no more. */
  readonly payload: unknown;
  readonly reason: string | undefined;
  readonly atMs: number;
}

export interface Command {
  readonly id: string;
  readonly name: string;
  /** Undefined: none. */
  readonly payload: unknown;
  /** `queued`, `sent`, `delivered`, `succeeded`, `failed`, `expired`, `cancelled`. */
  readonly state: string;
  readonly oneWay: boolean;
  /** How often it went out to the device. */
  readonly sends: number;
  readonly createdAtMs: number;
  readonly sendUntilMs: number;
  readonly expiresAtMs: number;
  readonly finishedAtMs: number | undefined;
  readonly reason: string | undefined;
  readonly history: readonly { readonly state: string; readonly atMs: number }[];
  readonly progress: { readonly payload: unknown; readonly atMs: number } | undefined;
  readonly answer: CommandAnswer | undefined;
  /** Came after the end: it does not count. */
  readonly lateAnswer: CommandAnswer | undefined;
  readonly createdBy: { readonly kind: string; readonly name: string };
}

export interface CommandDraft {
  readonly name: string;
  readonly payload?: unknown;
  /** It is not sent later than this. */
  readonly timeoutMs?: number;
  /** Until then it is sent, as `now+1h`. */
  readonly expiresAt?: string;
  readonly oneWay?: true;
}

/** The same rule as the server's, to say it before asking. */
export const COMMAND_NAME_PATTERN = /^[A-Za-z0-9:_.-]{1,128}$/;
const PAGE_SIZE = 30;

export async function fetchCommands(
  client: ApiClient,
  device: string,
  query: Query,
  cursor: string | undefined,
  signal?: AbortSignal,
): Promise<Page<Command>> {
  const asked = { ...query, cursor, limit: PAGE_SIZE };
  return pageOf(await client.get(pathOf(device), { query: asked, signal }), 'commands', commandFrom);
}

/** Gives a command and does not wait for its end: the page follows it. */
export async function sendCommand(client: ApiClient, device: string, draft: CommandDraft): Promise<Command> {
  return commandFrom(asObject(await client.post(pathOf(device), { ...draft, wait: false }), 'command'));
}

export async function cancelCommand(client: ApiClient, device: string, id: string): Promise<Command> {
  return commandFrom(asObject(await client.post(`${pathOf(device)}/${id}/cancel`, undefined), 'command'));
}

function commandFrom(source: Json): Command {
  const createdBy = asObject(source['createdBy'], 'createdBy');
  const progress = source['progress'];
  return {
    id: text(source, 'id'),
    name: text(source, 'name'),
    payload: source['payload'],
    state: text(source, 'state'),
    oneWay: truth(source, 'oneWay'),
    sends: number(source, 'sends'),
    createdAtMs: number(source, 'createdAtMs'),
    sendUntilMs: number(source, 'sendUntilMs'),
    expiresAtMs: number(source, 'expiresAtMs'),
    finishedAtMs: optionalNumber(source, 'finishedAtMs'),
    reason: optionalText(source, 'reason'),
    history: objects(source, 'history', (entry) => ({ state: text(entry, 'state'), atMs: number(entry, 'atMs') })),
    progress: isJson(progress) ? { payload: progress['payload'], atMs: number(progress, 'atMs') } : undefined,
    answer: answerFrom(source['answer']),
    lateAnswer: answerFrom(source['lateAnswer']),
    createdBy: { kind: text(createdBy, 'kind'), name: text(createdBy, 'name') },
  };
}

function answerFrom(json: unknown): CommandAnswer | undefined {
  if (json === undefined) return undefined;
  const source = asObject(json, 'answer');
  return {
    outcome: text(source, 'outcome'),
    payload: source['payload'],
    reason: optionalText(source, 'reason'),
    atMs: number(source, 'atMs'),
  };
}

function pathOf(device: string): string {
  return `/devices/${encodeURIComponent(device)}/commands`;
}
