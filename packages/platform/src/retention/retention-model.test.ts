import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RollupReader } from '../telemetry/rollups/rollup-reader.ts';
import { DAY_MS } from '../telemetry/day-file-schema.ts';
import { OPERATOR, RetentionHarness } from './retention.fixture.ts';

/** By device: its type. The last one is not registered. */
const DEVICES = { d0: 'meter', d1: 'pump', d2: undefined } as const;
const METRICS = ['a', 'b'] as const;
const AGES = [0, 1, 6, 8, 9, 20, 95, 101, 130];

type Command =
  | { readonly do: 'append'; readonly device: number; readonly metric: number; readonly ago: number }
  | { readonly do: 'policy'; readonly type: boolean; readonly metric: boolean; readonly raw: number; readonly hourly: number }
  | { readonly do: 'hold'; readonly device: number }
  | { readonly do: 'release' | 'run' | 'crash' };

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      device: fc.nat(2),
      metric: fc.nat(1),
      ago: fc.constantFrom(...AGES),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('policy' as const),
      type: fc.boolean(),
      metric: fc.boolean(),
      raw: fc.constantFrom(3, 8, 100),
      hourly: fc.constantFrom(90, 110),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('hold' as const), device: fc.nat(1) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constantFrom('release', 'run', 'run', 'run', 'crash') }) },
);

/** What there is of one series: raw days, and how many points of which day were ever rolled up and not let go. */
interface Kept {
  readonly raw: Set<number>;
  readonly hourly: Map<number, number>;
}

const RUNS = Number(process.env['SELSYN_MODEL_RUNS'] ?? 20);

test(
  'whatever comes, is held and is let go: what is stored is what a naive model has',
  { timeout: 180_000 + RUNS * 3_000 },
  async () => {
    await fc.assert(fc.asyncProperty(fc.array(command, { minLength: 6, maxLength: 20, size: 'max' }), run), { numRuns: RUNS });
  },
);

async function run(commands: readonly Command[]): Promise<void> {
  await using retention = await RetentionHarness.open();
  for (const [id, type] of Object.entries(DEVICES)) if (type !== undefined) await retention.device(id, { type });
  const model = new Map<string, Kept>();
  const rules: { type: string | undefined; metric: string | undefined; raw: number; hourly: number }[] = [];
  const held = new Map<string, number>();
  let points = 0;
  const daysOf = (device: string, metric: string): { raw: number; hourly: number } => {
    const type = DEVICES[device as keyof typeof DEVICES];
    const fits = rules.filter((rule) => (rule.type ?? type) === type && (rule.metric ?? metric) === metric);
    // More conditions first, then a metric before a type.
    const [best] = fits.toSorted((a, b) => weight(b) - weight(a));
    const { raw, hourly } = best ?? { raw: 7, hourly: 90 };
    return { raw, hourly: Math.max(raw, hourly) };
  };
  const weight = (rule: (typeof rules)[number]): number =>
    (rule.type === undefined ? 0 : 2) + (rule.metric === undefined ? 0 : 3);
  for (const one of commands) {
    const { today } = retention;
    switch (one.do) {
      case 'append': {
        const [device, metric] = [Object.keys(DEVICES)[one.device]!, METRICS[one.metric]!];
        const [key, day] = [`${device} ${metric}`, today - one.ago];
        // Each point has a time of its own.
        const ts = day * DAY_MS + ++points;
        retention.log.append(0, retention.store.clock.now(), [[device, { ts, values: { [metric]: points } }]]);
        const kept = model.get(key) ?? { raw: new Set(), hourly: new Map<number, number>() };
        model.set(key, kept);
        kept.raw.add(day);
        kept.hourly.set(day, (kept.hourly.get(day) ?? 0) + 1);
        break;
      }
      case 'policy': {
        if (!one.type && !one.metric) break;
        const { raw } = one;
        // Hours that days of raw points outlast are refused.
        const hourly = raw > one.hourly ? 110 : one.hourly;
        const rule = { type: one.type ? 'meter' : undefined, metric: one.metric ? 'a' : undefined, raw, hourly };
        const at = rules.findIndex(({ type, metric }) => type === rule.type && metric === rule.metric);
        rules.splice(at < 0 ? rules.length : at, 1, rule);
        await retention.policies.put(
          {
            name: `p-${one.type}-${one.metric}`,
            ...(one.type && { deviceType: 'meter' }),
            ...(one.metric && { metric: 'a' }),
            keepDays: { raw, hourly },
          },
          OPERATOR,
        );
        break;
      }
      case 'hold': {
        const device = `d${one.device}`;
        if (held.has(device)) break;
        held.set(device, (await retention.holds.create({ kind: 'device', device }, 'r', OPERATOR)).id);
        break;
      }
      case 'release':
        for (const id of held.values()) await retention.holds.release(id, OPERATOR);
        held.clear();
        break;
      case 'crash':
        await retention.crash();
        break;
      default: {
        retention.settle();
        expect(await retention.runner.run()).toMatchObject({ interrupted: false });
        forget(model, retention, { daysOf, isHeld: (device) => held.has(device) });
        check(model, retention);
      }
    }
  }
  retention.settle();
  check(model, retention);
}

/** Lets go of what is too old, series by series. */
function forget(
  model: ReadonlyMap<string, Kept>,
  { store }: RetentionHarness,
  rules: { daysOf: (device: string, metric: string) => { raw: number; hourly: number }; isHeld: (device: string) => boolean },
): void {
  const nowMs = store.clock.now();
  for (const [key, { raw, hourly }] of model) {
    const [device, metric] = key.split(' ') as [string, string];
    if (rules.isHeld(device)) continue;
    const kept = rules.daysOf(device, metric);
    for (const day of raw) if ((day + 1 + kept.raw) * DAY_MS <= nowMs) raw.delete(day);
    for (const day of hourly.keys()) {
      // By weeks, which begin on Mondays; 1970-01-05 was one.
      const end = Math.floor((day - 4) / 7) * 7 + 4 + 7;
      if ((end + kept.hourly) * DAY_MS <= nowMs) hourly.delete(day);
    }
  }
}

function check(model: ReadonlyMap<string, Kept>, retention: RetentionHarness): void {
  const { today, store } = retention;
  const raw = [...model].flatMap(([key, kept]) =>
    kept.raw.size === 0 ? [] : [[key, [...kept.raw].map((day) => day - today).sort((a, b) => a - b)]],
  );
  expect(retention.stored).toEqual(Object.fromEntries(raw));
  using reader = new RollupReader({ telemetryDir: store.dir });
  for (const device of store.writer.devices.all()) {
    for (const [index, series] of device.series.entries()) {
      const found = reader.read('1h', series, (today - 150) * DAY_MS, today * DAY_MS);
      const counts: Record<number, number> = {};
      found.startsMs.forEach((startMs, at) => {
        const day = Math.floor(startMs / DAY_MS);
        counts[day] = (counts[day] ?? 0) + found.counts[at]!;
      });
      const kept = model.get(`${device.id} ${device.names[index]!}`)!;
      // Of today nothing need be rolled up.
      expect(counts).toEqual(Object.fromEntries([...kept.hourly].filter(([day]) => day < today)));
    }
  }
}
