import { aggregate } from './aggregations.ts';
import { operate } from './binary-operations.ts';
import type { Expression, LabelMatcher, MatrixSelector, Shift, Subquery, VectorSelector } from './expression.ts';
import { callInstant, checkCount, isInstantFunction, scalarArgument, vectorArgument } from './instant-functions.ts';
import { type Labels, NAME_LABEL, withoutName } from './label-match.ts';
import { mapRow, newRow, type Row, type Samples, type Steps, stepTime, type Value, vectorOf } from './matrix.ts';
import { PromqlError } from './promql-error.ts';
import { type BudgetLimits, QueryBudget } from './query-budget.ts';
import { RANGE_FUNCTIONS, type Window } from './range-functions.ts';

/** Where series come from. */
export interface SeriesSource {
  /** The samples with fromMs < time <= toMs of all series that fit. `stepMs`: how far apart they are looked at. */
  select(matchers: readonly LabelMatcher[], fromMs: number, toMs: number, stepMs: number): Promise<readonly Samples[]>;
}

export interface EvaluationOptions {
  readonly source: SeriesSource;
  /** A sample counts for so long, ms. Default: 5 minutes, as in Prometheus. */
  readonly lookbackMs?: number;
  /** Of subqueries without one, ms. Default: 1 minute. */
  readonly subqueryStepMs?: number;
  /** Called between parts, and in long ones: gives others their turn, throws where the query is to end. */
  readonly check?: () => void | Promise<void>;
  /** Absent: those of a query that shares a thread with others. */
  readonly limits?: BudgetLimits;
}

/** As Prometheus: more points a series are a mistake of the asker. */
const MAX_STEPS = 11_000;
/** What a sample costs a function, where it is not just looked at. */
const WORK: Readonly<Record<string, number>> = { quantile_over_time: 16 };
/** Functions whose argument is a range and another one. */
const PARAMETER_PLACE: Readonly<Record<string, 'first' | 'last'>> = { quantile_over_time: 'first', predict_linear: 'last' };

/** Evaluates a query at all steps at once. @throws PromqlError, and what the source throws */
export async function evaluate(expression: Expression, steps: Steps, options: EvaluationOptions): Promise<Value> {
  if (steps.count > MAX_STEPS)
    throw new PromqlError(
      'bad_data',
      'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
    );
  const budget = new QueryBudget(() => options.check?.(), options.limits);
  const whole = { startMs: steps.startMs, endMs: stepTime(steps, steps.count - 1) };
  return await new Evaluation(steps, whole, options, budget).of(expression);
}

/** The samples of a range that stands alone, as `temperature[5m]`, at one time. @throws PromqlError, and what the source throws */
export async function evaluateRange(
  range: MatrixSelector | Subquery,
  atMs: number,
  options: EvaluationOptions,
): Promise<readonly Samples[]> {
  const budget = new QueryBudget(() => options.check?.(), options.limits);
  return await new Evaluation({ startMs: atMs, stepMs: 1, count: 1 }, { startMs: atMs, endMs: atMs }, options, budget).range(
    range,
  );
}

class Evaluation {
  readonly #steps: Steps;
  /** Of the whole query, for `@ start()` and `@ end()`. */
  readonly #whole: { readonly startMs: number; readonly endMs: number };
  readonly #options: EvaluationOptions;
  readonly #budget: QueryBudget;

  constructor(
    steps: Steps,
    whole: { readonly startMs: number; readonly endMs: number },
    options: EvaluationOptions,
    budget: QueryBudget,
  ) {
    this.#steps = steps;
    this.#whole = whole;
    this.#options = options;
    this.#budget = budget;
  }

  async of(expression: Expression): Promise<Value> {
    await this.#budget.turn();
    const value = await this.#valueOf(expression);
    this.#budget.takeCells(value.type === 'vector' ? value.rows.length : 1, this.#steps.count);
    return value;
  }

  async range(expression: MatrixSelector | Subquery): Promise<readonly Samples[]> {
    const { samples, rangeMs, shift } = await this.#ranges(expression);
    const toMs = this.#lookAt(shift, 0);
    const found: Samples[] = [];
    for (const { labels, times, values } of samples) {
      const start = times.findIndex((timeMs) => timeMs > toMs - rangeMs);
      const after = times.findIndex((timeMs) => timeMs > toMs);
      const end = after === -1 ? times.length : after;
      if (start === -1 || start >= end) continue;
      this.#budget.takeCells(end - start, 1);
      found.push({ labels, times: times.subarray(start, end), values: values.subarray(start, end) });
      const turn = this.#budget.work(times.length);
      if (turn !== undefined) await turn;
    }
    return found;
  }

