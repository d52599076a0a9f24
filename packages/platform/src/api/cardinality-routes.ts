import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { CardinalityReport } from '../telemetry/cardinality-report.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { problems } from './route-responses.ts';

/** What the API asks of the thread that writes telemetry. */
export interface CardinalitySource {
  report(): Promise<CardinalityReport>;
}

const state = z.enum(['ok', 'near', 'full']).describe('`near`: 80 % of the limit. `full`: new series are refused.');
const limit = z.number().optional().describe('Absent: no limit.');
const counts = {
  series: z.number(),
  newInHour: z.number().describe('Of them, made in the last hour, as far as `watchedSinceMs` goes.'),
  newInDay: z.number().describe('Of them, made in the last 24 hours, as far as `watchedSinceMs` goes.'),
};
const deviceSchema = z.object({
  device: z.string(),
  type: z.string().optional().describe('Its device type.'),
  limit,
  ...counts,
});

const reportSchema = z
  .object({
    atMs: z.number(),
    watchedSinceMs: z.number().describe('New series are told from old ones since then.'),
    series: z.number(),
    limit,
    state,
    newInHour: counts.newInHour,
    newInDay: counts.newInDay,
    devices: z.number().describe('Devices that have series.'),
    fullAtMs: z
      .number()
      .optional()
      .describe(
        'When the limit of all is reached at the rate of the last day. Absent: not in ten years, or too little is known.',
      ),
    types: z
      .array(
        z.object({
          type: z.string(),
          series: z.number(),
          limit,
          seriesPerDevice: z.number().optional().describe('What one of its devices may have; absent: no limit.'),
          state,
        }),
      )
      .describe('Device types whose devices send telemetry.'),
    fullDevices: z
      .array(z.object({ device: z.string(), series: z.number(), limit, state }))
      .describe('Devices near their limit or at it; the newest hundred that came there.'),
    topDevices: z.array(deviceSchema).describe('With the most series.'),
    growingDevices: z.array(deviceSchema).describe('With the most new series in a day.'),
    topMetrics: z.array(z.object({ metric: z.string(), ...counts })).describe('Names that the most devices have.'),
    suspects: z
      .array(
        z.object({
          pattern: z.string().describe('The names, with what differs replaced: `door_{uuid}`.'),
          kind: z.enum(['uuid', 'time', 'address', 'hex', 'number']).describe('What differs.'),
          names: z.number().describe('Different names of this kind.'),
          more: z.boolean().describe('There are more names than were counted.'),
          examples: z.array(z.string()),
          device: z.string().describe('The device with the most of them.'),
          ...counts,
        }),
      )
      .describe('Names that look as if ids, times or numbers were part of them: values belong into values.'),
    refused: z
      .object({ device: z.number(), type: z.number(), whole: z.number() })
      .describe('Messages with new metrics that had no room, by the limit that was reached, since the start.'),
    refusedDevices: z.array(
      z.object({
        device: z.string(),
        scope: z.enum(['device', 'type', 'whole']).describe('The limit that was reached the last time.'),
        messages: z.number(),
        lastMs: z.number(),
      }),
    ),
  })
  .describe('How many series there are, what makes them, and how near the limits are.');

/** What grows: of all devices, so that only those ask who may read all. */
export function cardinalityRoutes({ cardinality }: Pick<ApiDependencies, 'cardinality'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/cardinality',
      {
        config: { permission: 'telemetry:read', everything: true },
        schema: {
          operationId: 'getCardinality',
          summary: 'Show how many series there are, and what makes them',
          description:
            'Counts all series, which takes seconds where there are millions; an answer is given again for 15 seconds.',
          tags: ['telemetry'],
          querystring: z.strictObject({}),
          response: { 200: reportSchema, ...problems('telemetry.store-failed') },
        },
      },
      async () => shown(await cardinality.report()),
    );
  };
}

function shown(report: CardinalityReport): z.input<typeof reportSchema> {
  const { usage, all } = report;
  return {
    atMs: report.atMs,
    watchedSinceMs: report.watchedSinceMs,
    series: usage.whole.series,
    ...limitOf(usage.whole.limit),
    state: usage.whole.state,
    newInHour: all.hour,
    newInDay: all.day,
    devices: all.devices,
    ...(report.fullAtMs !== undefined && { fullAtMs: Math.round(report.fullAtMs) }),
    types: usage.types.map(({ type, series, limit: most, perDevice, state: how }) => ({
      type,
      series,
      ...limitOf(most),
      ...(perDevice !== Infinity && { seriesPerDevice: perDevice }),
      state: how,
    })),
    fullDevices: usage.devices.map(({ device, series, limit: most, state: how }) => {
      return { device, series, ...limitOf(most), state: how };
    }),
    topDevices: report.topDevices.map(shownDevice),
    growingDevices: report.growingDevices.map(shownDevice),
    topMetrics: report.topMetrics.map(({ metric, ...count }) => ({ metric, ...shownCounts(count) })),
    suspects: report.suspects.map(({ pattern, kind, names, more, examples, device, ...count }) => {
      return { pattern, kind, names, more, examples: [...examples], device, ...shownCounts(count) };
    }),
    refused: { ...usage.refused },
    refusedDevices: report.refusedDevices.map((one) => ({ ...one })),
  };
}

type Counts = CardinalityReport['topMetrics'][number];

function shownCounts({ series, hour, day }: Pick<Counts, 'series' | 'hour' | 'day'>) {
  return { series, newInHour: hour, newInDay: day };
}

function shownDevice({ device, type, limit: most, ...count }: CardinalityReport['topDevices'][number]) {
  return { device, ...(type !== '' && { type }), ...limitOf(most), ...shownCounts(count) };
}

function limitOf(most: number): { limit?: number } {
  return most === Infinity ? {} : { limit: most };
}
