import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { evaluate, type SeriesSource } from '@selsyn/platform/promql/evaluate.ts';
import { labelKey, labelTest, type Labels } from '@selsyn/platform/promql/label-match.ts';
import type { Samples, Steps, Value } from '@selsyn/platform/promql/matrix.ts';
import { parsePromql } from '@selsyn/platform/promql/parse.ts';
import { PromqlError } from '@selsyn/platform/promql/promql-error.ts';
import { Prometheus } from '../harness/prometheus.ts';

const START = Date.UTC(2026, 10, 20, 6);
/**
 * Samples lie 7 s beside the minute, so that no window begins at one: there versions of Prometheus differ (ours leaves it out, as
 * Prometheus 3 does).
 */
const BESIDE = 7_000;
const MINUTES = 180;

/** Walks, a counter that is reset, gaps, equal values, one that ends. */
function samples(): Samples[] {
  const found: Samples[] = [];
  const add = (labels: Labels, value: (minute: number) => number | undefined): void => {
    const points = Array.from(
      { length: MINUTES },
      (_, minute) => [START + minute * 60_000 + BESIDE, value(minute)] as const,
    ).filter((point): point is readonly [number, number] => point[1] !== undefined);
    found.push({ labels, times: Float64Array.from(points, ([t]) => t), values: Float64Array.from(points, ([, v]) => v) });
  };
  for (const [i, device] of ['pump-1', 'pump-2', 'fan-1', 'fan-2'].entries()) {
    const labels = { device, kind: device.split('-')[0]!, ...(i % 2 === 0 && { site: 'north' }) };
    add({ __name__: 'temperature', ...labels }, (m) => 20 + i * 3.001 + Math.round(Math.sin((m + i * 9) / 11) * 100) / 20);
    add({ __name__: 'humidity', ...labels }, (m) => (m > 40 + i * 7 && m < 70 ? undefined : 50 + ((m * (i + 3)) % 17)));
    add({ __name__: 'messages', ...labels }, (m) => 100 + (m < 90 + i ? m : m - 90 - i) * (i + 1) * 5);
    add({ __name__: 'state', ...labels }, (m) => (i === 3 && m > 60 ? undefined : Math.floor(m / (10 + i)) % 3));
  }
  // Histograms: one as it should be, one whose counts were read at different times, bounds below zero, two of one bound.
  for (const [i, le] of ['0.1', '0.5', '1', '1.0', '2.5', '+Inf'].entries()) {
    const labels = { __name__: 'delay_bucket', le };
    add({ ...labels, device: 'pump-1' }, (m) => (i + 1) * m * 3 + (i > 2 ? (m * i) % 7 : 0));
    add({ ...labels, device: 'pump-2' }, (m) => 1000 + i * ((m * 13) % 29));
    if (i > 0) add({ ...labels, le: i === 5 ? le : `-${6 - i}`, device: 'fan-1' }, (m) => (m < 20 ? 0 : i * i * (m - 20)));
  }
  add({ __name__: 'limit', kind: 'pump', unit: 'C' }, () => 24);
  add({ __name__: 'limit', kind: 'fan', unit: 'C' }, () => 27.5);
  return found;
}

const ALL = samples();
const source: SeriesSource = {
  select: async (matchers, fromMs, toMs) => {
    const fits = labelTest(matchers);
    return ALL.filter(({ labels }) => fits(labels)).map(({ labels, times, values }) => {
      const kept = [...times.keys()].filter((i) => times[i]! > fromMs && times[i]! <= toMs);
      return { labels, times: Float64Array.from(kept, (i) => times[i]!), values: Float64Array.from(kept, (i) => values[i]!) };
    });
  },
};

function openMetrics(): string {
  const byName = Map.groupBy(ALL, ({ labels }) => labels['__name__']!);
  let text = '';
  for (const [name, members] of byName) {
    text += `# TYPE ${name} gauge\n`;
    for (const { labels, times, values } of members) {
      const pairs = Object.entries(labels).filter(([label]) => label !== '__name__');
      const list = pairs.map(([label, value]) => `${label}="${value}"`).join(',');
      for (let i = 0; i < times.length; i++) text += `${name}{${list}} ${values[i]} ${times[i]! / 1000}\n`;
    }
  }
  return `${text}# EOF\n`;
}

