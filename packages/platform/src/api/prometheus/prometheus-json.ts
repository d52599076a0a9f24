import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Steps, stepTime, type Value } from '../../promql/matrix.ts';

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
  let out = '{"status":"success","data":{"resultType":"matrix","result":[';
  let pairs = 0;
  for (const [index, { labels, values, present }] of rows.entries()) {
    out += `${index === 0 ? '' : ','}{"metric":${JSON.stringify(labels)},"values":[`;
    let isFirst = true;
    for (let i = 0; i < values.length; i++) {
      if (present?.[i] === 0) continue;
      out += `${isFirst ? '' : ','}[${seconds(i)},"${text(values[i]!)}"]`;
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
