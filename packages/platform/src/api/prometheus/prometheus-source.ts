import { setImmediate as nextTurn } from 'node:timers/promises';
import type { DeviceId } from '../../kernel/device-id.ts';
import { isDeviceId } from '../../kernel/device-id.ts';
import type { LabelMatcher } from '../../promql/expression.ts';
import { labelKey, type Labels, labelTest, NAME_LABEL } from '../../promql/label-match.ts';
import type { SeriesSource } from '../../promql/evaluate.ts';
import type { Samples } from '../../promql/matrix.ts';
import { PromqlError } from '../../promql/promql-error.ts';
import type { Device } from '../../registry/device.ts';
import type { DevicePage, DeviceStore } from '../../registry/device-store.ts';
import type { DeviceTypeStore } from '../../registry/device-type-store.ts';
import type { Scope } from '../../registry/scope.ts';
import type { PointColumns, TelemetryQueries } from '../../telemetry/telemetry-queries.ts';
import { partsOfName } from '../../points/metric-name.ts';
import { nameTest, promqlName } from './metric-names.ts';

/** Of one selector, whose points are read, ... */
const MAX_DEVICES = 2_000;
/** ... or whose series are only listed. */
const MAX_LISTED_DEVICES = 10_000;
/** Of each type, where there are more: devices of a type have much the same metrics. */
const LISTED_OF_TYPE = 20;
const PAGE = 500;
/** Of all series of a query together. */
const MAX_SAMPLES = 10_000_000;
/** Of one selector. */
const MAX_SERIES = 50_000;
/** Devices whose series are held against a selector before others have their turn. */
const TURN_DEVICES = 20;
/** A pixel a millisecond: nothing is thinned, and of hours whose points are gone their first, last and extreme values are given. */
const EVERY_POINT = 1;
const ONE_OF = /^[A-Za-z0-9:_-]+(?:\|[A-Za-z0-9:_-]+)*$/;

export interface PrometheusSourceDependencies {
  readonly devices: Pick<DeviceStore, 'list' | 'findMany' | 'among'>;
  readonly deviceTypes: Pick<DeviceTypeStore, 'list'>;
  readonly telemetry: Pick<TelemetryQueries, 'plot' | 'metricsOf'>;
}

/** A series that there is. */
export interface KnownSeries {
  readonly device: DeviceId;
  readonly metric: string;
  readonly labels: Labels;
}

/**
 * Telemetry as series of Prometheus: `temperature{device="pump-1", type="pump", group="/acme/hall-2"}`, numbers and booleans (0, 1), as far
 * as the caller may see devices.
 */
export class PrometheusSource implements SeriesSource {
  readonly #dependencies: PrometheusSourceDependencies;
  readonly #scope: Scope;
  readonly #signal: AbortSignal | undefined;
  #samples = 0;

  constructor(dependencies: PrometheusSourceDependencies, scope: Scope, signal?: AbortSignal) {
    this.#dependencies = dependencies;
    this.#scope = scope;
    this.#signal = signal;
  }

  async select(matchers: readonly LabelMatcher[], fromMs: number, toMs: number): Promise<readonly Samples[]> {
    const byDevice = Map.groupBy(await this.series(matchers), ({ device }) => device);
    const found: Samples[] = [];
    for (const [device, series] of byDevice) {
      this.#signal?.throwIfAborted();
      const metrics = series.map(({ metric }) => metric);
      const range = { fromMs: fromMs + 1, toMs: toMs + 1 };
      const width = Math.max(3, (range.toMs - range.fromMs) / EVERY_POINT);
      const answer = await this.#dependencies.telemetry.plot({ device, metrics, ...range, width, method: 'm4' }, this.#signal);
      for (const { metric, labels } of series) {
        const samples = numbersOf(answer.metrics.get(metric));
        this.#samples += samples.times.length;
        if (samples.times.length > 0) found.push({ labels, ...samples });
      }
      if (this.#samples > MAX_SAMPLES)
        throw new PromqlError(
          'execution',
          'query processing would load too many samples into memory: ask for a shorter time or fewer series',
        );
    }
    return found;
  }

  /** The series that fit. @throws PromqlError `execution` where the selector is about too many devices, or series */
  async series(matchers: readonly LabelMatcher[]): Promise<readonly KnownSeries[]> {
    const found: KnownSeries[] = [];
    for await (const devices of this.#devices(matchers, MAX_DEVICES)) {
      if (devices === 'and more') {
        throw new PromqlError(
          'execution',
          `the selector is about more than ${MAX_DEVICES} devices: name them, or their type or group: {device=~"a|b"}, {type="pump"}, {group="/acme"}`,
        );
      }
      for await (const series of this.#seriesOf(devices, matchers)) {
        found.push(...series);
        if (found.length > MAX_SERIES)
          throw new PromqlError('execution', `the selector is about more than ${MAX_SERIES} series: name a metric, or devices`);
      }
    }
    return found;
  }

  /** The series that fit, of one device after the other; of a fleet, those of its first devices and of some of each type. */
  async *listed(matchers: readonly LabelMatcher[]): AsyncGenerator<readonly KnownSeries[] | 'and more'> {
    for await (const devices of this.#devices(matchers, MAX_LISTED_DEVICES)) {
      if (devices !== 'and more') yield* this.#seriesOf(devices, matchers);
      else {
        yield devices;
        for (const { name } of await this.#dependencies.deviceTypes.list()) {
          this.#signal?.throwIfAborted();
          const { items } = await this.#page(matchers, { type: name, limit: LISTED_OF_TYPE });
          yield* this.#seriesOf(items, matchers);
        }
      }
    }
  }

  async *#seriesOf(devices: readonly Device[], matchers: readonly LabelMatcher[]): AsyncGenerator<readonly KnownSeries[]> {
    const fits = labelTest(matchers.filter(({ label }) => label !== NAME_LABEL));
    const isNamed = nameTest(matchers);
    const metrics = await this.#dependencies.telemetry.metricsOf(devices.map(({ id }) => id));
    for (const [index, device] of devices.entries()) {
      const found = new Map<string, KnownSeries>();
      for (const metric of metrics.get(device.id) ?? []) {
        const { base, labels } = labelsOf(device, metric);
        if (!fits(labels) || !isNamed([labels[NAME_LABEL] ?? '', base, metric])) continue;
        const key = labelKey(labels);
        if (!found.has(key)) found.set(key, { device: device.id, metric, labels });
      }
      yield [...found.values()];
      if (index % TURN_DEVICES !== TURN_DEVICES - 1) continue;
      await nextTurn();
      this.#signal?.throwIfAborted();
    }
  }