  async #valueOf(expression: Expression): Promise<Value> {
    switch (expression.kind) {
      case 'number':
        return { type: 'scalar', values: new Float64Array(this.#steps.count).fill(expression.value) };
      case 'string':
        return { type: 'string', value: expression.value };
      case 'vector':
        return await this.#instant(expression);
      case 'matrix':
      case 'subquery':
        throw new PromqlError(
          'bad_data',
          'a range of samples goes into a function such as rate() or avg_over_time(), or into a query of one time',
        );
      case 'negate': {
        const value = await this.of(expression.expression);
        if (value.type === 'scalar') return { type: 'scalar', values: value.values.map((number) => -number) };
        if (value.type === 'string')
          throw new PromqlError('bad_data', 'unary expression only allowed on expressions of type scalar or instant vector');
        return vectorOf(value.rows.map((row) => mapRow(row, withoutName(row.labels), (number) => -number)));
      }
      case 'binary': {
        const left = await this.of(expression.left);
        return operate(expression, left, await this.of(expression.right), this.#steps, this.#budget);
      }
      case 'aggregate': {
        const inner = await this.of(expression.expression);
        if (inner.type !== 'vector')
          throw new PromqlError('bad_data', `expected type instant vector in aggregation expression, got ${inner.type}`);
        const parameter = expression.parameter === undefined ? undefined : await this.of(expression.parameter);
        return aggregate(expression.operator, inner.rows, expression, parameter, this.#steps, this.#budget);
      }
      case 'call':
        return await this.#call(expression.name, expression.arguments);
    }
  }

  async #call(name: string, given: readonly Expression[]): Promise<Value> {
    const range = RANGE_FUNCTIONS[name];
    if (range !== undefined) {
      const place = PARAMETER_PLACE[name];
      checkCount(name, given, place === undefined ? 1 : 2, place === undefined ? 1 : 2);
      const parameter = place === undefined ? undefined : scalarArgument(name, await this.of(given[place === 'first' ? 0 : 1]!));
      return await this.#overRange(name, given[place === 'first' ? 1 : 0]!, (window, step) =>
        range(window, parameter?.[step] ?? 0),
      );
    }
    if (name === 'absent' || name === 'absent_over_time') return await this.#absent(name, given);
    if (name === 'timestamp') return await this.#timestamp(given);
    if (!isInstantFunction(name)) throw new PromqlError('bad_data', `unknown function with name "${name}"`);
    const values: Value[] = [];
    for (const one of given) values.push(await this.of(one));
    return callInstant(name, values, this.#steps);
  }

  /** The time at which a step looks, ms. */
  #lookAt({ at, offsetMs }: Shift, step: number): number {
    const timeMs = at === 'start' ? this.#whole.startMs : at === 'end' ? this.#whole.endMs : (at ?? stepTime(this.#steps, step));
    return timeMs - offsetMs;
  }

  async #select(selector: VectorSelector, beforeMs: number): Promise<readonly Samples[]> {
    const [firstMs, lastMs] = [this.#lookAt(selector, 0), this.#lookAt(selector, this.#steps.count - 1)];
    const found = await this.#options.source.select(selector.matchers, firstMs - beforeMs, lastMs, this.#steps.stepMs);
    this.#budget.takeCells(found.length, this.#steps.count);
    return found;
  }

  async #instant(selector: VectorSelector): Promise<Value> {
    const lookbackMs = this.#options.lookbackMs ?? 300_000;
    const rows = (await this.#select(selector, lookbackMs)).map(({ labels, times, values }) => {
      const row = newRow(labels, this.#steps.count);
      for (let i = 0, at = 0; i < this.#steps.count; i++) {
        const timeMs = this.#lookAt(selector, i);
        while (at < times.length && times[at]! <= timeMs) at++;
        if (at === 0 || times[at - 1]! <= timeMs - lookbackMs) continue;
        row.values[i] = values[at - 1]!;
        row.present[i] = 1;
      }
      return row;
    });
    return vectorOf(rows);
  }

