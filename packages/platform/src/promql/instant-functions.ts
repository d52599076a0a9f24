import { histogramQuantile } from './histograms.ts';
import { compilePattern, labelOf, NAME_LABEL, withoutName } from './label-match.ts';
import { mapRow, newRow, stepTime, vectorOf, type Row, type Steps, type Value } from './matrix.ts';
import { PromqlError } from './promql-error.ts';

/** What joins labels could double them with each call. */
const MAX_LABEL_VALUE = 4_096;

type NumberFunction = (value: number, ...parameters: readonly number[]) => number;

/** Of each value by itself; further arguments are scalars. */
const OF_VALUES: Readonly<Record<string, NumberFunction>> = {
  abs: Math.abs,
  ceil: Math.ceil,
  floor: Math.floor,
  exp: Math.exp,
  ln: Math.log,
  log2: Math.log2,
  log10: Math.log10,
  sqrt: Math.sqrt,
  sgn: (value) => (value > 0 ? 1 : value < 0 ? -1 : value),
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  sinh: Math.sinh,
  cosh: Math.cosh,
  tanh: Math.tanh,
  asinh: Math.asinh,
  acosh: Math.acosh,
  atanh: Math.atanh,
  deg: (value) => (value * 180) / Math.PI,
  rad: (value) => (value * Math.PI) / 180,
  round: (value, to = 1) => Math.floor(value * (1 / to) + 0.5) / (1 / to),
  clamp_min: (value, min) => (value < (min ?? NaN) ? (min ?? NaN) : value),
  clamp_max: (value, max) => (value > (max ?? NaN) ? (max ?? NaN) : value),
  clamp: (value, min, max) => Math.max(min ?? NaN, Math.min(max ?? NaN, value)),
};

const PARAMETERS: Readonly<Record<string, readonly [number, number]>> = {
  round: [0, 1],
  clamp_min: [1, 1],
  clamp_max: [1, 1],
  clamp: [2, 2],
};

/** Of a time in seconds, UTC. */
const OF_TIMES: Readonly<Record<string, (date: Date) => number>> = {
  minute: (date) => date.getUTCMinutes(),
  hour: (date) => date.getUTCHours(),
  day_of_week: (date) => date.getUTCDay(),
  day_of_month: (date) => date.getUTCDate(),
  day_of_year: (date) => Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000) + 1,
  days_in_month: (date) => new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate(),
  month: (date) => date.getUTCMonth() + 1,
  year: (date) => date.getUTCFullYear(),
};

export function isInstantFunction(name: string): boolean {
  return name in OF_VALUES || name in OF_TIMES || name in OTHERS;
}

/** Calls a function whose arguments are values. @throws PromqlError */
export function callInstant(name: string, given: readonly Value[], steps: Steps): Value {
  const ofValues = OF_VALUES[name];
  if (ofValues !== undefined) {
    const [least, most] = PARAMETERS[name] ?? [0, 0];
    checkCount(name, given, 1 + least, 1 + most);
    const rows = vectorArgument(name, given[0]!);
    const parameters = given.slice(1).map((value) => scalarArgument(name, value));
    return vectorOf(
      rows.map((row) => mapRow(row, withoutName(row.labels), (value, i) => ofValues(value, ...parameters.map((p) => p[i]!)))),
    );
  }
  const ofTimes = OF_TIMES[name];
  if (ofTimes !== undefined) {
    checkCount(name, given, 0, 1);
    const rows = given.length === 0 ? [timeRow(steps)] : vectorArgument(name, given[0]!);
    return vectorOf(rows.map((row) => mapRow(row, withoutName(row.labels), (value) => ofTimes(new Date(value * 1000)))));
  }
  return OTHERS[name]!(given, steps);
}

