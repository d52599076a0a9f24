import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Labels } from '../../promql/label-match.ts';
import { type Samples, type Steps, stepTime, type Value } from '../../promql/matrix.ts';

/** As the HTTP API of Prometheus writes numbers: as text, so that those that JSON has not come through. */
function text(value: number): string {
  return value === Infinity ? '+Inf' : value === -Infinity ? '-Inf' : String(value);
}

/** Pairs that are written before others have their turn. */
const TURN_PAIRS = 10_000;

/** The answer to a range query, piece by piece: as a whole it may be larger than a text can be. */
export async function* matrixTexts(value: Value, steps: Steps): AsyncGenerator<string> {
  const seconds = (i: number): number => stepTime(steps, i) / 1000;
  if (value.type === 'string') {
    yield JSON.stringify({ status: 'success', data: { resultType: 'string', result: [seconds(0), value.value] } });
    return;
  }
  const rows = value.type === 'vector' ? value.rows : [{ labels: {}, values: value.values, present: undefined }];
  yield* seriesTexts(
    rows.map(({ labels, values, present }) => ({
      labels,
      values,
      seconds: (i) => (present?.[i] === 0 ? undefined : seconds(i)),
    })),
  );
}

/** Samples as they are, piece by piece. */
export async function* samplesTexts(samples: readonly Samples[]): AsyncGenerator<string> {
  yield* seriesTexts(samples.map(({ labels, times, values }) => ({ labels, values, seconds: (i) => times[i]! / 1000 })));
}

interface WrittenSeries {
  readonly labels: Labels;
  readonly values: Float64Array;
  /** When a value was; undefined where there is none. */
  readonly seconds: (index: number) => number | undefined;
}

async function* seriesTexts(series: readonly WrittenSeries[]): AsyncGenerator<string> {
  let out = '{"status":"success","data":{"resultType":"matrix","result":[';
  let pairs = 0;
  for (const [index, { labels, values, seconds }] of series.entries()) {
    out += `${index === 0 ? '' : ','}{"metric":${JSON.stringify(labels)},"values":[`;
    let isFirst = true;
    for (let i = 0; i < values.length; i++) {
      const at = seconds(i);
      if (at === undefined) continue;
      out += `${isFirst ? '' : ','}[${at},"${text(values[i]!)}"]`;
      isFirst = false;
    }
    out += ']}';
    pairs += values.length;
    if (pairs < TURN_PAIRS) continue;
    yield out;
    await nextTurn();
    out = '';
    pairs = 0;
  }
  yield `${out}]}}`;
}

/** Of one step. */
export function instantJson(value: Value, steps: Steps): unknown {
  const seconds = stepTime(steps, 0) / 1000;
  if (value.type === 'string') return { resultType: 'string', result: [seconds, value.value] };
  if (value.type === 'scalar') return { resultType: 'scalar', result: [seconds, text(value.values[0]!)] };
  return {
    resultType: 'vector',
    result: value.rows.map(({ labels, values }) => ({ metric: labels, value: [seconds, text(values[0]!)] })),
  };
}
