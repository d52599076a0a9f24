import type { FastifyReply } from 'fastify';
import type { Caller } from '../../../kernel/thread-channel.ts';
import type { ShadowCalls } from '../../../shadows/shadow-calls.ts';
import type { ShadowStore } from '../../../shadows/shadow-store.ts';
import { isShadowName } from '../../../shadows/shadow-topics.ts';
import type { AwsAccess } from './aws-access.ts';
import { sendErrorBody, sendJson } from './aws-answers.ts';
import { AwsError, nameOfStatus } from './aws-error.ts';
import { type AddOperation, type AwsRequest, numberOf } from './aws-requests.ts';
import { parameterOf } from './raw-query.ts';

export interface ShadowOperationsDependencies {
  readonly shadows: Caller<Pick<ShadowCalls, 'awsShadow'>>;
  readonly shadowStore: Pick<ShadowStore, 'list'>;
  readonly access: AwsAccess;
  readonly now: () => number;
}

/** AWS's limits of ListNamedShadowsForThing. */
const PAGE = { min: 1, max: 100 };
const DEFAULT_PAGE = 25;
const MAX_CURSOR = 256;

/** GetThingShadow, UpdateThingShadow, DeleteThingShadow, ListNamedShadowsForThing. */
export function addShadowOperations(add: AddOperation, dependencies: ShadowOperationsDependencies): void {
  const { shadows, shadowStore, access, now } = dependencies;
  const serve = async (
    operation: 'get' | 'update' | 'delete',
    request: AwsRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> => {
    const { params, query, caller, body } = request;
    const name = parameterOf(query, 'name') ?? '';
    if (name !== '' && !isShadowName(name)) throw new AwsError('InvalidRequestException', 'Invalid shadow name');
    const thing = params['thing'] ?? '';
    const topic = `$aws/things/${thing}/shadow${name === '' ? '' : `/name/${name}`}/${operation}`;
    const device = await access.ensureThing(caller, thing, {
      permission: operation === 'get' ? 'shadows:read' : 'shadows:write',
      publish: topic,
      // A device that may not hear the answer by MQTT gets nothing to read here either.
      ...(operation === 'get' && { receive: `${topic}/accepted` }),
    });
    const payload = operation === 'update' ? body : EMPTY;
    const answer = await shadows.call('awsShadow', { device, shadow: name, operation, payload, actor: caller.actor });
    if (answer.status < 300) return await sendJson(reply, answer.body);
    return await sendErrorBody(reply, nameOfStatus(answer.status), answer.status, answer.body);
  };
  add('GET', '/things/:thing/shadow', async (request, reply) => await serve('get', request, reply));
  add('POST', '/things/:thing/shadow', async (request, reply) => await serve('update', request, reply));
  add('DELETE', '/things/:thing/shadow', async (request, reply) => await serve('delete', request, reply));

  add('GET', '/api/things/shadow/ListNamedShadowsForThing/:thing', async ({ params, query, caller }, reply) => {
    const thing = params['thing'] ?? '';
    const device = await access.ensureThing(caller, thing, {
      permission: 'shadows:read',
      subscribe: `$aws/things/${thing}/shadow/name/+/get/accepted`,
    });
    const limit = numberOf(query, 'pageSize', PAGE) ?? DEFAULT_PAGE;
    const after = nameOfCursor(parameterOf(query, 'nextToken'));
    // The classic one has no name, and is the first.
    const found = await shadowStore.list(device, { after: after ?? '', limit: limit + 1 });
    if (found.length === 0) await access.ensureKnown(device);
    const results = found.slice(0, limit).map(({ shadow }) => shadow);
    const last = found.length > limit ? results.at(-1) : undefined;
    return await sendJson(reply, {
      results,
      timestamp: Math.floor(now() / 1_000),
      ...(last !== undefined && { nextToken: Buffer.from(last, 'utf8').toString('base64url') }),
    });
  });
}

const EMPTY = new Uint8Array();

/** @throws AwsError InvalidRequestException */
function nameOfCursor(cursor: string | undefined): string | undefined {
  if (cursor === undefined || cursor === '') return undefined;
  const name = Buffer.from(cursor, 'base64url').toString('utf8');
  if (cursor.length <= MAX_CURSOR && Buffer.from(name, 'utf8').toString('base64url') === cursor) return name;
  throw new AwsError('InvalidRequestException', 'Invalid nextToken');
}