const QUERIES = [
  'temperature',
  'temperature{device="pump-1"}',
  'temperature{kind=~"p.*p|x", site!=""}',
  '{__name__=~"temp.*|limit", device!~"fan.*"}',
  'humidity offset 10m',
  'humidity offset -5m',
  'temperature @ 1795154400',
  'max_over_time(temperature[20m] @ end())',
  'rate(messages[5m])',
  'rate(messages[1h30m])',
  'increase(messages[10m])',
  'irate(messages[10m])',
  'idelta(temperature[10m])',
  'delta(temperature[15m])',
  'deriv(temperature[15m])',
  'predict_linear(temperature[30m], 3600)',
  'avg_over_time(temperature[1h])',
  'sum_over_time(state[30m])',
  'count_over_time(humidity[1h])',
  'min_over_time(humidity[25m])',
  'stddev_over_time(temperature[30m])',
  'stdvar_over_time(temperature[30m])',
  'last_over_time(humidity[40m])',
  'present_over_time(state[30m])',
  'quantile_over_time(0.9, temperature[1h])',
  'changes(state[1h])',
  'resets(messages[2h])',
  'sum(temperature)',
  'sum by (kind) (temperature)',
  'avg without (device, site) (humidity)',
  'min(temperature) by (site)',
  'max by (nothing) (temperature)',
  'count(humidity)',
  'group by (kind) (state)',
  'stddev(temperature)',
  'stdvar by (kind) (temperature)',
  'topk(2, temperature)',
  'bottomk by (kind) (1, humidity)',
  'quantile(0.25, temperature)',
  'count_values("value", state)',
  'temperature + humidity',
  'temperature * on(device, kind, site) humidity',
  'temperature - ignoring(unit, device, site) group_left limit',
  'temperature / on(kind) group_left(unit) limit',
  'limit * on(kind) group_right temperature',
  'temperature > 24',
  '24 < temperature',
  'temperature > bool 24',
  'temperature == on(device) group_left temperature',
  'temperature > on(kind) group_left limit',
  'temperature != humidity',
  '2 * temperature + 1 - 3 % 2 ^ 2',
  '-temperature ^ 2',
  '2 ^ 3 ^ 2',
  '-1 ^ 2',
  '1 > bool 2',
  // 2.42 keeps the name of the metric here, later versions do not.
  'sum(temperature atan2 humidity)',
  'temperature and state > 1',
  'temperature or limit',
  'temperature unless on(device) humidity',
  'temperature and on(kind) limit',
  'limit or ignoring(device, site) temperature',
  'abs(temperature - 25)',
  'ceil(temperature)',
  'round(temperature)',
  'round(temperature, 0.5)',
  'clamp(temperature, 22, 25)',
  'clamp_min(temperature, 24)',
  'clamp_max(temperature, 24)',
  'sgn(temperature - 24)',
  'sqrt(ln(exp(temperature)))',
  'log2(temperature) + log10(temperature)',
  'deg(sin(temperature))',
  'time()',
  'timestamp(temperature)',
  'timestamp(temperature + 1)',
  'hour(vector(time()))',
  'day_of_week()',
  'day_of_year()',
  'days_in_month()',
  'vector(1)',
  'scalar(temperature{device="pump-1"}) * 2',
  'scalar(temperature)',
  'absent(temperature{device="none"})',
  'absent(temperature{device="pump-1"})',
  'absent_over_time(state{device="fan-2"}[10m])',
  'label_replace(temperature, "number", "$1", "device", ".*-(.*)")',
  'label_replace(temperature, "kind", "", "device", "pump.*")',
  'label_join(temperature, "both", "/", "kind", "device")',
  'max_over_time(temperature[30m7s:5m])',
  'avg_over_time(rate(messages[5m])[30m7s:2m])',
  'sum_over_time(sum(state)[1h7s:10m] offset 10m)',
  'count_over_time((temperature > 24)[1h7s:1m])',
  'histogram_quantile(0.9, rate(delay_bucket[10m]))',
  'histogram_quantile(0.5, sum by (le) (delay_bucket))',
  'histogram_quantile(0.99, delay_bucket)',
  'histogram_quantile(0.1, delay_bucket)',
  'histogram_quantile(0, delay_bucket)',
  'histogram_quantile(1, delay_bucket)',
  'histogram_quantile(1.5, delay_bucket)',
  'histogram_quantile(-1, delay_bucket)',
  'histogram_quantile(NaN, delay_bucket)',
  'histogram_quantile(0.9, delay_bucket{le!="+Inf"})',
  'histogram_quantile(0.9, delay_bucket{le="+Inf"})',
  'histogram_quantile(0.9, temperature)',
  'histogram_quantile(scalar(limit{kind="pump"}) / 30, delay_bucket{device="pump-1"})',
  'pi() + 0x1F + 1e3',
  'Inf - Inf',
  'sum(rate(messages[5m])) by (kind) / on() group_left sum(rate(messages[5m])) * 100',
  'topk(1, sum by (device) (increase(messages[30m])))',
  'sum(temperature > 1000)',
  'temperature[5m]',
  'rate(temperature)',
  'sum(temperature',
  'temperature + "x"',
  '1 > 2',
  'foo{}',
  '{}',
  'nonsense(temperature)',
  'temperature + on(kind) limit',
  'temperature{device=~"("}',
  'label_replace(temperature, "device", "same", "", "")',
];

