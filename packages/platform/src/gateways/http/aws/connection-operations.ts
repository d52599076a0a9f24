import { isValidTopicName } from '@selsyn/wire/topics/topic-name.ts';
import type { AwsAccess } from './aws-access.ts';
import { sendJson } from './aws-answers.ts';
import type { AwsCaller } from './aws-caller.ts';
import { AwsError, forbidden } from './aws-error.ts';
import { type AddOperation, flagOf, numberOf } from './aws-requests.ts';
import { isDoing } from './message-operations.ts';
import { messageProperties } from './message-properties.ts';
import type { ConnectionFacts, Connections } from './messaging.ts';
import { parameterOf } from './raw-query.ts';

export interface ConnectionOperationsDependencies {
  readonly connections: Connections;
  readonly access: AwsAccess;
  /** A program has sent what else the platform sends: that is a change that somebody made. */
  readonly onProgramRequest: (topic: string, caller: AwsCaller) => Promise<void>;
}

const PAGE = { min: 1, max: 200 };
const DEFAULT_PAGE = 20;
const TIMEOUT_SEC = { min: 1, max: 15 };
const DEFAULT_TIMEOUT_SEC = 5;
/** Looks no further: what is older is only remembered. */
const REMEMBERED_MS = 30 * 60_000;

/** GetConnection, DeleteConnection, ListSubscriptions, SendDirectMessage: for programs, not for devices. */
export function addConnectionOperations(
  add: AddOperation,
  { connections, access, onProgramRequest }: ConnectionOperationsDependencies,
  now: () => number,
): void {
  /** The clients with this id that the caller may see, one that is connected first. */
  const seen = async (caller: AwsCaller, clientId: string, what: 'read' | 'write'): Promise<readonly ConnectionFacts[]> => {
    const permission = what === 'read' ? 'clients:read' : 'clients:write';
    access.ensureSomewhere(caller, permission);
    if (clientId.startsWith('$')) throw new AwsError('InvalidRequestException', 'Invalid client id');
    const found = await connections.find(clientId);
    const devices = await access.seen(caller, permission, found.map(ownerOf));
    const visible = found.filter((client) => devices.has(ownerOf(client)));
    return visible.toSorted((one, other) => Number(other.state === 'connected') - Number(one.state === 'connected'));
  };

  add('GET', '/connections/:clientId', async ({ caller, params, query }, reply) => {
    const [client] = await seen(caller, params['clientId'] ?? '', 'read');
    if (client === undefined || isForgotten(client, now())) throw noClient();
    return await sendJson(reply, connectionJson(client, flagOf(query, 'includeSocketInformation')));
  });

  add('DELETE', '/connections/:clientId', async ({ caller, params, query }, reply) => {
    const clientId = params['clientId'] ?? '';
    const session = flagOf(query, 'cleanSession') ? 'discard' : 'keep';
    const withWill = !flagOf(query, 'preventWillMessage');
    const found = await seen(caller, clientId, 'write');
    const principals = found.map(({ principalId }) => principalId);
    const count = found.length === 0 ? 0 : await connections.disconnect(clientId, session, principals, withWill);
    if (count === 0) throw noClient();
    return await sendJson(reply, {});
  });

  add('GET', '/connections/:clientId/subscriptions', async ({ caller, params, query }, reply) => {
    const limit = numberOf(query, 'maxResults', PAGE) ?? DEFAULT_PAGE;
    const [client] = await seen(caller, params['clientId'] ?? '', 'read');
    if (client === undefined || client.state === 'gone') throw noClient();
    const after = filterOfCursor(parameterOf(query, 'nextToken'));
    const rest = client.filters
      .toSorted((one, other) => (one.filter < other.filter ? -1 : 1))
      .filter(({ filter }) => after === undefined || filter > after);
    const page = rest.slice(0, limit);
    const last = rest.length > limit ? page.at(-1) : undefined;
    return await sendJson(reply, {
      subscriptions: page.map(({ filter, qos }) => ({ topicFilter: filter, qos })),
      ...(last !== undefined && { nextToken: Buffer.from(last.filter, 'utf8').toString('base64url') }),
    });
  });

  add('POST', '/connections/:clientId/messages', async ({ caller, params, query, headers, body }, reply) => {
    const clientId = params['clientId'] ?? '';
    const topic = parameterOf(query, 'topic') ?? '';
    if (!isValidTopicName(topic)) throw new AwsError('InvalidRequestException', 'Invalid topic');
    const properties = messageProperties(query, headers);
    const timeoutSec = numberOf(query, 'timeout', TIMEOUT_SEC) ?? DEFAULT_TIMEOUT_SEC;
    const confirmMs = flagOf(query, 'confirmation') ? timeoutSec * 1_000 : undefined;
    const found = await seen(caller, clientId, 'write');
    await access.ensureTopic(caller, topic, 'publish');
    const principals = found.map(({ principalId }) => principalId);
    if (found.length > 0 && isDoing(caller, topic)) await onProgramRequest(topic, caller);
    const sending = { clientId, principals, topic, payload: body, properties, confirmMs };
    switch (found.length === 0 ? 'no-client' : await connections.sendDirect(sending)) {
      case 'sent':
        return await sendJson(reply, { message: 'OK', traceId: reply.getHeader('x-amzn-RequestId') });
      case 'unconfirmed':
        throw new AwsError('GatewayTimeoutException', 'The client did not confirm the delivery in time');
      case 'not-allowed':
        throw forbidden();
      case 'busy':
        throw new AwsError('ThrottlingException', 'Too many messages wait for the client');
      case 'no-client':
        throw noClient();
    }
  });
}

