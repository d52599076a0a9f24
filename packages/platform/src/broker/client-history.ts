import type { ClientClose, ClientDenial } from './inspection.ts';

/** Which client an entry is about, as of when it was last heard of. */
export interface RememberedClient {
  readonly clientId: string;
  readonly namespace: string;
  /** '' for one that was never let in. */
  readonly principalId: string;
  readonly closes: readonly ClientClose[];
  readonly denials: readonly ClientDenial[];
}

/** The part of a session that names its client. */
export interface KnownClient {
  /** `sessionKey` of the two below. */
  readonly key: string;
  readonly clientId: string;
  readonly principal: { readonly id: string; readonly sessionNamespace: string };
}

interface Entry {
  readonly clientId: string;
  readonly namespace: string;
  principalId: string;
  readonly closes: ClientClose[];
  denials: Denial[] | undefined;
}

type Denial = { -readonly [K in keyof ClientDenial]: ClientDenial[K] };

/**
 * Why clients went and what they were denied, also after nothing else is left of them.
 *
 * Bounded: the clients that were heard of least recently are forgotten first. Those that were never let in are counted apart, so that
 * guessing ids pushes out no client that was. Every operation is O(1). Nothing of what a client sent is kept but ids, topics and
 * filters; these are cut, and clients with ids longer than {@link MAX_ID_LENGTH} are not remembered.
 *
 * Invariants: `#clients` and `#strangers` are in the order of their last change; no entry has neither a close nor a denial.
 */
export class ClientHistory {
  readonly #clients = new Map<string, Entry>();
  /** By client id: their namespace is not known. */
  readonly #strangers = new Map<string, Entry>();
  readonly #maxClients: number;
  readonly #maxStrangers: number;

  constructor(limits: { readonly maxClients?: number; readonly maxStrangers?: number } = {}) {
    this.#maxClients = limits.maxClients ?? 10_000;
    this.#maxStrangers = limits.maxStrangers ?? 1_000;
  }

  closed(client: KnownClient, close: ClientClose): void {
    const entry = this.#touch(client);
    if (entry === undefined) return;
    const { closes } = entry;
    if (closes.length === MAX_CLOSES) closes.shift();
    closes.push(close);
  }

  /** A client that was let in asked for something and was refused. */
  denied(client: KnownClient, action: 'publish' | 'subscribe', subject: string, code: number, atMs: number): void {
    const entry = this.#touch(client);
    if (entry !== undefined) deny(entry, action, subject, code, atMs);
  }

  /** A connection was not let in; `reason` is the operator's, who may be told more than the client. */
  refused(clientId: string, reason: string, code: number, atMs: number): void {
    if (clientId.length > MAX_ID_LENGTH) return;
    let entry = take(this.#strangers, clientId);
    entry ??= { clientId, namespace: '', principalId: '', closes: [], denials: undefined };
    put(this.#strangers, clientId, entry, this.#maxStrangers);
    deny(entry, 'connect', reason, code, atMs);
  }

  /** What is remembered of one client, by the key of its session. */
  of(key: string): RememberedClient | undefined {
    const entry = this.#clients.get(key);
    return entry === undefined ? undefined : seen(entry);
  }

  /** Refused connections that named this client id. */
  stranger(clientId: string): RememberedClient | undefined {
    const entry = this.#strangers.get(clientId);
    return entry === undefined ? undefined : seen(entry);
  }

  /** The last close alone, without a copy of the rest. */
  lastClose(key: string): ClientClose | undefined {
    return this.#clients.get(key)?.closes.at(-1);
  }

  /** The keys of all clients that were let in once and are remembered. */
  keys(): IterableIterator<string> {
    return this.#clients.keys();
  }

  #touch({ key, clientId, principal }: KnownClient): Entry | undefined {
    if (clientId.length > MAX_ID_LENGTH) return undefined;
    let entry = take(this.#clients, key);
    if (entry === undefined) {
      const { id, sessionNamespace } = principal;
      entry = { clientId, namespace: sessionNamespace, principalId: id, closes: [], denials: undefined };
    }
    entry.principalId = principal.id;
    put(this.#clients, key, entry, this.#maxClients);
    return entry;
  }
}

/** Closes and denials of one client that are kept; the older ones go. */
const MAX_CLOSES = 5;
const MAX_DENIALS = 10;
const MAX_ID_LENGTH = 512;
/** Topics, filters and reasons are cut to so many characters. */
const MAX_SUBJECT_LENGTH = 200;

function take(map: Map<string, Entry>, key: string): Entry | undefined {
  const entry = map.get(key);
  if (entry !== undefined) map.delete(key);
  return entry;
}

/** Adds at the end, the place of the newest, and forgets the oldest where there are too many. */
function put(map: Map<string, Entry>, key: string, entry: Entry, limit: number): void {
  if (map.size >= limit) {
    const oldest = map.keys().next();
    if (oldest.done !== true) map.delete(oldest.value);
  }
  map.set(key, entry);
}

function deny(entry: Entry, action: ClientDenial['action'], whole: string, code: number, atMs: number): void {
  const subject = whole.length > MAX_SUBJECT_LENGTH ? `${whole.slice(0, MAX_SUBJECT_LENGTH).toWellFormed()}…` : whole;
  const denials = (entry.denials ??= []);
  const place = denials.findIndex((each) => each.subject === subject && each.code === code && each.action === action);
  if (place < 0) {
    if (denials.length === MAX_DENIALS) denials.shift();
    denials.push({ action, subject, code, count: 1, lastAtMs: atMs });
    return;
  }
  const denial = denials[place] as Denial; // just found
  denial.count++;
  denial.lastAtMs = atMs;
  // The newest last: what goes on does not leave.
  if (place < denials.length - 1) denials.push(...denials.splice(place, 1));
}

function seen({ clientId, namespace, principalId, closes, denials }: Entry): RememberedClient {
  return { clientId, namespace, principalId, closes: [...closes], denials: denials?.map((each) => ({ ...each })) ?? [] };
}
