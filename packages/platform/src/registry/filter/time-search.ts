import type { AliasedExpression } from 'kysely';
import type { Database } from '../../database/schema.ts';
import { DeviceSet } from '../index/device-set.ts';
import { devicesOfTerms, devicesWith } from '../index/read-postings.ts';
import { DAY_MS, dayOf, onDay } from '../index/term.ts';

export type TimeComparison = '<' | '<=' | '>' | '>=';

export interface TimeQuery {
  /** `createdAt`: of all devices. `lastSeen`: of those that were connected and are not. */
  readonly column: 'createdAt' | 'lastSeen';
  readonly comparison: TimeComparison;
  readonly ms: number;
  /** All that have such a time. */
  readonly everyone: () => Promise<DeviceSet>;
  /** Where more rows than this match on the day itself, those that do not are read if they are fewer. */
  readonly manyRows: number;
}

const OPPOSITE = { '<': '>=', '<=': '>', '>': '<=', '>=': '<' } as const;

/** By whole days, whichever side of the time has fewer of them, and on the day of the time itself by rows. */
export async function devicesByTime(database: Database, query: TimeQuery): Promise<DeviceSet> {
  const field = query.column === 'createdAt' ? 'createdDay' : 'seenDay';
  const day = dayOf(query.ms);
  const days = await database
    .selectFrom('device_term')
    .select(['id', 'number'])
    .where('field', '=', field)
    .where('kind', '=', 'n')
    .execute();
  const isAfter = query.comparison === '>' || query.comparison === '>=';
  const inside = days.filter(({ number }) => (isAfter ? Number(number) > day : Number(number) < day));
  const outside = days.filter(({ number }) => (isAfter ? Number(number) < day : Number(number) > day));
  const onTheDay =
    days.length === inside.length + outside.length ? new DeviceSet() : await devicesWith(database, onDay(field, query.ms));
  const ofTheDay = onTheDay.isEmpty ? onTheDay : await rowsOfDay(database, query, onTheDay);
  const isInsideLess = inside.length <= outside.length;
  const read = await devicesOfTerms(
    database,
    (isInsideLess ? inside : outside).map(({ id }) => Number(id)),
  );
  const whole = isInsideLess ? read : (await query.everyone()).andNot(read).andNot(onTheDay);
  return whole.or(ofTheDay);
}

async function rowsOfDay(database: Database, query: TimeQuery, onTheDay: DeviceSet): Promise<DeviceSet> {
  const { comparison, manyRows } = query;
  const rows = query.column === 'createdAt' ? createdOn(database, query.ms) : lastSeenOn(database, query.ms);
  if (
    (await rows.count(comparison, manyRows + 1)) > manyRows &&
    (await rows.count(OPPOSITE[comparison], manyRows + 1)) <= manyRows
  ) {
    return onTheDay.andNot(DeviceSet.of(await rows.numbers(OPPOSITE[comparison])));
  }
  return DeviceSet.of(await rows.numbers(comparison));
}

/** The devices whose time is on the day of another time and as a comparison with it says. */
interface RowsOfDay {
  /** Counts no further than to the limit. */
  count(comparison: TimeComparison, limit: number): Promise<number>;
  numbers(comparison: TimeComparison): Promise<readonly number[]>;
}

function createdOn(database: Database, ms: number): RowsOfDay {
  const matching = (comparison: TimeComparison) => {
    const [lower, upper] = withinDay(comparison, ms);
    return database
      .selectFrom('device')
      .select('number')
      .where('created_at_ms', lower.operator, lower.ms)
      .where('created_at_ms', upper.operator, upper.ms)
      .where('number', 'is not', null);
  };
  return {
    count: async (comparison, limit) => await counted(database, matching(comparison).limit(limit)),
    numbers: async (comparison) => (await matching(comparison).execute()).map(({ number }) => Number(number)),
  };
}

function lastSeenOn(database: Database, ms: number): RowsOfDay {
  const matching = (comparison: TimeComparison) => {
    const [lower, upper] = withinDay(comparison, ms);
    return database
      .selectFrom('device_connectivity')
      .select('number')
      .where('connected', '=', 0)
      .where('last_seen_ms', lower.operator, lower.ms)
      .where('last_seen_ms', upper.operator, upper.ms);
  };
  return {
    count: async (comparison, limit) => await counted(database, matching(comparison).limit(limit)),
    numbers: async (comparison) => (await matching(comparison).execute()).map(({ number }) => Number(number)),
  };
}

interface Bound {
  readonly operator: TimeComparison;
  readonly ms: number;
}

/** One bound at each end: of two at one end an index would use the first, and read what the second leaves out. */
function withinDay(comparison: TimeComparison, ms: number): readonly [Bound, Bound] {
  const startMs = dayOf(ms) * DAY_MS;
  const asked = { operator: comparison, ms };
  return comparison === '>' || comparison === '>='
    ? [asked, { operator: '<', ms: startMs + DAY_MS }]
    : [{ operator: '>=', ms: startMs }, asked];
}

async function counted(
  database: Database,
  query: { as(name: 'some'): AliasedExpression<{ number: number | null }, 'some'> },
): Promise<number> {
  const { count } = await database
    .selectFrom(query.as('some'))
    .select((builder) => builder.fn.countAll().as('count'))
    .executeTakeFirstOrThrow();
  return Number(count);
}
