import type { GatewayCalls } from './gateway-thread.ts';
import type { Thread } from './thread.ts';
import type {
  ClientCloseJson,
  ClientDenialJson,
  ClientDetailJson,
  ClientDirectory,
  ClientJson,
  ClientPageJson,
  ClientQuery,
} from '../api/client-directory.ts';
import { compareClients } from '../broker/client-order.ts';
import type {
  ClientClose,
  ClientDenial,
  ClientDetail,
  ClientList,
  ClientListQuery,
  ClientPlace,
  ClientRecall,
  ClientSummary,
} from '../broker/inspection.ts';
import { CLOSE_WORDS, codeWords } from '../broker/reason-words.ts';
import { SelsynError } from '../kernel/errors.ts';

/** What is asked of each gateway thread. */
export interface ClientThread {
  clients(query: ClientListQuery): Promise<ClientList>;
  /** One answer a place, in their order. */
  recallClients(places: readonly ClientPlace[]): Promise<readonly ClientRecall[]>;
  client(clientId: string): Promise<readonly ClientDetail[]>;
  disconnectClient(request: {
    readonly clientId: string;
    readonly discard: boolean;
    /** Only those who signed in as one of these; undefined: all. */
    readonly principals: readonly string[] | undefined;
    /** False: their last wills are not published. */
    readonly withWill?: boolean | undefined;
  }): Promise<number>;
}

/**
 * The clients of all gateway threads as one list.
 *
 * A client without a persistent session may be in another thread each time it connects, and what is remembered of it stays where it
 * was: so an entry is what the thread knows that has the client now, with the memories of all.
 */
export class ThreadClients implements ClientDirectory {
  readonly #threads: readonly ClientThread[];

  constructor(threads: readonly ClientThread[]) {
    this.#threads = threads;
  }

