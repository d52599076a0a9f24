import type { ClientDetailJson } from '@selsyn/platform/api/client-directory.ts';
import { expect, test } from 'vitest';
import { clientLines, clientTable } from './client-lines.ts';

const NOW = Date.UTC(2026, 0, 31, 12);

const CLIENT: ClientDetailJson = {
  clientId: 'd1',
  principalId: 'device-1',
  state: 'connected',
  protocol: '5.0',
  door: 'wss',
  remoteAddress: '192.0.2.7',
  sinceMs: NOW - 125_000,
  persistent: true,
  subscriptions: 2,
  queuedMessages: 1,
  inFlight: 3,
  keepAliveSec: 60,
  sessionExpirySec: 3600,
  receiveMaximum: 20,
  queuedBytes: 75,
  willTopic: 'devices/d1/gone',
  filters: [
    { filter: 'devices/d1/#', qos: 1 },
    { filter: 'telemetry/d1', qos: 0 },
  ],
  messagesReceived: 1500,
  messagesSent: 2,
  messagesDropped: 0,
  closes: [
    { reason: 'connection-lost', text: 'the connection was lost', atMs: NOW - 7_200_000 },
    { reason: 'keep-alive', text: 'nothing came', code: 0x8d, atMs: NOW - 130_000 },
  ],
  denials: [
    { action: 'subscribe', subject: '#', code: 0x87, text: '0x87 not authorized', count: 1, lastAtMs: NOW - 5_000 },
    { action: 'publish', subject: 'a\u001bb', code: 0x87, text: '0x87 not authorized', count: 12, lastAtMs: NOW - 3_000 },
  ],
};

test('a client that is connected: its connection, its session, and what went wrong, the newest first', () => {
  expect(clientLines(CLIENT, NOW).split('\n')).toEqual([
    'client       d1',
    'principal    device-1',
    'state        connected for 2 min 5 s, since 2026-01-31T11:57:55.000Z',
    'connection   WebSocket over TLS, from 192.0.2.7, MQTT 5.0, keep-alive 60 s',
    'session      kept for 1 h 0 min after its connection',
    'queue        1 message (75 bytes) waiting, 3 in flight of at most 20',
    'messages     1,500 received and 2 sent in this connection, 0 dropped since the session began',
    'will         on devices/d1/gone',
    'subscribed   QoS 1  devices/d1/#',
    '             QoS 0  telemetry/d1',
    'last closes  2026-01-31T11:57:50.000Z, 2 min ago  keep-alive: nothing came (0x8d)',
    '             2026-01-31T10:00:00.000Z, 2 h ago  connection-lost: the connection was lost',
    'denied       publish a\\u{1b}b: 0x87 not authorized, 12 times, last 3 s ago',
    '             subscribe #: 0x87 not authorized, 5 s ago',
  ]);
});

test('one that is offline, and one that is only remembered', () => {
  const bare = { clientId: 'd1', closes: [], denials: [], filters: [] };
  const { willTopic: _will, ...rest } = CLIENT;
  const offline = clientLines({ ...rest, ...bare, state: 'offline', sessionExpirySec: 0xffff_ffff }, NOW);
  expect(offline).toContain('state        offline for 2 min 5 s, since 2026-01-31T11:57:55.000Z; its session waits for it\n');
  expect(offline).toContain('session      kept for ever\n');
  expect(offline).toContain('queue        1 message (75 bytes) waiting\n');
  expect(offline).toContain('messages     0 dropped since the session began\n');
  expect(offline).toContain('subscribed   to nothing');
  expect(offline).not.toMatch(/connection  |will|last closes|denied/);
  const gone = clientLines({ ...rest, ...bare, state: 'gone', principalId: '', persistent: false }, NOW);
  expect(gone.split('\n')).toEqual([
    'client       d1',
    'principal    none: it was never let in',
    'state        gone: not connected, and without a session',
  ]);
});

test('a list is a row for each client', () => {
  const { lastClose: _none, ...quiet } = { ...CLIENT, lastClose: undefined };
  const { sinceMs: _since, door: _door, remoteAddress: _address, protocol: _protocol, ...unknown } = quiet;
  const rows = clientTable(
    [
      { ...quiet, lastClose: { reason: 'keep-alive', text: 'nothing came', code: 0x8d, atMs: NOW - 130_000 } },
      { ...unknown, clientId: 'd\u00072', state: 'gone' },
    ],
    NOW,
  ).split('\n');
  expect(rows).toEqual([
    'client   state      for    from           protocol  subs  queued  in flight  last close',
    '-------  ---------  -----  -------------  --------  ----  ------  ---------  ---------------------',
    'd1       connected  2 min  wss 192.0.2.7       5.0     2       1          3  keep-alive, 2 min ago',
    'd\\u{7}2  gone                                          2       1          3',
  ]);
});
