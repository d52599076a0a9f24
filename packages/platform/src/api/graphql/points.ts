import { SelsynError } from '../../kernel/errors.ts';
import { MAX_TIME_MS, parseInterval, parseTime } from '../../kernel/time-text.ts';
import type { Device } from '../../registry/device.ts';
import type { Aggregate, LatestValue, PointColumns } from '../../telemetry/telemetry-queries.ts';
import { parseField } from '../parameters.ts';
import { TimeZones } from '../time-zones.ts';
import type { DeviceRef, PointRef } from './devices.ts';
import type { GraphqlContext } from './graphql-context.ts';
import { absent, type ListSize, sizeOf } from './paging.ts';
import type { Builder } from './schema-builder.ts';

/** Points of one device, or one value for each interval. */
interface PointPage {
  readonly items: readonly LatestValue[];
  readonly cursor: string | undefined;
  readonly incompleteBeforeMs: number | undefined;
}

interface PointArguments {
  readonly metrics?: readonly string[] | null | undefined;
  readonly from?: string | null | undefined;
  readonly to?: string | null | undefined;
  readonly every?: string | null | undefined;
  readonly fn?: Aggregate | null | undefined;
  readonly tz?: string | null | undefined;
  readonly first?: number | null | undefined;
  readonly after?: string | null | undefined;
}

const AGGREGATES = ['mean', 'min', 'max', 'sum', 'count', 'first', 'last'] as const satisfies readonly Aggregate[];
/** With what is below them they cost twice as much: see MAX_COST. */
const POINT_LIST: ListSize = { default: 100, max: 4_000 };
/** Each device is a query of its own, as a request by REST is: a hundred in one request at the most. */
const QUERY_COST = 100;
const MAX_METRICS = 256;

/** Stored points of devices, and what hours and days are made of. */
export function addPoints(builder: Builder, { device, point }: { readonly device: DeviceRef; readonly point: PointRef }): void {
  const timeZones = new TimeZones();
  const fn = builder.enumType('Aggregate', {
    description: 'How a value is made of the points of an interval.',
    values: AGGREGATES,
  });
  const page = builder.objectRef<PointPage>('PointPage').implement({
    description:
      'Points, metric by metric in alphabetical order, each ascending in time; or values, at the beginning of each interval.',
    fields: (t) => ({
      items: t.field({ type: [point], resolve: ({ items }) => [...items] }),
      cursor: t.exposeString('cursor', { nullable: true, description: 'For `after`; null: there are no more.' }),
      incompleteBefore: t.expose('incompleteBeforeMs', {
        type: 'Timestamp',
        nullable: true,
        description: 'Not null: points that the answer needs were let go; before this time some are missing.',
      }),
    }),
  });

  builder.objectField(device, 'points', (t) =>
    t.field({
      type: page,
      nullable: true,
      description: 'Points of a range of time, or one value for each interval. Null: the caller may not see telemetry there.',
      args: {
        metrics: t.arg.stringList({ description: 'Absent: all.' }),
        from: t.arg.string({
          description: 'Inclusive: ms since 1970, ISO 8601, `now`, or `now-1h`. Absent: from the first point.',
        }),
        to: t.arg.string({ description: 'Exclusive. Absent: to the last point.' }),
        every: t.arg.string({
          description:
            'An interval such as `15m`, `1h`, `1d`, `1w`, `1mo`: hours and days that are kept as such are used where they give the same.',
        }),
        fn: t.arg({ type: fn, description: 'With `every`. Absent: mean.' }),
        tz: t.arg.string({ description: 'With `every`: the IANA time zone in which days begin. Absent: UTC.' }),
        first: t.arg.int({
          description: `1 to ${POINT_LIST.max} in all metrics together; ${POINT_LIST.default} where it is not given. With \`every\` more is an error.`,
        }),
        after: t.arg.string({
          description: 'The cursor of the page before; the other arguments stay the same. Not with `every`.',
        }),
      },
      extensions: { defaultFirst: POINT_LIST.default, cost: QUERY_COST },
      resolve: async (of, args, { selsyn: context }) =>
        context.may('telemetry:read', of.group) ? await pageOf(context, of, args, timeZones) : null,
    }),
  );
}

/** @throws SelsynError `request.invalid`, `query.too-large` */
async function pageOf(context: GraphqlContext, { id }: Device, args: PointArguments, timeZones: TimeZones): Promise<PointPage> {
  const { services, signal } = context;
  const [metrics, every, after] = [absent(args.metrics), absent(args.every), absent(args.after)];
  if ((metrics?.length ?? 0) > MAX_METRICS)
    throw new SelsynError('request.invalid', `metrics: at most ${MAX_METRICS}`, { details: { field: 'metrics' } });
  const nowMs = services.clock.now();
  const asked = {
    device: id,
    ...(metrics !== undefined && { metrics }),
    fromMs: timeOf('from', args.from, nowMs) ?? -MAX_TIME_MS,
    toMs: timeOf('to', args.to, nowMs) ?? MAX_TIME_MS,
    limit: sizeOf(args.first, POINT_LIST),
  };
  if (asked.fromMs > asked.toMs) throw fault('from', 'is after "to"');
  if (every === undefined) {
    for (const field of ['fn', 'tz'] as const)
      if (absent(args[field]) !== undefined) throw fault(field, 'is for answers with an interval as "every"');
    const answer = await services.telemetry.range({ ...asked, ...(after !== undefined && { cursor: after }) }, signal);
    return { items: pointsOf(answer.metrics), cursor: answer.cursor, incompleteBeforeMs: answer.incompleteBeforeMs };
  }
  if (after !== undefined) throw fault('after', 'does not go with "every": such an answer is always whole');
  const interval = parseField('query', 'every', () => parseInterval(every));
  const timeZone = timeZones.find(absent(args.tz) ?? 'UTC');
  const answer = await services.telemetry.aggregate(
    { ...asked, every: interval, fn: absent(args.fn) ?? 'mean', timeZone },
    signal,
  );
  return { items: pointsOf(answer.metrics), cursor: undefined, incompleteBeforeMs: answer.incompleteBeforeMs };
}

function timeOf(field: 'from' | 'to', text: string | null | undefined, nowMs: number): number | undefined {
  return text === null || text === undefined ? undefined : parseField('query', field, () => parseTime(text, nowMs));
}

function pointsOf(metrics: ReadonlyMap<string, PointColumns>): readonly LatestValue[] {
  return [...metrics].flatMap(([metric, { times, values }]) =>
    Array.from(times, (timeMs, index) => ({ metric, timeMs, value: values[index]! })),
  );
}

function fault(field: string, message: string): SelsynError {
  return new SelsynError('request.invalid', `${field}: ${message}`, { details: { field } });
}
