import { expect, test } from 'vitest';
import type { ClientDetail, ClientListQuery } from '../broker/inspection.ts';
import { compareClients, firstClients } from '../broker/client-order.ts';
import { ThreadClients, type ClientThread } from './thread-clients.ts';

const BARE: ClientDetail = {
  clientId: 'd1',
  namespace: 'd1',
  principalId: 'd1',
  connected: false,
  version: 5,
  door: undefined,
  remoteAddress: undefined,
  sinceMs: undefined,
  persistent: false,
  subscriptions: 0,
  queuedMessages: 0,
  inFlight: 0,
  lastClose: undefined,
  keepAliveSec: 0,
  sessionExpirySec: 0,
  receiveMaximum: 0,
  queuedBytes: 0,
  willTopic: undefined,
  filters: [],
  messagesReceived: 0,
  messagesSent: 0,
  messagesDropped: 0,
  closes: [],
  denials: [],
};

function client(clientId: string, fields: Partial<ClientDetail> = {}): ClientDetail {
  const { closes = [] } = fields;
  return { ...BARE, clientId, namespace: clientId, principalId: clientId, lastClose: closes.at(-1), ...fields };
}

/** A thread that has these clients. */
class FakeThread implements ClientThread {
  readonly #all: readonly ClientDetail[];
  readonly disconnected: string[] = [];

  constructor(all: readonly ClientDetail[]) {
    this.#all = all;
  }

  async clients({ prefix, state, after, limit }: ClientListQuery): ReturnType<ClientThread['clients']> {
    const asked = this.#all.filter(
      ({ clientId, connected }) => clientId.startsWith(prefix) && (state === undefined || connected === (state === 'connected')),
    );
    return {
      clients: firstClients(asked, { after, limit }),
      connected: this.#all.filter(({ connected }) => connected).length,
      offline: this.#all.filter(({ connected, persistent }) => !connected && persistent).length,
    };
  }

  async recallClients(places: Parameters<ClientThread['recallClients']>[0]): ReturnType<ClientThread['recallClients']> {
    return places.map((place) => {
      const found = this.#all.find((each) => compareClients(each, place) === 0);
      return { connected: found?.connected ?? false, lastClose: found?.lastClose };
    });
  }

  async client(clientId: string): Promise<readonly ClientDetail[]> {
    return this.#all.filter((each) => each.clientId === clientId);
  }

  async disconnectClient({ clientId, discard }: Parameters<ClientThread['disconnectClient']>[0]): Promise<number> {
    this.disconnected.push(`${clientId} ${discard}`);
    return this.#all.filter((each) => each.clientId === clientId).length;
  }
}

const lost = (atMs: number): ClientDetail['closes'][number] => ({ reason: 'connection-lost', code: undefined, atMs });
const list = { prefix: '', state: undefined, limit: 100, cursor: undefined } as const;

test('the clients of all threads are one list, page by page, each once', async () => {
  const clients = new ThreadClients([
    new FakeThread([client('a', { connected: true }), client('c', { persistent: true }), client('e', { connected: true })]),
    new FakeThread([client('b', { connected: true }), client('d', { connected: true }), client('c2', { persistent: true })]),
  ]);
  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await clients.list({ ...list, limit: 2, cursor });
    expect(page.totals).toEqual({ connected: 4, offline: 2 });
    seen.push(page.items.map(({ clientId, state }) => `${clientId} ${state}`).join(', '));
    cursor = page.cursor;
  } while (cursor !== undefined);
  expect(seen).toEqual(['a connected, b connected', 'c offline, c2 offline', 'd connected, e connected']);
});

test('a client that was in one thread and is in another is shown where it is, with its memories of both', async () => {
  const denial = { action: 'publish', subject: 'x', code: 0x87, count: 2, lastAtMs: 50 } as const;
  const here = client('d1', { connected: true, sinceMs: 100, closes: [lost(20)], denials: [denial] });
  const before = client('d1', {
    closes: [lost(10), { reason: 'keep-alive', code: 0x8d, atMs: 90 }],
    denials: [{ ...denial, lastAtMs: 80 }],
  });
  const clients = new ThreadClients([new FakeThread([before]), new FakeThread([here])]);
  const lastClose = {
    reason: 'keep-alive',
    text: 'nothing came within one and a half times the keep-alive',
    code: 0x8d,
    atMs: 90,
  };
  expect((await clients.list(list)).items).toMatchObject([{ clientId: 'd1', state: 'connected', sinceMs: 100, lastClose }]);
  expect((await clients.list({ ...list, state: 'connected' })).items).toMatchObject([{ clientId: 'd1', lastClose }]);
  expect((await clients.list({ ...list, state: 'offline' })).items).toEqual([]);
  const [shown, ...others] = await clients.find('d1');
  expect(others).toEqual([]);
  expect(shown).toMatchObject({
    state: 'connected',
    closes: [{ atMs: 10 }, { atMs: 20 }, { atMs: 90 }],
    denials: [{ subject: 'x', count: 4, lastAtMs: 80, text: '0x87 not authorized' }],
  });
});

test('devices that use the same client id are told apart', async () => {
  const clients = new ThreadClients([
    new FakeThread([client('esp', { namespace: 'one', principalId: 'one', connected: true })]),
    new FakeThread([client('esp', { namespace: 'two', principalId: 'two', persistent: true })]),
  ]);
  const shown = (await clients.find('esp')).map(({ principalId, state }) => `${principalId} ${state}`);
  expect(shown).toEqual(['one connected', 'two offline']);
  const first = await clients.list({ ...list, limit: 1 });
  const second = await clients.list({ ...list, limit: 1, cursor: first.cursor });
  expect([first, second].map(({ items }) => items[0]?.principalId)).toEqual(['one', 'two']);
  expect(second.cursor).toBeUndefined();
});

test('a refused connection is told with the one client of that id, and by itself where there is none', async () => {
  const denials = [{ action: 'connect', subject: 'bad token', code: 0x86, count: 3, lastAtMs: 5 }] as const;
  const stranger = { ...client('d1', { denials }), namespace: '', principalId: '', version: undefined };
  const known = new ThreadClients([new FakeThread([stranger]), new FakeThread([client('d1', { connected: true })])]);
  expect(await known.find('d1')).toMatchObject([
    { principalId: 'd1', state: 'connected', denials: [{ action: 'connect', count: 3 }] },
  ]);
  const unknown = new ThreadClients([new FakeThread([stranger]), new FakeThread([stranger])]);
  const [alone] = await unknown.find('d1');
  expect(alone).toMatchObject({ principalId: '', state: 'gone', denials: [{ action: 'connect', count: 6 }] });
  expect(alone).not.toHaveProperty('protocol');
  expect(await unknown.find('d2')).toEqual([]);
});

test('a disconnect goes to all threads', async () => {
  const threads = [new FakeThread([client('d1')]), new FakeThread([client('d1'), client('d2')])];
  expect(await new ThreadClients(threads).disconnect('d1', 'discard')).toBe(2);
  expect(threads.map(({ disconnected }) => disconnected)).toEqual([['d1 true'], ['d1 true']]);
});

test.each(['!', 'YQ', 'YQBiAGM'])('the cursor %s is refused', async (cursor) => {
  const clients = new ThreadClients([new FakeThread([])]);
  await expect(clients.list({ ...list, cursor })).rejects.toMatchObject({ code: 'request.invalid' });
});