  /** Samples of each series for each step's window. */
  async #ranges(
    expression: Expression,
  ): Promise<{ readonly samples: readonly Samples[]; readonly rangeMs: number; readonly shift: Shift }> {
    if (expression.kind === 'matrix') {
      const { vector, rangeMs } = expression satisfies MatrixSelector;
      return { samples: await this.#select(vector, rangeMs), rangeMs, shift: vector };
    }
    if (expression.kind === 'subquery')
      return { samples: await this.#subquery(expression), rangeMs: expression.rangeMs, shift: expression };
    throw new PromqlError('bad_data', 'expected type range vector, such as metric[5m]');
  }

  /** Its own steps are at multiples of their distance, whatever the query's are. */
  async #subquery(subquery: Subquery): Promise<Samples[]> {
    const stepMs = subquery.stepMs ?? this.#options.subqueryStepMs ?? 60_000;
    const firstMs = Math.floor((this.#lookAt(subquery, 0) - subquery.rangeMs) / stepMs) * stepMs + stepMs;
    const count = Math.floor((this.#lookAt(subquery, this.#steps.count - 1) - firstMs) / stepMs) + 1;
    if (count > MAX_STEPS * 10) throw new PromqlError('bad_data', 'a subquery has too many steps: make its step longer');
    if (count < 1) return [];
    const steps = { startMs: firstMs, stepMs, count };
    const value = await new Evaluation(steps, this.#whole, this.#options, this.#budget).of(subquery.expression);
    const rows: readonly Row[] =
      value.type === 'scalar'
        ? [{ labels: {}, values: value.values, present: new Uint8Array(count).fill(1) }]
        : vectorArgument('subquery', value);
    return rows.map(({ labels, values, present }) => {
      const there = [...present.keys()].filter((i) => present[i] === 1);
      return {
        labels,
        times: Float64Array.from(there, (i) => stepTime(steps, i)),
        values: Float64Array.from(there, (i) => values[i]!),
      };
    });
  }

  async #overRange(name: string, range: Expression, fold: (window: Window, step: number) => number | undefined): Promise<Value> {
    const { samples, rangeMs, shift } = await this.#ranges(range);
    const rows: Row[] = [];
    const cost = WORK[name] ?? 1;
    for (const { labels, times, values } of samples) {
      const row = newRow(name === 'last_over_time' ? labels : withoutName(labels), this.#steps.count);
      for (let i = 0, start = 0, end = 0; i < this.#steps.count; i++) {
        const toMs = this.#lookAt(shift, i);
        const fromMs = toMs - rangeMs;
        while (end < times.length && times[end]! <= toMs) end++;
        while (start < end && times[start]! <= fromMs) start++;
        if (start === end) continue;
        const turn = this.#budget.work((end - start) * cost);
        if (turn !== undefined) await turn;
        const value = fold({ times, values, start, end, fromMs, toMs }, i);
        if (value === undefined) continue;
        row.values[i] = value;
        row.present[i] = 1;
      }
      rows.push(row);
      const turn = this.#budget.work(this.#steps.count + times.length);
      if (turn !== undefined) await turn;
    }
    return vectorOf(rows);
  }

  async #absent(name: string, given: readonly Expression[]): Promise<Value> {
    checkCount(name, given, 1, 1);
    const value = name === 'absent' ? await this.of(given[0]!) : await this.#overRange(name, given[0]!, () => 1);
    const rows = vectorArgument(name, value);
    const row = newRow(absentLabels(given[0]!), this.#steps.count);
    for (let i = 0; i < this.#steps.count; i++) {
      if (rows.some(({ present }) => present[i] === 1)) continue;
      row.present[i] = 1;
      row.values[i] = 1;
    }
    return vectorOf([row]);
  }

  /** Of a plain selector the time of the sample; of anything else that of the step. */
  async #timestamp(given: readonly Expression[]): Promise<Value> {
    checkCount('timestamp', given, 1, 1);
    const inner = given[0]!;
    if (inner.kind === 'vector') {
      const range: MatrixSelector = { kind: 'matrix', vector: inner, rangeMs: this.#options.lookbackMs ?? 300_000 };
      return await this.#overRange('timestamp', range, ({ times, end }) => times[end - 1]! / 1000);
    }
    const rows = vectorArgument('timestamp', await this.of(inner));
    return vectorOf(rows.map((row) => mapRow(row, withoutName(row.labels), (_, i) => stepTime(this.#steps, i) / 1000)));
  }
}

/** What is known of a series that is not there: what it was asked to equal. */
function absentLabels(expression: Expression): Labels {
  const selector = expression.kind === 'matrix' ? expression.vector : expression;
  if (selector.kind !== 'vector') return {};
  const labels: Record<string, string> = {};
  for (const { label, operator, value } of selector.matchers) if (operator === '=' && label !== NAME_LABEL) labels[label] = value;
  return labels;
}
