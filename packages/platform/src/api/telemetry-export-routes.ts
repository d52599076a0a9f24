import { PAYLOAD_LIMITS } from '@selsyn/wire/payload/payload-limits.ts';
import { finished } from 'node:stream/promises';
import type { FastifyReply } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { isDeviceId, type DeviceId } from '../kernel/device-id.ts';
import { SelsynError } from '../kernel/errors.ts';
import { MAX_TIME_MS, parseTime } from '../kernel/time-text.ts';
import { sortedIds } from '../transfer/export-ids.ts';
import { CSV_HEADER, csvRows, jsonRows } from '../transfer/rows-text.ts';
import type { ExportPlace } from '../transfer/telemetry-transfer.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { isSame, whileAllowed } from './export-routes.ts';
import { nameList, parseField } from './parameters.ts';
import { invalidRequest } from './problem.ts';
import { problems } from './route-responses.ts';
import { CSV_TYPE, JSON_LINES_TYPE, sendFile, sendTexts } from './text-download.ts';

const PARQUET_TYPE = 'application/vnd.apache.parquet';
const MAX_NAMED = 100;
/** Well below the time after which a quiet socket is closed. */
const REFRESH_MS = 20_000;

const timeParameter = z.string().max(64).optional();
const querySchema = z.strictObject({
  format: z.enum(['csv', 'jsonl', 'parquet']).default('jsonl').describe('Of the answer.'),
  device: nameList({ maxItems: MAX_NAMED, maxLength: 128 }).optional().describe('Only these, with commas between.'),
  filter: z.string().min(1).max(4096).optional().describe('Only devices that match: text of the filter language.'),
  group: z.string().max(1024).optional().describe('Only devices in this group or below.'),
  metrics: nameList({ maxItems: 256, maxLength: PAYLOAD_LIMITS.maxNameBytes })
    .optional()
    .describe('Names with commas between. Absent: all.'),
  from: timeParameter.describe('Inclusive: ms since 1970, ISO 8601, `now`, or `now-1h`. Absent: from the first point.'),
  to: timeParameter.describe('Exclusive. Absent: to the last point.'),
  after: z
    .string()
    .max(1024)
    .optional()
    .describe(
      'Go on behind the last row that you have, `["device","metric",ts]`; the other parameters stay the same. Not for Parquet.',
    ),
});

/** Taking telemetry out, in any amount. */
export function telemetryExportRoutes({
  devices,
  transfer,
  clock,
}: Pick<ApiDependencies, 'devices' | 'transfer' | 'clock'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/telemetry-export',
      {
        config: { permission: 'telemetry:read' },
        schema: {
          operationId: 'exportTelemetry',
          summary: 'Download points',
          description:
            'Of one device, of some, or of all that you may read; sorted by device, metric and time, what is archived too. Made while it is ' +
            'sent (Parquet: before), however much it is. Broken off, it goes on with `after`. The header `Selsyn-Devices` says of how many ' +
            'devices it is.',
          tags: ['telemetry'],
          querystring: querySchema,
          response: {
            200: {
              description: 'A row for each point, as an import takes them.',
              content: {
                [JSON_LINES_TYPE]: { schema: z.string() },
                [CSV_TYPE]: { schema: z.string() },
                [PARQUET_TYPE]: { schema: z.string().describe('device, metric, time, value, text, flag') },
              },
            },
            ...problems(
              'telemetry.busy',
              'telemetry.store-failed',
              'columnar.failed',
              'columnar.gone',
              'columnar.over-limit',
              'thread.timeout',
            ),
          },
        },
      },
      async (request, reply) => {
        const { format, device, filter, group, metrics, from, to } = request.query;
        const nowMs = clock.now();
        const fromMs = from === undefined ? -MAX_TIME_MS : parseField('query', 'from', () => parseTime(from, nowMs));
        const toMs = to === undefined ? MAX_TIME_MS : parseField('query', 'to', () => parseTime(to, nowMs));
        if (fromMs > toMs) throw invalidRequest([{ in: 'query', field: 'from', message: 'is after "to"' }]);
        const after = request.query.after === undefined ? undefined : placeOf(request.query.after);
        if (after !== undefined && format === 'parquet') {
          throw invalidRequest([{ in: 'query', field: 'after', message: 'is not for Parquet: such a file is whole or none' }]);
        }
        const { scope, renew } = access(request);
        const gone = new AbortController();
        reply.raw.once('close', () => gone.abort());
        const place = transfer.enter();
        try {
          const ids =
            device === undefined
              ? await sortedIds(devices, { filter, group, scope }, after?.device)
              : await named(devices, device, { filter, group, scope }, after?.device);
          reply.header('Selsyn-Devices', String(ids.length));
          const points = transfer.points({ ids, metrics, fromMs, toMs, after }, gone.signal);
          const isAllowed = async (): Promise<boolean> => isSame(scope, (await renew())?.scope);
          if (format === 'parquet') {
            const made = await keptOpen(reply, transfer.toParquet(whileAllowed(points, isAllowed)));
            const stream = made.open();
            void finished(stream)
              .catch(() => undefined)
              .then(async () => await made[Symbol.asyncDispose]())
              .finally(() => place[Symbol.dispose]());
            return await sendFile(reply, PARQUET_TYPE, 'telemetry.parquet', stream);
          }
          const texts = textsOf(format, whileAllowed(points, isAllowed), after === undefined);
          // The client may have gone already: then nothing is ever sent, or closed.
          if (gone.signal.aborted) place[Symbol.dispose]();
          else gone.signal.addEventListener('abort', () => place[Symbol.dispose](), { once: true });
          return await sendTexts(reply, format, 'telemetry', whileMade(reply, texts));
        } catch (error) {
          place[Symbol.dispose]();
          throw error;
        }
      },
    );
  };
}

