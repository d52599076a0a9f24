import { PAYLOAD_LIMITS } from '@selsyn/wire/payload/payload-limits.ts';
import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { parseDeviceId, type DeviceId } from '../kernel/device-id.ts';
import { MAX_TIME_MS, parseInterval, parseTime } from '../kernel/time-text.ts';
import { seriesJsonParts, seriesToJson } from '../telemetry/query-json.ts';
import type { PointColumns } from '../telemetry/telemetry-queries.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { sendJson } from './json-reply.ts';
import { cursorParameter, deviceParams, nameList, parseField, wholeNumber } from './parameters.ts';
import { latestSchema, latestToJson, seriesSchema } from './point-json.ts';
import { invalidRequest, type RequestIssue } from './problem.ts';
import { withinDeadline } from './request-deadline.ts';
import { problems } from './route-responses.ts';
import { TimeZones } from './time-zones.ts';

const AGGREGATES = ['mean', 'min', 'max', 'sum', 'count', 'first', 'last'] as const;

/** Up to so many points an answer is one buffer; beyond it is made while it is sent. */
const STREAMED_POINTS = 20_000;
const ONE_WRITE_BYTES = 16_384;
const QUERY_DEADLINE_MS = 30_000;

const timeParameter = z.string().max(64).optional();

const rangeSchema = z.strictObject({
  metrics: nameList({ maxItems: 256, maxLength: PAYLOAD_LIMITS.maxNameBytes })
    .optional()
    .describe('Names with commas between. Absent: all metrics.'),
  from: timeParameter.describe('Inclusive: ms since 1970, ISO 8601, `now`, or `now-1h`. Absent: from the first point.'),
  to: timeParameter.describe('Exclusive. Absent: to the last point.'),
  limit: wholeNumber({ min: 1, max: 1_000_000, default: 10_000 }).describe('Points in the answer, all metrics together.'),
  cursor: cursorParameter,
  every: z
    .string()
    .max(32)
    .optional()
    .describe(
      'An interval such as `15m`, `1h`, `1d`, `1w`, `1mo`: one value for each instead of points. `auto`: as many points as a plot of `width` pixels shows.',
    ),
  fn: z.enum(AGGREGATES).optional().describe('With `every`: how a value is made of the points. Default: mean.'),
  width: wholeNumber({ min: 3, max: 10_000, default: 1_000 }).describe('With `every=auto`: columns of pixels.'),
  plot: z
    .enum(['m4', 'lttb'])
    .default('m4')
    .describe('With `every=auto`: `m4` has at most four points a column and loses no peak; `lttb` has one, and keeps the shape.'),
  tz: z.string().max(64).optional().describe('With `every`: the IANA time zone in which days begin. Default: UTC.'),
});

type RangeParameters = z.output<typeof rangeSchema>;
type Needs = Pick<ApiDependencies, 'devices' | 'telemetry' | 'schemas' | 'clock'>;

