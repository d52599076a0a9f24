import { describe, expect, it } from 'vitest';
import { ClientHistory, type KnownClient } from './client-history.ts';

function client(clientId: string, namespace = ''): KnownClient {
  return {
    key: `${namespace}\0${clientId}`,
    clientId,
    principal: { id: `principal of ${clientId}`, sessionNamespace: namespace },
  };
}

describe('the history of clients', () => {
  it('keeps the last five closes of a client, the newest last', () => {
    const history = new ClientHistory();
    for (let atMs = 1; atMs <= 7; atMs++) history.closed(client('a'), { reason: 'keep-alive', code: 0x8d, atMs });
    expect(history.of('\0a')?.closes.map(({ atMs }) => atMs)).toEqual([3, 4, 5, 6, 7]);
    expect(history.lastClose('\0a')).toEqual({ reason: 'keep-alive', code: 0x8d, atMs: 7 });
    expect(history.of('\0a')).toMatchObject({ clientId: 'a', namespace: '', principalId: 'principal of a', denials: [] });
  });

  it('counts a denial that comes again, and keeps the ten that came last', () => {
    const history = new ClientHistory();
    for (let n = 0; n < 10; n++) history.denied(client('a'), 'publish', `topic/${n}`, 0x87, n);
    history.denied(client('a'), 'publish', 'topic/0', 0x87, 100);
    history.denied(client('a'), 'subscribe', 'topic/0', 0x87, 101);
    const denials = history.of('\0a')?.denials ?? [];
    expect(denials).toHaveLength(10);
    expect(denials.map(({ subject }) => subject)).not.toContain('topic/1');
    expect(denials.slice(-2)).toEqual([
      { action: 'publish', subject: 'topic/0', code: 0x87, count: 2, lastAtMs: 100 },
      { action: 'subscribe', subject: 'topic/0', code: 0x87, count: 1, lastAtMs: 101 },
    ]);
  });

  it('tells clients of two namespaces apart', () => {
    const history = new ClientHistory();
    history.closed(client('a', 'one'), { reason: 'taken-over', code: 0x8e, atMs: 1 });
    history.denied(client('a', 'two'), 'subscribe', '#', 0x87, 2);
    expect(history.of('one\0a')).toMatchObject({ namespace: 'one', denials: [] });
    expect(history.of('two\0a')).toMatchObject({ namespace: 'two', closes: [] });
    expect(history.lastClose('two\0a')).toBeUndefined();
  });

  it('forgets those that were heard of least recently, and never more than it must', () => {
    const history = new ClientHistory({ maxClients: 3 });
    for (const id of ['a', 'b', 'c']) history.closed(client(id), { reason: 'connection-lost', code: undefined, atMs: 1 });
    history.closed(client('a'), { reason: 'connection-lost', code: undefined, atMs: 2 });
    history.closed(client('d'), { reason: 'connection-lost', code: undefined, atMs: 3 });
    expect([...history.keys()]).toEqual(['\0c', '\0a', '\0d']);
  });

  it('remembers refused connections apart, so that guesses push out no client that was let in', () => {
    const history = new ClientHistory({ maxClients: 2, maxStrangers: 2 });
    history.closed(client('a'), { reason: 'keep-alive', code: 0x8d, atMs: 1 });
    for (let n = 0; n < 100; n++) history.refused(`guess-${n}`, 'the token is another', 0x86, n);
    history.refused('guess-99', 'the token is another', 0x86, 500);
    expect([...history.keys()]).toEqual(['\0a']);
    expect(history.stranger('guess-97')).toBeUndefined();
    expect(history.stranger('guess-99')).toEqual({
      clientId: 'guess-99',
      namespace: '',
      principalId: '',
      closes: [],
      denials: [{ action: 'connect', subject: 'the token is another', code: 0x86, count: 2, lastAtMs: 500 }],
    });
  });

  it('cuts long topics, and gives copies out', () => {
    const history = new ClientHistory();
    history.denied(client('a'), 'publish', 'x'.repeat(60_000), 0x90, 1);
    const first = history.of('\0a');
    history.denied(client('a'), 'publish', 'x'.repeat(60_000), 0x90, 2);
    expect(first?.denials).toEqual([{ action: 'publish', subject: `${'x'.repeat(200)}…`, code: 0x90, count: 1, lastAtMs: 1 }]);
  });

  it('remembers nothing of a client whose id alone would fill the memory', () => {
    const history = new ClientHistory();
    const huge = 'x'.repeat(60_000);
    history.closed(client(huge), { reason: 'keep-alive', code: 0x8d, atMs: 1 });
    history.denied(client(huge), 'publish', 'a', 0x87, 2);
    history.refused(huge, 'unknown', 0x86, 3);
    expect([...history.keys()]).toEqual([]);
    expect(history.stranger(huge)).toBeUndefined();
  });
});
