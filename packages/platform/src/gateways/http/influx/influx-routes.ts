import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { ERRORS, SelsynError } from '../../../kernel/errors.ts';
import type { LogLines } from '../../../kernel/log-lines.ts';
import type { Identities } from '../../../people/identities.ts';
import { inTurns, type PointDoor, refusal, TURN_BYTES, type Written } from '../../../points/point-door.ts';
import { callerOf } from '../door-caller.ts';
import { bodyOf, errorOf, takeRawBodies } from '../raw-body.ts';
import { type Dialect, sendError, sendFault } from './influx-answers.ts';
import { buckets, organizations } from './influx-buckets.ts';
import { answerStatements } from './influx-queries.ts';
import { LineReader, LineSeriesCache } from './line-reader.ts';
import { TimeReader } from './line-time.ts';
import { writeRequestOf } from './write-request.ts';

export interface InfluxRoutesDependencies {
  readonly door: PointDoor;
  readonly identities: Pick<Identities, 'find'>;
  readonly logLines: LogLines;
  readonly version: string;
}

/** Mappings whose series are remembered. */
const MAX_MAPPINGS = 8;
const MAX_STATEMENT_BYTES = 64 * 1024;
const SHOWN_PROBLEMS = 10;

/**
 * What writes to InfluxDB writes here unchanged: the line protocol at the addresses of InfluxDB 1 (`/write`) and 2 (`/api/v2/write`),
 * and what their clients ask before they do.
 */