/** Whom a client concerns: the device that it signed in as; where it was never let in, the one whose name it used. */
function ownerOf({ principalId, clientId }: ConnectionFacts): string {
  return principalId === '' ? clientId : principalId;
}

function isForgotten({ state, lastClose }: ConnectionFacts, nowMs: number): boolean {
  return state === 'gone' && (lastClose === undefined || nowMs - lastClose.atMs > REMEMBERED_MS);
}

/** Source: https://docs.aws.amazon.com/iot/latest/apireference/API_iotdata_GetConnection.html; its times are ms. */
function connectionJson(client: ConnectionFacts, withSocket: boolean): object {
  const { clientId, principalId, state, remoteAddress, sinceMs, persistent, lastClose } = client;
  const connected = state === 'connected';
  return {
    connected,
    clientId,
    ...(principalId !== '' && { thingName: principalId }),
    cleanSession: !persistent,
    ...(withSocket && remoteAddress !== undefined && { sourceIp: remoteAddress }),
    ...(connected && { keepAliveDuration: client.keepAliveSec }),
    ...(connected && sinceMs !== undefined && { connectedSince: sinceMs }),
    ...(!connected && (lastClose?.atMs ?? sinceMs) !== undefined && { disconnectedSince: lastClose?.atMs ?? sinceMs }),
    ...(!connected && lastClose !== undefined && { disconnectReason: disconnectReasonOf(lastClose.reason) }),
    ...(state !== 'gone' && { sessionExpiry: client.sessionExpirySec }),
  };
}

/** AWS's words, see https://docs.aws.amazon.com/iot/latest/developerguide/life-cycle-events.html#connect-disconnect */
function disconnectReasonOf(reason: string): string {
  return REASONS.get(reason) ?? 'CLIENT_ERROR';
}

const REASONS: ReadonlyMap<string, string> = new Map([
  ['client-disconnect', 'CLIENT_INITIATED_DISCONNECT'],
  ['client-disconnect-with-will', 'CLIENT_INITIATED_DISCONNECT'],
  ['connection-lost', 'CONNECTION_LOST'],
  ['taken-over', 'DUPLICATE_CLIENTID'],
  ['keep-alive', 'MQTT_KEEP_ALIVE_TIMEOUT'],
  ['not-authorized', 'FORBIDDEN_ACCESS'],
  ['reauthentication-failed', 'AUTH_ERROR'],
  ['access-withdrawn', 'AUTH_ERROR'],
  ['slow-subscriber', 'THROTTLED'],
  ['not-reading', 'THROTTLED'],
  ['no-room', 'THROTTLED'],
  ['administrative', 'API_INITIATED_DISCONNECT'],
  ['server-shutdown', 'SERVER_INITIATED_DISCONNECT'],
  ['log-failed', 'SERVER_ERROR'],
  ['internal', 'SERVER_ERROR'],
]);

/** @throws AwsError InvalidRequestException */
function filterOfCursor(cursor: string | undefined): string | undefined {
  if (cursor === undefined || cursor === '') return undefined;
  const filter = Buffer.from(cursor, 'base64url').toString('utf8');
  if (Buffer.from(filter, 'utf8').toString('base64url') === cursor) return filter;
  throw new AwsError('InvalidRequestException', 'Invalid nextToken');
}

function noClient(): AwsError {
  return new AwsError('ResourceNotFoundException', 'There is no client with this id');
}
