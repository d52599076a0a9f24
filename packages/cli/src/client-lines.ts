import type { ClientCloseJson, ClientDenialJson, ClientDetailJson, ClientJson } from '@selsyn/platform/api/client-directory.ts';
import { printable } from './printable.ts';
import { counted, formatAge, formatDuration, formatTable } from './table.ts';

/** One row a client. */
export function clientTable(clients: readonly ClientJson[], nowMs: number): string {
  return formatTable(
    ['client', 'state', 'for', 'from', 'protocol', 'subs', 'queued', 'in flight', 'last close'],
    clients.map((client) => [
      printable(client.clientId),
      client.state,
      client.sinceMs === undefined ? '' : formatAge(nowMs - client.sinceMs),
      [client.door, client.remoteAddress].filter((part) => part !== undefined).join(' '),
      client.protocol ?? '',
      String(client.subscriptions),
      String(client.queuedMessages),
      String(client.inFlight),
      client.lastClose === undefined ? '' : `${client.lastClose.reason}, ${formatAge(nowMs - client.lastClose.atMs)} ago`,
    ]),
  );
}

/** Everything about a client, a fact a line. */
export function clientLines(client: ClientDetailJson, nowMs: number): string {
  return [
    fact('client', printable(client.clientId)),
    fact('principal', client.principalId === '' ? 'none: it was never let in' : printable(client.principalId)),
    fact('state', stateOf(client, nowMs)),
    ...(client.state === 'connected' ? [fact('connection', connectionOf(client))] : []),
    ...(client.state === 'gone' ? [] : sessionFacts(client)),
    ...section(
      'last closes',
      client.closes.toReversed().map((close) => closeRow(close, nowMs)),
    ),
    ...section(
      'denied',
      client.denials.toReversed().map((denial) => denialRow(denial, nowMs)),
    ),
  ].join('\n');
}

function stateOf({ state, sinceMs, persistent }: ClientDetailJson, nowMs: number): string {
  const since = sinceMs === undefined ? '' : ` for ${formatDuration(nowMs - sinceMs)}, since ${new Date(sinceMs).toISOString()}`;
  if (state === 'connected') return `connected${since}`;
  if (state === 'gone') return 'gone: not connected, and without a session';
  return `offline${since}${persistent ? '; its session waits for it' : ''}`;
}

function connectionOf(client: ClientDetailJson): string {
  const { door, remoteAddress, protocol, keepAliveSec } = client;
  return [
    door === undefined ? undefined : DOORS[door],
    remoteAddress === undefined || remoteAddress === '' ? undefined : `from ${remoteAddress}`,
    protocol === undefined ? undefined : `MQTT ${protocol}`,
    keepAliveSec === 0 ? 'no keep-alive' : `keep-alive ${keepAliveSec} s`,
  ]
    .filter((part) => part !== undefined)
    .join(', ');
}

const DOORS = {
  tcp: 'TCP',
  tls: 'TLS',
  ws: 'WebSocket',
  wss: 'WebSocket over TLS',
  unix: 'Unix socket',
} as const satisfies Record<NonNullable<ClientJson['door']>, string>;

/** The largest session expiry means never (MQTT 5.0, 3.1.2.11.2). */
const NEVER_EXPIRES_SEC = 0xffff_ffff;

function sessionFacts(client: ClientDetailJson): string[] {
  const { persistent, sessionExpirySec, filters, willTopic } = client;
  const kept =
    sessionExpirySec === NEVER_EXPIRES_SEC
      ? 'kept for ever'
      : `kept for ${formatDuration(sessionExpirySec * 1000)} after its connection`;
  const waiting = `${counted(client.queuedMessages, 'message')} (${counted(client.queuedBytes, 'byte')}) waiting`;
  const dropped = `${count(client.messagesDropped)} dropped since the session began`;
  const isConnected = client.state === 'connected';
  return [
    fact('session', persistent ? kept : 'ends with its connection'),
    fact('queue', isConnected ? `${waiting}, ${client.inFlight} in flight of at most ${client.receiveMaximum}` : waiting),
    fact(
      'messages',
      isConnected
        ? `${count(client.messagesReceived)} received and ${count(client.messagesSent)} sent in this connection, ${dropped}`
        : dropped,
    ),
    ...(willTopic === undefined ? [] : [fact('will', `on ${printable(willTopic)}`)]),
    ...(filters.length === 0 ? [fact('subscribed', 'to nothing')] : []),
    ...section(
      'subscribed',
      filters.map(({ filter, qos }) => `QoS ${qos}  ${printable(filter)}`),
    ),
  ];
}

function closeRow({ reason, text, code, atMs }: ClientCloseJson, nowMs: number): string {
  const told = code === undefined ? '' : ` (0x${code.toString(16).padStart(2, '0')})`;
  return `${new Date(atMs).toISOString()}, ${formatAge(nowMs - atMs)} ago  ${reason}: ${text}${told}`;
}

function denialRow({ action, subject, text, count: times, lastAtMs }: ClientDenialJson, nowMs: number): string {
  const often = times === 1 ? '' : `${counted(times, 'time')}, last `;
  return `${action} ${printable(subject)}: ${text}, ${often}${formatAge(nowMs - lastAtMs)} ago`;
}

function section(name: string, rows: readonly string[]): string[] {
  return rows.map((row, n) => fact(n === 0 ? name : '', row));
}

function fact(name: string, value: string): string {
  return `${name.padEnd(12)} ${value}`.trimEnd();
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}