/** Reading the telemetry of a device. */
export function telemetryRoutes({ devices, telemetry, schemas, clock }: Needs): FastifyPluginAsyncZod {
  const timeZones = new TimeZones();
  return async (app) => {
    app.get(
      '/devices/:id/telemetry',
      {
        config: { permission: 'telemetry:read' },
        schema: {
          operationId: 'readTelemetry',
          summary: 'Read points, or one value for each interval',
          description:
            'Where more points are left, the headers `Selsyn-Next-Cursor` and `Link` (rel="next", RFC 8288) tell how to go on: ' +
            'the points of the first metric come first, then those of the second. With `every` an answer is always whole: hours and ' +
            'days that are kept as such are used where they give the same values as the points would. Where a part of the asked time ' +
            'needs points that were let go, the header `Selsyn-Incomplete-Before` tells until when. With `every=auto` the header ' +
            '`Selsyn-Resolution` (`raw`, `1h`, `1d`) tells what the plot was made of, and `Selsyn-Points-From` from when on there are ' +
            'points, where of a part of the asked time only hours or days are kept.',
          tags: ['telemetry'],
          params: deviceParams,
          querystring: rangeSchema,
          response: {
            200: seriesSchema,
            ...problems('device.invalid-id', 'device.not-found', 'query.too-large', 'telemetry.store-failed', 'thread.timeout'),
          },
        },
      },
      async (request, reply) => {
        const device = parseDeviceId(request.params.id);
        const { query } = request;
        const range = rangeOf(query, clock.now());
        await devices.ensureKnown(device, access(request).scope);
        const asked = {
          device,
          ...range,
          ...(query.metrics === undefined ? {} : { metrics: query.metrics }),
          limit: query.limit,
        };
        if (query.every === 'auto') {
          const plot = { ...asked, width: query.width, method: query.plot };
          const answer = await withinDeadline(reply, QUERY_DEADLINE_MS, (signal) => telemetry.plot(plot, signal));
          reply.header('Selsyn-Resolution', answer.level);
          if (answer.pointsFromMs !== undefined) reply.header('Selsyn-Points-From', new Date(answer.pointsFromMs).toISOString());
          return sendSeries(reply, answer.metrics);
        }
        if (query.every !== undefined) {
          const { every } = query;
          const interval = parseField('query', 'every', () => parseInterval(every));
          const timeZone = timeZones.find(query.tz ?? 'UTC');
          const aggregate = { ...asked, every: interval, fn: query.fn ?? 'mean', timeZone };
          const answer = await withinDeadline(reply, QUERY_DEADLINE_MS, (signal) => telemetry.aggregate(aggregate, signal));
          announceLack(reply, answer.incompleteBeforeMs);
          return sendSeries(reply, answer.metrics);
        }
        const points = query.cursor === undefined ? asked : { ...asked, cursor: query.cursor };
        const answer = await withinDeadline(reply, QUERY_DEADLINE_MS, (signal) => telemetry.range(points, signal));
        if (answer.cursor !== undefined) announceMore(request, reply, device, answer.cursor);
        announceLack(reply, answer.incompleteBeforeMs);
        return sendSeries(reply, answer.metrics);
      },
    );

    app.get(
      '/devices/:id/telemetry/latest',
      {
        config: { permission: 'telemetry:read' },
        schema: {
          operationId: 'latestTelemetry',
          summary: 'Read the newest point of each metric',
          tags: ['telemetry'],
          params: deviceParams,
          querystring: z.strictObject({}),
          response: {
            200: latestSchema,
            ...problems('device.invalid-id', 'device.not-found', 'telemetry.store-failed', 'thread.timeout'),
          },
        },
      },
      async (request, reply) => {
        const device = parseDeviceId(request.params.id);
        await devices.ensureKnown(device, access(request).scope);
        const values = await withinDeadline(reply, QUERY_DEADLINE_MS, (signal) => telemetry.latest([device], signal));
        return sendJson(reply, latestToJson(values.get(device) ?? [], await schemas.of(device)));
      },
    );
  };
}

/** @throws SelsynError `request.invalid` for times that are none, and for parameters that do not go together. */
function rangeOf(query: RangeParameters, nowMs: number): { readonly fromMs: number; readonly toMs: number } {
  const issues: RequestIssue[] = [];
  if (query.every === undefined || query.every === 'auto') {
    for (const field of ['fn', 'tz'] as const) {
      if (query[field] !== undefined) issues.push({ in: 'query', field, message: 'is for answers with an interval as "every"' });
    }
  } else if (query.cursor !== undefined) {
    issues.push({ in: 'query', field: 'cursor', message: 'does not go with "every": such an answer is always whole' });
  }
  const { from, to } = query;
  const fromMs = from === undefined ? -MAX_TIME_MS : parseField('query', 'from', () => parseTime(from, nowMs));
  const toMs = to === undefined ? MAX_TIME_MS : parseField('query', 'to', () => parseTime(to, nowMs));
  if (fromMs > toMs) issues.push({ in: 'query', field: 'from', message: 'is after "to"' });
  if (issues.length > 0) throw invalidRequest(issues);
  return { fromMs, toMs };
}

function announceLack(reply: FastifyReply, beforeMs: number | undefined): void {
  if (beforeMs !== undefined) reply.header('Selsyn-Incomplete-Before', new Date(beforeMs).toISOString());
}

function announceMore(request: FastifyRequest, reply: FastifyReply, device: DeviceId, cursor: string): void {
  const url = new URL(request.url, 'http://localhost');
  url.searchParams.set('cursor', cursor);
  reply.header('Selsyn-Next-Cursor', cursor);
  reply.header('Link', `</api/v1/devices/${encodeURIComponent(device)}/telemetry${url.search}>; rel="next"`);
}

function sendSeries(reply: FastifyReply, metrics: ReadonlyMap<string, PointColumns>): FastifyReply {
  let points = 0;
  for (const columns of metrics.values()) points += columns.times.length;
  if (points <= STREAMED_POINTS) {
    const json = seriesToJson(metrics);
    // A short text leaves together with the head of the answer, in one write.
    return sendJson(reply, json.length <= ONE_WRITE_BYTES ? json.toString('latin1') : json);
  }
  return sendJson(reply, Readable.from(seriesJsonParts(metrics), { objectMode: false }));
}
