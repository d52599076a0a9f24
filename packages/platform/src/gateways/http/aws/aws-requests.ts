import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import type { AwsAuthentication, BegunRequest } from './aws-authentication.ts';
import type { AwsCaller } from './aws-caller.ts';
import { AwsError } from './aws-error.ts';
import { parameterOf, type RawQuery, splitTarget } from './raw-query.ts';

/** A request whose sender is known. */
export interface AwsRequest {
  readonly caller: AwsCaller;
  /** As it came. */
  readonly path: string;
  readonly query: RawQuery;
  /** Of the path, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly headers: FastifyRequest['headers'];
  readonly body: Uint8Array;
}

export type AwsHandler = (request: AwsRequest, reply: FastifyReply) => Promise<FastifyReply>;

/** The operations of an interface, as they are added to it. */
export type AddOperation = (method: HTTPMethods, url: string, handler: AwsHandler) => void;

const EMPTY = new Uint8Array();
/** Of one device, over all its connections: as many as it may have under way on one of MQTT. */
const MAX_OF_A_DEVICE = 10;

/**
 * Serves operations: who asks is found out before the body is read as far as that can be, and wholly before the operation begins.
 *
 * @param maxBodyBytes of the largest payload.
 */
export function operationsOf(app: FastifyInstance, authentication: AwsAuthentication, maxBodyBytes: number): AddOperation {
  const begun = new WeakMap<FastifyRequest, BegunRequest>();
  const underWay = new Map<string, number>();
  /** @throws AwsError ThrottlingException */
  const inTurn = async (caller: AwsCaller, work: () => Promise<FastifyReply>): Promise<FastifyReply> => {
    if (caller.kind !== 'device') return await work();
    const { id } = caller.access;
    const count = underWay.get(id) ?? 0;
    if (count >= MAX_OF_A_DEVICE) throw new AwsError('ThrottlingException', 'Too many requests are under way');
    underWay.set(id, count + 1);
    try {
      return await work();
    } finally {
      const left = (underWay.get(id) ?? 1) - 1;
      if (left === 0) underWay.delete(id);
      else underWay.set(id, left);
    }
  };
  return (method, url, handler) => {
    app.route<{ Params: Record<string, string>; Body: unknown }>({
      method,
      url,
      bodyLimit: maxBodyBytes,
      exposeHeadRoute: false,
      schema: { hide: true },
      onRequest: async (request) => {
        begun.set(request, await authentication.begin(request));
      },
      handler: async (request, reply) => {
        const known = begun.get(request);
        if (known === undefined) throw new AwsError('InternalFailureException', 'Internal service failure');
        const body = request.body instanceof Uint8Array ? request.body : EMPTY;
        const caller = await authentication.end(known, request, body);
        const { params, headers } = request;
        const { path } = splitTarget(known.shown.target);
        const asked = { caller, path, query: known.query, params, headers, body };
        return await inTurn(caller, async () => await handler(asked, reply));
      },
    });
  };
}

/** @throws AwsError InvalidRequestException */
export function numberOf(
  query: RawQuery,
  name: string,
  bounds: { readonly min: number; readonly max: number },
): number | undefined {
  const text = parameterOf(query, name);
  if (text === undefined || text === '') return undefined;
  const value = /^\d{1,12}$/.test(text) ? Number(text) : NaN;
  if (value >= bounds.min && value <= bounds.max) return value;
  throw new AwsError('InvalidRequestException', `${name} must be a whole number from ${bounds.min} to ${bounds.max}`);
}

/** @throws AwsError InvalidRequestException */
export function flagOf(query: RawQuery, name: string): boolean {
  const text = parameterOf(query, name)?.toLowerCase();
  if (text === undefined || text === '' || text === 'false') return false;
  if (text === 'true') return true;
  throw new AwsError('InvalidRequestException', `${name} must be true or false`);
}