export function influxRoutes(dependencies: InfluxRoutesDependencies): FastifyPluginAsync {
  const { door, identities, logLines, version } = dependencies;
  const caches = new Map<string, LineSeriesCache>();
  const headers = { 'X-Influxdb-Version': `selsyn-${version}`, 'X-Influxdb-Build': 'Selsyn' };

  async function write(request: FastifyRequest, reply: FastifyReply, dialect: Dialect): Promise<FastifyReply> {
    reply.headers(headers);
    const caller = await callerOf(request, identities);
    door.ensureMayWrite(caller);
    const query = request.query as Readonly<Record<string, unknown>>; // as the parser of queries makes it
    const { precision, mapping, mappingKey } = writeRequestOf(query, dialect);
    using body = await door.bodies.read(bodyOf(request), request.headers['content-encoding']);
    if (body.data.length === 0) {
      return dialect === 'v1' ? reply.code(200).send() : sendFault(reply, dialect, 400, 'writing requires points');
    }
    let series = caches.get(mappingKey);
    if (series === undefined) {
      if (caches.size >= MAX_MAPPINGS) caches.clear();
      caches.set(mappingKey, (series = new LineSeriesCache(mapping)));
    }
    const writer = door.newWriter();
    const reader = new LineReader(body.data, { series, time: new TimeReader(precision), writer, nowMs: door.clock.now() });
    await inTurns(() => reader.read(TURN_BYTES));
    door.countRefused('influx', reader.malformed + reader.refused);
    if (reader.malformed > 0 && (dialect === 'v2' || writer.points === 0 || reader.gaveUp))
      return refuseAll(reply, dialect, reader);
    const written = await door.write(writer, caller, 'influx');
    return answerWritten(reply, dialect, reader, written);
  }

  return async (app) => {
    takeRawBodies(app);
    const dialectOf = (request: FastifyRequest): Dialect => (request.url.startsWith('/api/v2/') ? 'v2' : 'v1');
    app.setErrorHandler((thrown, request, reply) => {
      const error = errorOf(thrown);
      if (ERRORS[error.code].status >= 500) {
        logLines.error({ err: error, code: error.code, method: request.method }, 'points could not be taken');
      }
      return sendError(reply, dialectOf(request), error);
    });

    app.post('/api/v2/write', { schema: { hide: true } }, async (request, reply) => await write(request, reply, 'v2'));
    app.post('/write', { schema: { hide: true } }, async (request, reply) => await write(request, reply, 'v1'));

    const ping = async (_request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> =>
      reply.headers(headers).code(204).send();
    for (const url of ['/ping', '/api/v2/ping']) {
      app.route({ method: ['GET', 'HEAD'], url, exposeHeadRoute: false, schema: { hide: true }, handler: ping });
    }
    app.get('/health', { schema: { hide: true } }, async (_request, reply) =>
      reply
        .headers(headers)
        .header('Content-Type', 'application/json; charset=utf-8')
        .send(JSON.stringify({ name: 'selsyn', message: 'ready for writes', status: 'pass', checks: [], version })),
    );

    app.get('/ready', { schema: { hide: true } }, async (_request, reply) =>
      reply
        .headers(headers)
        .header('Content-Type', 'application/json; charset=utf-8')
        .send(JSON.stringify({ status: 'ready' })),
    );

    const lookUp = (url: string, answer: (parameters: URLSearchParams) => object): void => {
      app.get(url, { schema: { hide: true } }, async (request, reply) => {
        door.ensureMayWrite(await callerOf(request, identities));
        const { searchParams } = new URL(request.url, 'http://localhost');
        const text = JSON.stringify(answer(searchParams));
        return reply.headers(headers).header('Content-Type', 'application/json; charset=utf-8').send(text);
      });
    };
    lookUp('/api/v2/orgs', (parameters) => organizations(parameters.get('org')));
    lookUp('/api/v2/buckets', (parameters) => buckets(parameters.get('name')));
    app.post('/api/v2/buckets', { schema: { hide: true } }, async (request, reply) => {
      reply.headers(headers);
      door.ensureMayWrite(await callerOf(request, identities));
      return sendFault(reply, 'v2', 422, 'there is one store here: every bucket is there already', { code: 'conflict' });
    });

    app.route({
      method: ['GET', 'POST'],
      url: '/query',
      exposeHeadRoute: false,
      schema: { hide: true },
      handler: async (request, reply) => {
        reply.headers(headers);
        const caller = await callerOf(request, identities);
        door.ensureMayWrite(caller);
        const parameters = await parametersOf(request);
        const answer = answerStatements(parameters.get('q') ?? '', parameters.get('db') ?? undefined);
        if (answer === undefined) return sendFault(reply, 'v1', 400, 'missing required parameter "q"');
        return reply.header('Content-Type', 'application/json').send(`${JSON.stringify(answer)}\n`);
      },
    });
  };
}

/** As InfluxDB 2 does where a line is none: nothing is written. InfluxDB 1 does so where no line is one. */
function refuseAll(reply: FastifyReply, dialect: Dialect, { problems }: LineReader): FastifyReply {
  const lines = problems.filter(({ kind }) => kind === 'malformed');
  const message = lines
    .slice(0, SHOWN_PROBLEMS)
    .map((problem) => `${problem.message} (line ${problem.line})`)
    .join('\n');
  return sendFault(reply, dialect, 400, message, { line: lines[0]?.line });
}

/** What could be kept is; InfluxDB says so with 400 (1.x) or 422 (2.x) where that is not all. */
function answerWritten(reply: FastifyReply, dialect: Dialect, reader: LineReader, written: Written): FastifyReply {
  const dropped = reader.malformed + reader.refused + written.refused.reduce((sum, { samples }) => sum + samples, 0);
  if (dropped === 0) return reply.code(204).send();
  const reasons = [
    ...reader.problems.map(({ line, message }) => `${message} (line ${line})`),
    ...written.refused.map((refused) => refusal(refused)),
  ];
  // On one line, as InfluxDB has it: Telegraf puts it into its log.
  const shown = reasons.slice(0, SHOWN_PROBLEMS).join('; ');
  const partial = `partial write: ${shown} dropped=${dropped}`;
  if (dialect === 'v1') return sendFault(reply, dialect, 400, partial);
  return sendFault(reply, dialect, 422, `failure writing points to database: ${partial}`, { line: reader.problems[0]?.line });
}

/** Those of the query, and of a form. */
async function parametersOf(request: FastifyRequest): Promise<URLSearchParams> {
  const parameters = new URL(request.url, 'http://localhost').searchParams;
  if (request.method !== 'POST') return parameters;
  let bytes = 0;
  const chunks: Buffer[] = [];
  for await (const chunk of bodyOf(request) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_STATEMENT_BYTES) throw new SelsynError('request.too-large', 'a statement is too long');
    chunks.push(chunk);
  }
  for (const [name, value] of new URLSearchParams(Buffer.concat(chunks).toString())) parameters.set(name, value);
  return parameters;
}