interface Answered {
  readonly labels: Labels;
  readonly values: readonly (readonly [number, number])[];
}
type Answer = readonly Answered[] | string;

let prometheus: Prometheus | undefined;
beforeAll(async () => {
  prometheus = await Prometheus.startWith(openMetrics());
});
afterAll(async () => {
  await prometheus?.[Symbol.asyncDispose]();
});

async function theirs(query: string, steps: Steps): Promise<Answer> {
  const end = steps.startMs + steps.stepMs * (steps.count - 1);
  const parameters = { query, start: String(steps.startMs / 1000), end: String(end / 1000), step: String(steps.stepMs / 1000) };
  const response = await fetch(`${prometheus!.url}/api/v1/query_range`, {
    method: 'POST',
    body: new URLSearchParams(parameters),
  });
  const answer = (await response.json()) as {
    status: string;
    errorType?: string;
    data?: { result: { metric: Labels; values: [number, string][] }[] };
  };
  if (answer.status !== 'success') return `error: ${answer.errorType}`;
  return sorted(
    answer.data!.result.map(({ metric, values }) => ({
      labels: metric,
      values: values.map(([t, v]) => [t * 1000, number(v)] as const),
    })),
  );
}

function number(text: string): number {
  return text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text);
}

async function ours(query: string, steps: Steps): Promise<Answer> {
  try {
    const value = await evaluate(parsePromql(query), steps, { source });
    return sorted(seriesOf(value, steps));
  } catch (error) {
    if (error instanceof PromqlError) return `error: ${error.type}`;
    throw error;
  }
}

function seriesOf(value: Value, steps: Steps): readonly Answered[] {
  const times = Array.from({ length: steps.count }, (_, i) => steps.startMs + i * steps.stepMs);
  if (value.type === 'scalar') return [{ labels: {}, values: times.map((t, i) => [t, value.values[i]!] as const) }];
  if (value.type === 'string') throw new Error('text');
  return value.rows.map(({ labels, values, present }) => ({
    labels,
    values: times.flatMap((t, i) => (present[i] === 1 ? [[t, values[i]!] as const] : [])),
  }));
}

function sorted(answer: readonly Answered[]): readonly Answered[] {
  return answer.toSorted((a, b) => (labelKey(a.labels) < labelKey(b.labels) ? -1 : 1));
}

function close(mine: Answer, expected: Answer): void {
  if (typeof mine === 'string' || typeof expected === 'string') {
    expect(mine).toBe(expected);
    return;
  }
  closeSeries(mine, expected);
}

function closeSeries(a: readonly Answered[], b: readonly Answered[]): void {
  expect(a.map(({ labels }) => labels)).toEqual(b.map(({ labels }) => labels));
  for (const [i, { labels, values }] of a.entries()) {
    const others = b[i]!.values;
    expect(
      values.map(([t]) => t),
      JSON.stringify(labels),
    ).toEqual(others.map(([t]) => t));
    for (const [j, [timeMs, value]] of values.entries()) {
      const other = others[j]![1];
      const near =
        Object.is(value, other) ||
        value === other ||
        Math.abs(value - other) <= 1e-9 * Math.max(1, Math.abs(value), Math.abs(other));
      if (!near) expect.fail(`${JSON.stringify(labels)} at ${timeMs}: ${value} instead of ${other}`);
    }
  }
}

describe('PromQL', () => {
  test.for(QUERIES)('%s gives what Prometheus gives', async (query, { skip }) => {
    if (prometheus === undefined) return skip('there is no Prometheus to compare with');
    for (const steps of [
      { startMs: START + 60 * 60_000, stepMs: 60_000, count: 60 },
      { startMs: START + 15 * 60_000, stepMs: 435_000, count: 20 },
      { startMs: START + 100 * 60_000, stepMs: 1_000, count: 1 },
    ]) {
      close(await ours(query, steps), await theirs(query, steps));
    }
  });
});