const OTHERS: Readonly<Record<string, (given: readonly Value[], steps: Steps) => Value>> = {
  time: (given, steps) => {
    checkCount('time', given, 0, 0);
    return { type: 'scalar', values: timeRow(steps).values };
  },
  pi: (given, steps) => {
    checkCount('pi', given, 0, 0);
    return { type: 'scalar', values: new Float64Array(steps.count).fill(Math.PI) };
  },
  vector: (given) => {
    checkCount('vector', given, 1, 1);
    const values = scalarArgument('vector', given[0]!);
    return { type: 'vector', rows: [{ labels: {}, values, present: new Uint8Array(values.length).fill(1) }] };
  },
  scalar: (given, steps) => {
    checkCount('scalar', given, 1, 1);
    const rows = vectorArgument('scalar', given[0]!);
    const values = new Float64Array(steps.count).fill(NaN);
    for (let i = 0; i < steps.count; i++) {
      const there = rows.filter(({ present }) => present[i] === 1);
      if (there.length === 1) values[i] = there[0]!.values[i]!;
    }
    return { type: 'scalar', values };
  },
  histogram_quantile: (given, steps) => {
    checkCount('histogram_quantile', given, 2, 2);
    const share = scalarArgument('histogram_quantile', given[0]!);
    return vectorOf(histogramQuantile(share, vectorArgument('histogram_quantile', given[1]!), steps));
  },
  sort: sorted(1),
  sort_desc: sorted(-1),
  label_replace: (given) => {
    checkCount('label_replace', given, 5, 5);
    const rows = vectorArgument('label_replace', given[0]!);
    const [target, replacement, source, pattern] = given.slice(1).map((value) => stringArgument('label_replace', value));
    checkLabelName(target!);
    const test = compilePattern(pattern!);
    return vectorOf(
      rows.map((row) => {
        const found = test.match(labelOf(row.labels, source!));
        if (found === undefined) return row;
        const value = replacement!.replaceAll(
          /\$(?:(\d+)|\{(\d+)\})/g,
          (_, plain?: string, braced?: string) => found[Number(plain ?? braced)] ?? '',
        );
        return { ...row, labels: withLabel(row.labels, target!, value) };
      }),
    );
  },
  label_join: (given) => {
    if (given.length < 3) throw wrongCount('label_join', given.length, 'at least 3');
    const rows = vectorArgument('label_join', given[0]!);
    const [target, separator, ...sources] = given.slice(1).map((value) => stringArgument('label_join', value));
    checkLabelName(target!);
    const join = (row: Row): string => sources.map((source) => labelOf(row.labels, source)).join(separator);
    return vectorOf(rows.map((row) => ({ ...row, labels: withLabel(row.labels, target!, join(row)) })));
  },
};

function sorted(direction: 1 | -1): (given: readonly Value[]) => Value {
  return (given) => {
    checkCount('sort', given, 1, 1);
    const rows = [...vectorArgument('sort', given[0]!)];
    // Of a range of times there is no one order, and Prometheus has none either.
    if (rows.every(({ values }) => values.length === 1)) rows.sort((a, b) => direction * (a.values[0]! - b.values[0]!));
    return { type: 'vector', rows };
  };
}

function timeRow(steps: Steps): Row {
  const row = newRow({}, steps.count);
  for (let i = 0; i < steps.count; i++) row.values[i] = stepTime(steps, i) / 1000;
  row.present.fill(1);
  return row;
}

export function vectorArgument(name: string, value: Value): readonly Row[] {
  if (value.type === 'vector') return value.rows;
  throw new PromqlError('bad_data', `expected type instant vector in call to function "${name}", got ${value.type}`);
}

export function scalarArgument(name: string, value: Value): Float64Array {
  if (value.type === 'scalar') return value.values;
  throw new PromqlError('bad_data', `expected type scalar in call to function "${name}", got ${value.type}`);
}

function stringArgument(name: string, value: Value): string {
  if (value.type === 'string') return value.value;
  throw new PromqlError('bad_data', `expected type string in call to function "${name}", got ${value.type}`);
}

function withLabel(labels: Row['labels'], name: string, value: string): Row['labels'] {
  if (value.length > MAX_LABEL_VALUE) throw new PromqlError('execution', `a label has at most ${MAX_LABEL_VALUE} characters`);
  const changed: Record<string, string> = { ...labels, [name]: value };
  if (value === '') delete changed[name];
  return changed;
}

function checkLabelName(name: string): void {
  if (name !== NAME_LABEL && !/^[a-zA-Z_]\w*$/.test(name)) throw new PromqlError('execution', `invalid label name: ${name}`);
}

export function checkCount(name: string, given: readonly unknown[], least: number, most: number): void {
  if (given.length < least || given.length > most)
    throw wrongCount(name, given.length, least === most ? String(least) : `${least} to ${most}`);
}

function wrongCount(name: string, found: number, expected: string): PromqlError {
  return new PromqlError('bad_data', `expected ${expected} argument(s) in call to "${name}", got ${found}`);
}