  /** Page by page, those that can have series that fit; last of all that there are more than `most`. */
  async *#devices(matchers: readonly LabelMatcher[], most: number): AsyncGenerator<readonly Device[] | 'and more'> {
    const ids = namedDevices(matchers);
    if (ids !== undefined) {
      const known = await this.#dependencies.devices.among(ids, { scope: this.#scope });
      yield [...(await this.#dependencies.devices.findMany([...known])).values()];
      return;
    }
    let cursor: string | undefined;
    for (let found = 0; found < most; found += PAGE) {
      const page = await this.#page(matchers, { limit: PAGE, cursor });
      yield page.items;
      cursor = page.cursor;
      if (cursor === undefined) return;
    }
    yield 'and more';
  }

  async #page(
    matchers: readonly LabelMatcher[],
    { type, ...page }: { readonly type?: string; readonly limit: number; readonly cursor?: string | undefined },
  ): Promise<DevicePage> {
    const equal = (label: string): string | undefined =>
      matchers.find((matcher) => matcher.label === label && matcher.operator === '=' && matcher.value !== '')?.value;
    const wanted = equal('type');
    if (wanted !== undefined && type !== undefined && type !== wanted) return { items: [] };
    const filter = (type ?? wanted) === undefined ? undefined : `type = ${JSON.stringify(type ?? wanted)}`;
    return await this.#dependencies.devices.list({ ...page, scope: this.#scope, filter, group: equal('group') });
  }
}

/** A name that has labels in it, as line protocol and remote write make them, is taken apart again; the device's own labels win. */
function labelsOf(device: Device, metric: string): { readonly base: string; readonly labels: Labels } {
  const { type } = device;
  const { base, labels } = partsOfName(metric);
  const own = Object.fromEntries(labels.map(([label, value]) => [promqlName(label), value]));
  const all = {
    ...own,
    [NAME_LABEL]: promqlName(base),
    device: device.id,
    group: device.group,
    ...(type !== undefined && type !== null && { type }),
  };
  return { base, labels: all };
}

/** The devices that a selector names, as Grafana writes a choice: `device="a"`, `device=~"a|b"`. */
function namedDevices(matchers: readonly LabelMatcher[]): DeviceId[] | undefined {
  for (const { label, operator, value } of matchers) {
    if (label !== 'device' || value === '') continue;
    if (operator === '=') return isDeviceId(value) ? [value] : [];
    if (operator === '=~' && ONE_OF.test(value))
      return [...new Set(value.split('|'))].filter((id) => isDeviceId(id)).slice(0, MAX_DEVICES);
  }
  return undefined;
}

function numbersOf(points: PointColumns | undefined): Pick<Samples, 'times' | 'values'> {
  if (points === undefined) return { times: new Float64Array(0), values: new Float64Array(0) };
  const { times, values } = points;
  if (values instanceof Float64Array) return { times, values };
  const kept = [...times.keys()].filter((i) => typeof values[i] !== 'string');
  return { times: Float64Array.from(kept, (i) => times[i]!), values: Float64Array.from(kept, (i) => Number(values[i])) };
}
