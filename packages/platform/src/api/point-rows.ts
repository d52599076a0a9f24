import { isDeviceId } from '../kernel/device-id.ts';
import type { PointWriter } from '../points/point-writer.ts';
import { MAX_ROW_VALUES, nameFault, type SampleValue, timeFault, valueFault } from '../points/sample-limits.ts';

/**
 * Rows of points, as `POST /api/v1/telemetry` takes them: a sample or a point of a device.
 *
 *   { "device": "pump-1", "ts": 1700000000000, "values": { "pressure": 2.5, "on": true } }
 *   { "device": "pump-1", "ts": 1700000000000, "metric": "pressure", "value": 2.5 }
 *
 * Without `ts` the time is that of the request. Null is no value: it is passed over.
 */

/** @returns why the row cannot be kept; nothing of it was written then */
export function writeRow(row: unknown, nowMs: number, writer: PointWriter): string | undefined {
  if (!isRecord(row)) return 'a row must be a JSON object';
  for (const field of Object.keys(row))
    if (!FIELDS.has(field)) return `there is no field "${field.slice(0, 64)}": there are ${[...FIELDS].join(', ')}`;
  const { device, ts, values, metric, value } = row;
  if (typeof device !== 'string' || !isDeviceId(device)) return '"device" must be a device id (1 to 128 of A-Z a-z 0-9 : _ . -)';
  if (ts !== undefined && (typeof ts !== 'number' || !Number.isFinite(ts))) return '"ts" must be a number of milliseconds';
  const timeMs = ts === undefined ? nowMs : Math.trunc(ts) + 0; // + 0: never -0
  const fault = timeFault(timeMs, nowMs);
  if (fault !== undefined) return fault;
  if (values === undefined) {
    if (typeof metric !== 'string') return 'a row has "values", or "metric" and "value"';
    return write(writer, device, timeMs, [[metric, value]]);
  }
  if (!isRecord(values)) return '"values" must be an object';
  if (metric !== undefined || value !== undefined) return '"metric" and "value" do not go with "values"';
  const entries = Object.entries(values);
  if (entries.length > MAX_ROW_VALUES) return `a row has at most ${MAX_ROW_VALUES} values`;
  return write(writer, device, timeMs, entries);
}

const FIELDS: ReadonlySet<string> = new Set(['device', 'ts', 'values', 'metric', 'value']);

function write(
  writer: PointWriter,
  device: string,
  timeMs: number,
  entries: readonly (readonly [string, unknown])[],
): string | undefined {
  const values: (readonly [string, SampleValue])[] = [];
  for (const [name, value] of entries) {
    const wrong = nameFault(name);
    if (wrong !== undefined) return wrong;
    if (value === null) continue;
    if (typeof value !== 'number' && typeof value !== 'boolean' && typeof value !== 'string') {
      return `the value of "${name}" is no number, boolean or text`;
    }
    const fault = valueFault(value);
    if (fault !== undefined) return `${fault} (metric "${name}")`;
    values.push([name, value]);
  }
  if (entries.length === 0) return 'a row has at least one value';
  if (values.length > 0) writer.add(writer.device(device), timeMs, values);
  return undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
