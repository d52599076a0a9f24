import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { scopeOf } from '../people/caller.ts';
import { SQL_FORMATS, type SqlAnswer, type SqlFormat } from '../sql/sql-query.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { withinDeadline } from './request-deadline.ts';
import { problems } from './route-responses.ts';

/** With waiting for a turn; the query itself has less. */
const REQUEST_DEADLINE_MS = 15 * 60_000;
/** Well below the time after which a quiet socket is closed. */
const REFRESH_MS = 20_000;
const TYPES: Readonly<Record<SqlFormat, string>> = {
  json: 'application/json; charset=utf-8',
  csv: 'text/csv; charset=utf-8',
  arrow: 'application/vnd.apache.arrow.stream',
  parquet: 'application/vnd.apache.parquet',
};

const bodySchema = z.strictObject({
  sql: z
    .string()
    .min(1)
    .max(32_768)
    // The engine reads to the first of them, and would say nothing of the rest.
    .refine((text) => !text.includes('\0'), 'must not have the character U+0000')
    .describe('One SELECT over `telemetry`, `telemetry_1h`, `telemetry_1d` and `devices`, as DuckDB takes it.'),
  format: z.enum(SQL_FORMATS).default('json'),
  limits: z
    .strictObject({
      rows: z
        .int()
        .min(1)
        .optional()
        .describe('The answer ends after so many rows. Absent: an answer of more rows than the server allows is refused.'),
      seconds: z.number().positive().optional().describe('For the query, less than the server allows.'),
    })
    .default({}),
});

const statisticsSchema = z
  .object({
    fromMs: z.number().optional(),
    toMs: z.number().optional(),
    devices: z.int().optional().describe('Named by the query.'),
    hotPoints: z.int().describe('In memory only.'),
    storedPoints: z.int().describe('In the chunks of day files that were read.'),
    rollupRows: z.int(),
    archiveFiles: z.int(),
    archiveRows: z.int(),
    archiveBytes: z.int(),
    archivedHours: z.int().describe('Hours answered from the archive alone.'),
    waitedMs: z.int(),
    elapsedMs: z.int(),
  })
  .describe('What was read for the query.');

const answerSchema = z.object({
  columns: z.array(z.object({ name: z.string(), type: z.string() })),
  rows: z.array(z.array(z.unknown())).describe('Times as ISO 8601 (UTC); whole numbers beyond 2^53 as text.'),
  limited: z.boolean().describe('The rows end because of `limits.rows`: there may be more.'),
  statistics: statisticsSchema,
});

/** SQL over telemetry. */
export function sqlRoutes({ sql }: Pick<ApiDependencies, 'sql'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.post(
      '/sql',
      {
        config: { permission: 'telemetry:read' },
        schema: {
          operationId: 'runSql',
          summary: 'Run a SELECT over telemetry and devices',
          description:
            'Sees the devices that you may read the telemetry of; rows of `devices` those that you may read. An answer is whole: it is made ' +
            'before it is sent. The headers `Selsyn-Sql-Rows`, `Selsyn-Sql-Limited` and `Selsyn-Sql-Statistics` (JSON) go with every format.',
          tags: ['telemetry'],
          body: bodySchema,
          response: {
            200: {
              description: 'The rows.',
              content: {
                'application/json': { schema: answerSchema },
                'text/csv': { schema: z.string() },
                'application/vnd.apache.arrow.stream': { schema: z.string().describe('An Arrow IPC stream.') },
                'application/vnd.apache.parquet': { schema: z.string() },
              },
            },
            ...problems(
              'sql.invalid',
              'sql.refused',
              'sql.failed',
              'sql.over-limit',
              'sql.busy',
              'columnar.failed',
              'columnar.gone',
              'telemetry.store-failed',
              'thread.timeout',
            ),
          },
        },
      },
      async (request, reply) => {
        const { scope, actor, caller } = access(request);
        const { sql: text, format, limits } = request.body;
        using _open = keepOpen(reply);
        const answer = await withinDeadline(
          reply,
          REQUEST_DEADLINE_MS,
          async (signal) =>
            await sql.run(
              {
                sql: text,
                format,
                maxRows: limits.rows,
                deadlineMs: limits.seconds === undefined ? undefined : limits.seconds * 1000,
                scope,
                deviceScope: scopeOf(caller, 'devices:read'),
                caller: `${actor.kind} ${actor.id}`,
              },
              signal,
            ),
        );
        return await send(reply, answer);
      },
    );
  };
}

async function send(reply: FastifyReply, answer: SqlAnswer): Promise<FastifyReply> {
  const { format, columns, rows, limited, bytes, statistics } = answer;
  const [before, after] = format === 'json' ? wrapping({ columns, limited, statistics }) : ['', ''];
  // The client may have gone already: nobody would hear of that again.
  if (reply.raw.closed) {
    answer[Symbol.dispose]();
    return await reply;
  }
  reply.raw.once('close', () => answer[Symbol.dispose]());
  return await reply
    .header('Content-Type', TYPES[format])
    .header('Content-Length', bytes + Buffer.byteLength(before) + Buffer.byteLength(after))
    .header('Cache-Control', 'no-store')
    .header('Selsyn-Sql-Rows', String(rows))
    .header('Selsyn-Sql-Limited', String(limited))
    .header('Selsyn-Sql-Statistics', JSON.stringify(statistics))
    .send(Readable.from(pieces(before, answer, after), { objectMode: false }));
}

async function* pieces(before: string, answer: SqlAnswer, after: string): AsyncGenerator<Uint8Array> {
  if (before !== '') yield Buffer.from(before);
  yield* answer.read();
  if (after !== '') yield Buffer.from(after);
}

/** What stands around the rows. */
function wrapping({ columns, ...rest }: Pick<SqlAnswer, 'columns' | 'limited' | 'statistics'>): [before: string, after: string] {
  return [`{"columns":${JSON.stringify(columns)},"rows":`, `,${JSON.stringify(rest).slice(1)}`];
}

/** A socket on which nothing moves for long is closed; not while we are the ones who are waited for. */
function keepOpen({ raw: { socket } }: FastifyReply): Disposable {
  const timer = setInterval(() => {
    if (socket?.timeout !== undefined) socket.setTimeout(socket.timeout);
  }, REFRESH_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