  async list({ prefix, state, limit, cursor }: ClientQuery): Promise<ClientPageJson> {
    const query = { prefix, state, limit: limit + 1, after: cursor === undefined ? undefined : placeOfCursor(cursor) };
    const lists = await Promise.all(this.#threads.map(async (thread) => await thread.clients(query)));
    const found = group(lists.flatMap(({ clients }) => clients))
      .map((same) => pick(same))
      .sort(compareClients);
    const page = found.slice(0, limit);
    const last = found.length > limit ? page.at(-1) : undefined;
    const recalls = await this.#recall(page);
    const items = page.flatMap((client, n) => {
      const recall = recalls[n];
      // One that is only remembered here, and is connected elsewhere.
      if (state === 'offline' && recall?.connected === true) return [];
      return [summaryJson({ ...client, lastClose: recall?.lastClose ?? client.lastClose })];
    });
    const totals = { connected: 0, offline: 0 };
    for (const { connected, offline } of lists) {
      totals.connected += connected;
      totals.offline += offline;
    }
    return { items, totals, ...(last !== undefined && { cursor: cursorOf(last) }) };
  }

  async find(clientId: string): Promise<readonly ClientDetailJson[]> {
    const details = (await Promise.all(this.#threads.map(async (thread) => await thread.client(clientId)))).flat();
    // Who was refused signed in as nobody: where one client has this id, it is likely that one.
    const strangers = details.filter(isStranger);
    const known = group(details.filter((detail) => !isStranger(detail)));
    if (known.length === 1) known[0]?.push(...strangers);
    else if (strangers.length > 0) known.push(strangers);
    return known.map(merged).sort(compareClients).map(detailJson);
  }

  async disconnect(
    clientId: string,
    session: 'keep' | 'discard',
    principals?: readonly string[],
    withWill = true,
  ): Promise<number> {
    const discard = session === 'discard';
    const counts = await Promise.all(
      this.#threads.map(async (thread) => await thread.disconnectClient({ clientId, discard, principals, withWill })),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** What all threads know of these clients: whether any has it, and the newest close. */
  async #recall(places: readonly ClientSummary[]): Promise<readonly ClientRecall[]> {
    if (this.#threads.length < 2 || places.length === 0) return [];
    const asked = places.map(({ clientId, namespace }) => ({ clientId, namespace }));
    const answers = await Promise.all(this.#threads.map(async (thread) => await thread.recallClients(asked)));
    return asked.map((_, n) => {
      const recalls = answers.flatMap((answer) => answer[n] ?? []);
      return {
        connected: recalls.some(({ connected }) => connected),
        lastClose: newest(recalls.flatMap(({ lastClose }) => lastClose ?? [])).at(-1),
      };
    });
  }
}

/** Closes and denials of one client that are shown. */
const MAX_CLOSES = 5;
const MAX_DENIALS = 10;

function isStranger({ principalId }: ClientSummary): boolean {
  return principalId === '';
}

/** Those that are the same client, whatever thread they come from. */
function group<C extends ClientPlace>(clients: readonly C[]): C[][] {
  const groups = new Map<string, C[]>();
  for (const client of clients) {
    const key = `${client.namespace}\0${client.clientId}`;
    const same = groups.get(key);
    if (same === undefined) groups.set(key, [client]);
    else same.push(client);
  }
  return [...groups.values()];
}

/** The entry of the thread that has the client, or its session, or saw it last. */
function pick<C extends ClientSummary>(same: readonly C[]): C {
  return same.toSorted((a, b) => rank(b) - rank(a) || (b.lastClose?.atMs ?? 0) - (a.lastClose?.atMs ?? 0))[0] as C; // never empty
}

function rank({ connected, persistent, principalId }: ClientSummary): number {
  return connected ? 3 : persistent ? 2 : principalId === '' ? 0 : 1;
}

function merged(same: readonly ClientDetail[]): ClientDetail {
  const closes = newest(same.flatMap((each) => each.closes)).slice(-MAX_CLOSES);
  return { ...pick(same), closes, denials: joinDenials(same.flatMap((each) => each.denials)), lastClose: closes.at(-1) };
}

function newest(closes: readonly ClientClose[]): ClientClose[] {
  return closes.toSorted((a, b) => a.atMs - b.atMs);
}

function joinDenials(denials: readonly ClientDenial[]): ClientDenial[] {
  const joined = new Map<string, ClientDenial>();
  for (const denial of denials) {
    const key = `${denial.action} ${denial.code} ${denial.subject}`;
    const before = joined.get(key);
    if (before === undefined) joined.set(key, denial);
    else {
      const lastAtMs = Math.max(before.lastAtMs, denial.lastAtMs);
      joined.set(key, { ...before, count: before.count + denial.count, lastAtMs });
    }
  }
  return [...joined.values()].sort((a, b) => a.lastAtMs - b.lastAtMs).slice(-MAX_DENIALS);
}

/** U+0000 stands in no client id, and the cursor says nothing to whoever reads it. */
function cursorOf({ clientId, namespace }: ClientPlace): string {
  return Buffer.from(`${clientId}\0${namespace}`).toString('base64url');
}

function placeOfCursor(cursor: string): ClientPlace {
  const [clientId, namespace, ...more] = Buffer.from(cursor, 'base64url').toString().split('\0');
  if (clientId === undefined || namespace === undefined || more.length > 0) {
    throw new SelsynError('request.invalid', 'the cursor is none that this server gave');
  }
  return { clientId, namespace };
}

function summaryJson(client: ClientSummary): ClientJson {
  const { version, door, remoteAddress, sinceMs, lastClose } = client;
  return {
    clientId: client.clientId,
    principalId: client.principalId,
    state: client.connected ? 'connected' : client.persistent ? 'offline' : 'gone',
    ...(version !== undefined && { protocol: version === 5 ? '5.0' : '3.1.1' }),
    ...(door !== undefined && { door }),
    ...(remoteAddress !== undefined && { remoteAddress }),
    ...(sinceMs !== undefined && { sinceMs }),
    persistent: client.persistent,
    subscriptions: client.subscriptions,
    queuedMessages: client.queuedMessages,
    inFlight: client.inFlight,
    ...(lastClose !== undefined && { lastClose: closeJson(lastClose) }),
  };
}

function detailJson(client: ClientDetail): ClientDetailJson {
  return {
    ...summaryJson(client),
    keepAliveSec: client.keepAliveSec,
    sessionExpirySec: client.sessionExpirySec,
    receiveMaximum: client.receiveMaximum,
    queuedBytes: client.queuedBytes,
    ...(client.willTopic !== undefined && { willTopic: client.willTopic }),
    filters: client.filters.map(({ filter, qos }) => ({ filter, qos })),
    messagesReceived: client.messagesReceived,
    messagesSent: client.messagesSent,
    messagesDropped: client.messagesDropped,
    closes: client.closes.map(closeJson),
    denials: client.denials.map(denialJson),
  };
}

function closeJson({ reason, code, atMs }: ClientClose): ClientCloseJson {
  return { reason, text: CLOSE_WORDS[reason], ...(code !== undefined && { code }), atMs };
}

function denialJson({ action, subject, code, count, lastAtMs }: ClientDenial): ClientDenialJson {
  return { action, subject, code, text: codeWords(code), count, lastAtMs };
}

/** A gateway thread, as one that has clients. */
export function clientThreadOf({ calls }: Thread<GatewayCalls, null>): ClientThread {
  return {
    clients: async (query) => await calls.call('clients', query),
    recallClients: async (places) => await calls.call('recallClients', places),
    client: async (clientId) => await calls.call('client', clientId),
    disconnectClient: async (request) => await calls.call('disconnectClient', request),
  };
}