/** Those of the named devices that match, in byte order. @throws SelsynError `device.not-found` for one that there is not */
async function named(
  devices: ApiDependencies['devices'],
  names: readonly string[],
  query: {
    readonly filter?: string | undefined;
    readonly group?: string | undefined;
    readonly scope: Parameters<ApiDependencies['devices']['ensureKnown']>[1];
  },
  from: DeviceId | undefined,
): Promise<readonly DeviceId[]> {
  const ids = names.map((name) => {
    if (isDeviceId(name)) return name;
    throw invalidRequest([{ in: 'query', field: 'device', message: `${JSON.stringify(name)} is not a device id` }]);
  });
  for (const id of ids) await devices.ensureKnown(id, query.scope);
  const matching = await devices.among(ids, query);
  return ids.filter((id) => matching.has(id) && (from === undefined || id >= from)).sort();
}

async function* textsOf(
  format: 'csv' | 'jsonl',
  points: AsyncIterable<Parameters<typeof csvRows>[0]>,
  withHeader: boolean,
): AsyncGenerator<string> {
  if (format === 'csv' && withHeader) yield CSV_HEADER;
  for await (const batch of points) yield* format === 'csv' ? csvRows(batch) : jsonRows(batch);
}

/** A socket on which nothing moves for long is closed; while we are the ones who look for points, it is not. */
function keepOpen({ raw: { socket } }: FastifyReply, isWorking: () => boolean): Disposable {
  const timer = setInterval(() => {
    if (isWorking() && socket?.timeout !== undefined) socket.setTimeout(socket.timeout);
  }, REFRESH_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

async function keptOpen<T>(reply: FastifyReply, work: Promise<T>): Promise<T> {
  using _open = keepOpen(reply, () => true);
  return await work;
}

async function* whileMade<T>(reply: FastifyReply, items: AsyncIterable<T>): AsyncGenerator<T> {
  let isWorking = true;
  using _open = keepOpen(reply, () => isWorking);
  for await (const item of items) {
    isWorking = false;
    yield item;
    isWorking = true;
  }
}

function placeOf(text: string): ExportPlace {
  const message = 'must be a JSON array ["device","metric",ts]';
  const parsed = parseField('query', 'after', (): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      throw new SelsynError('request.invalid', message);
    }
  });
  const [device, metric, timeMs]: readonly unknown[] = Array.isArray(parsed) && parsed.length === 3 ? parsed : [];
  if (typeof device !== 'string' || !isDeviceId(device) || typeof metric !== 'string' || !Number.isSafeInteger(timeMs)) {
    throw invalidRequest([{ in: 'query', field: 'after', message }]);
  }
  return { device, metric, timeMs: timeMs as number }; // checked above
}
