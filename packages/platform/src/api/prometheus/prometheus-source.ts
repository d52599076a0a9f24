import { setImmediate as nextTurn } from 'node:timers/promises';
import type { DeviceId } from '../../kernel/device-id.ts';
import { isDeviceId } from '../../kernel/device-id.ts';
import type { LabelMatcher } from '../../promql/expression.ts';
import { labelKey, type Labels, labelTest, NAME_LABEL } from '../../promql/label-match.ts';
import type { SeriesSource } from '../../promql/evaluate.ts';
import type { Samples } from '../../promql/matrix.ts';
import { PromqlError } from '../../promql/promql-error.ts';
import type { Device } from '../../registry/device.ts';
import type { DeviceStore } from '../../registry/device-store.ts';
import type { Scope } from '../../registry/scope.ts';
import type { PointColumns, TelemetryQueries } from '../../telemetry/telemetry-queries.ts';
import { partsOfName } from '../../points/metric-name.ts';
import { promqlName } from './metric-names.ts';

/** Of one selector. */
const MAX_DEVICES = 2_000;
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

  /** The series that fit. @throws PromqlError `execution` where the selector is about too many devices */
  async series(matchers: readonly LabelMatcher[]): Promise<readonly KnownSeries[]> {
    const fits = labelTest(matchers);
    const devices = await this.#devices(matchers);
    const metrics = await this.#dependencies.telemetry.metricsOf(devices.map(({ id }) => id));
    const found: KnownSeries[] = [];
    for (const [index, device] of devices.entries()) {
      const seen = new Set<string>();
      for (const metric of metrics.get(device.id) ?? []) {
        const labels = labelsOf(device, metric);
        const key = labelKey(labels);
        if (seen.has(key) || !(fits(labels) || fits({ ...labels, [NAME_LABEL]: metric }))) continue;
        seen.add(key);
        found.push({ device: device.id, metric, labels });
      }
      if (found.length > MAX_SERIES)
        throw new PromqlError('execution', `the selector is about more than ${MAX_SERIES} series: name a metric, or devices`);
      if (index % TURN_DEVICES !== TURN_DEVICES - 1) continue;
      await nextTurn();
      this.#signal?.throwIfAborted();
    }
    return found;
  }

  async #devices(matchers: readonly LabelMatcher[]): Promise<readonly Device[]> {
    const ids = namedDevices(matchers);
    if (ids !== undefined) {
      const known = await this.#dependencies.devices.among(ids, { scope: this.#scope });
      return [...(await this.#dependencies.devices.findMany([...known])).values()];
    }
    const equal = (label: string): string | undefined =>
      matchers.find((matcher) => matcher.label === label && matcher.operator === '=' && matcher.value !== '')?.value;
    const [type, group] = [equal('type'), equal('group')];
    const found: Device[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.#dependencies.devices.list({
        scope: this.#scope,
        filter: type === undefined ? undefined : `type = ${JSON.stringify(type)}`,
        group,
        limit: PAGE,
        cursor,
      });
      found.push(...page.items);
      cursor = page.cursor;
      if (found.length > MAX_DEVICES) {
        throw new PromqlError(
          'execution',
          `the selector is about more than ${MAX_DEVICES} devices: name them, or their type or group: {device=~"a|b"}, {type="pump"}, {group="/acme"}`,
        );
      }
    } while (cursor !== undefined);
    return found;
  }
}

/** A name that has labels in it, as line protocol and remote write make them, is taken apart again; the device's own labels win. */
function labelsOf(device: Device, metric: string): Labels {
  const { type } = device;
  const { base, labels } = partsOfName(metric);
  const own = Object.fromEntries(labels.map(([label, value]) => [promqlName(label), value]));
  return {
    ...own,
    [NAME_LABEL]: promqlName(base),
    device: device.id,
    group: device.group,
    ...(type !== undefined && type !== null && { type }),
  };
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
